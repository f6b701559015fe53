"""What is known of a data set before its images are read: its name, how many images it has, which parameters fit it."""

import re

from fashion_mnist.errors import ParamsError
from fashion_mnist.params import DownloadParams, Params
from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, IMAGES, NAME, SIDE


def registered_name(params: DownloadParams) -> str:
    """Return the name of the registered model, which is also that of the experiment with its runs."""
    return re.sub(r"\W+", "-", (params.name if params.dataset == "folder" else NAME).lower()).strip("-")


def count_images(params: DownloadParams) -> dict[str, int]:
    """Return the number of images in the published or drawn train, before validation is cut from it, and test."""
    drawn = {"train": params.synthetic.train_images, "test": params.synthetic.test_images}
    return drawn if params.dataset == "synthetic" else IMAGES


def check_params(params: Params) -> None:
    """Raise ParamsError for parameters that do not fit the data set; for a folder, only its images can tell."""
    drawn, classes = params.download.synthetic, len(CLASS_NAMES)
    balanced = {
        "download.synthetic.train_images": drawn.train_images,
        "download.synthetic.test_images": drawn.test_images,
    }
    if params.download.dataset != "folder":
        images = count_images(params.download)
        params.evaluate.check_fit(images=images["test"], side=SIDE)
        params.normalize.check_fit(images=images["train"], classes=classes)
        balanced["normalize.validation_images"] = params.normalize.validation_images or 0
    for key, found in balanced.items():
        if found % classes:
            raise ParamsError(f"{key} is {found}; expected a multiple of {classes}, so that classes are balanced")
