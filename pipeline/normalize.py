"""Decode, check, scale and split the data: data/raw -> data/normalized/{train,validation,test}, reports/data.json."""

from collections.abc import Sequence

from fashion_mnist.data.dataset import cut_validation, scale_pixels
from fashion_mnist.data.description import Source, describe
from fashion_mnist.data.split import RawSplit, Split
from fashion_mnist.params import DownloadParams, Params
from fashion_mnist.sources.assembly import assemble
from fashion_mnist.sources.fashion_mnist import RAW_FILES
from fashion_mnist.sources.folder import read_layout
from fashion_mnist.sources.idx import decode_idx
from fashion_mnist.sources.images import decode_image
from fashion_mnist.sources.known import count_images
from fashion_mnist.sources.published import DRAWN_GARMENTS, FASHION_MNIST, check_fashion_mnist, check_split
from pipeline.bytes.descriptions import write_description
from pipeline.bytes.formats import write_split
from pipeline.runtime.command import parse_arguments, progress_bar, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DATA, NORMALIZED, RAW


def main(argv: Sequence[str] | None = None) -> Work:
    """Turn what download left into three splits of float32 images, and describe them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    check_packages()
    check_inputs(RAW)
    source = read_folder(params) if params.download.dataset == "folder" else read_published(params.download)
    cut, classes = params.normalize, len(source.dataset.classes)
    cut.check_fit(images=len(source.train.labels), classes=classes, has_validation=source.validation is not None)
    kept, validation = source.train, source.validation
    if validation is None:
        kept, validation = cut_validation(source.train, images=cut.validation_images or 0, seed=cut.seed)
    splits = {"train": kept, "validation": validation, "test": source.test}
    for name, split in splits.items():
        write_split(Split(scale_pixels(split.images), split.labels), name)
    write_description(describe(source, splits))
    say(f"{NORMALIZED}: " + ", ".join(f"{name} {len(split.labels):,}" for name, split in splits.items()))
    if found := source.near_duplicates:
        say(f"{len(found)} images of test look like one in train, such as {found[0][0]} and {found[0][1]}: {DATA}")
    return Work([DATA], sum(len(split.labels) for split in splits.values()))


def read_published(params: DownloadParams) -> Source:
    """Decode and check the images and labels that come in the files of Fashion-MNIST."""
    train, test = read_raw("train"), read_raw("test")
    counts = count_images(params)
    check_split(train, images=counts["train"], name="train")
    check_split(test, images=counts["test"], name="test")
    if params.dataset == "synthetic":
        return Source(DRAWN_GARMENTS, train, test)
    check_fashion_mnist(train, test)
    return Source(FASHION_MNIST, train, test)


def read_raw(split: str) -> RawSplit:
    """Decode the images and labels of a published split."""
    images, labels = RAW_FILES[split]
    return RawSplit(
        decode_idx(read_bytes(RAW / images), dimensions=3, name=images)[..., None],
        decode_idx(read_bytes(RAW / labels), dimensions=1, name=labels),
    )


def read_folder(params: Params) -> Source:
    """Decode the folder of images that download has checked and copied, and cut test from it if it has none."""
    files = {path.relative_to(RAW).as_posix(): path for path in RAW.glob("*/*/*")}
    layout, chosen = read_layout(files, name=str(RAW)), params.normalize
    pictures = {}
    with progress_bar(total=len(layout.files), label="decode", unit="image") as bar:
        for name, _ in layout.files:
            pictures[name] = decode_image(read_bytes(files[name]), name=name, size=chosen.size)
            bar.update()
    return assemble(layout, pictures, chosen, name=params.download.name)


if __name__ == "__main__":
    run(main)
