"""Fetch the four published files and verify them, or copy a folder of images: -> data/raw.

FASHION_MNIST_MIRROR may name a folder or an http(s) address that holds the four files; without it they come from
the address that tensorflow-datasets registers. Size and sha256 are verified in every case.
"""

import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import get_all_url_infos
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from fashion_mnist.errors import ArtifactError, DataError, DownloadError, innermost
from fashion_mnist.params import DownloadParams
from fashion_mnist.sources.fashion_mnist import RAW_FILES
from fashion_mnist.sources.idx import encode_idx
from fashion_mnist.sources.known import count_images
from fashion_mnist.sources.synthetic import draw_garments
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import read_bytes, reading, write_bytes
from pipeline.runtime.image_folder import list_images
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import RAW

MIRROR = "FASHION_MNIST_MIRROR"
# Both together stay within a minute, which is how long a silent network may hold a user up.
ANSWER_SECONDS = 15
STALL_SECONDS = 20

HOW_TO_GO_ON = (
    f"Set {MIRROR} to a folder or an http(s) address that holds the four files, or run `make demo`, "
    "which needs no network"
)


def main(argv: Sequence[str] | None = None) -> Work:
    """Bring the data set, downloaded, drawn or copied, to data/raw."""
    parse_arguments(argv, description=__doc__)
    params = read_params().download
    check_packages()
    if params.dataset == "folder":
        return copy_folder(Path(params.folder))
    files = draw(params) if params.dataset == "synthetic" else fetch(os.environ.get(MIRROR, ""))
    for name, content in files.items():
        write_bytes(content, RAW / name)
    say(f"{RAW}: {len(files)} files, {sum(map(len, files.values())) / 2**20:.1f} MiB")
    return Work([RAW / labels for _, labels in RAW_FILES.values()], sum(count_images(params).values()))


def copy_folder(folder: Path) -> Work:
    """Copy the images of a folder byte for byte, all or none; nothing else of it is copied."""
    layout, files = list_images(folder)
    # By the class's name, since the letters of its folder may be encoded otherwise in test than in train.
    places = {
        path: f"{path.partition('/')[0]}/{layout.classes[label]}/{path.rpartition('/')[2]}"
        for path, label in layout.files
    }
    with scratch_folder(RAW.parent) as scratch, reading(str(folder), advice="make it readable"):
        for path, place in places.items():
            copy = scratch / RAW.name / place
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[path], copy)
        shutil.rmtree(RAW, ignore_errors=True)
        (scratch / RAW.name).replace(RAW)
    size = sum((RAW / place).stat().st_size for place in places.values())
    say(f"{RAW}: {len(places)} images of {len(layout.classes)} classes, {size / 2**20:.1f} MiB, from {folder}")
    first = [split[0][0] for split in (layout.train, layout.test) if split]
    return Work([RAW / places[path] for path in first], len(places))


def draw(params: DownloadParams) -> dict[str, bytes]:
    """Draw a synthetic data set in the files of the published one; train and test differ in their seeds."""
    files: dict[str, bytes] = {}
    for offset, (split, count) in enumerate(count_images(params).items()):
        images, labels = draw_garments(count, seed=params.synthetic.seed + offset)
        files |= zip(RAW_FILES[split], (encode_idx(images[..., 0]), encode_idx(labels)), strict=True)
    return files


def fetch(mirror: str) -> dict[str, bytes]:
    """Return the verified content of the published files, by name.

    mirror: a folder, an http(s) address, or empty for the registered address. Raises DownloadError when the source
    does not answer or lacks a file, DataError when a file is not the published one.
    """
    registered = tfds.image_classification.FashionMNIST.url_infos
    infos = {info.filename: info for info in registered.values()}
    urls = {info.filename: url for url, info in registered.items()}
    folder = None
    if re.match(r"https?://", mirror):
        urls = {name: f"{mirror.rstrip('/')}/{name}" for name in urls}
    elif mirror:
        # Not Path.expanduser, which raises for a user who is unknown here.
        folder = check_folder(Path(os.path.expanduser(mirror)), names=sorted(urls))  # noqa: PTH111
    with scratch_folder(RAW.parent) as scratch:
        expected = {urls[name]: infos[name] for name in urls}
        paths = take(urls, expected, folder, scratch) if folder else take_watched(urls, expected, scratch)
        return {name: read_bytes(Path(path)) for name, path in sorted(paths.items())}


def take(urls: Mapping[str, str], infos: Mapping[str, Any], folder: Path | None, scratch: Path) -> dict[str, str]:
    """Let tensorflow-datasets find the files in a folder or on the network and verify them; returns their paths."""
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    manager = tfds.download.DownloadManager(
        download_dir=scratch,
        manual_dir=folder,
        url_infos=dict(infos),
        force_checksums_validation=True,
        dataset_name="fashion_mnist",
    )
    try:
        return {name: str(path) for name, path in manager.download(dict(urls)).items()}
    except NonMatchingChecksumError as error:
        raise DataError(explain_mismatch(str(error))) from error
    except (OSError, tfds.download.DownloadError) as error:  # requests' errors are OSErrors
        raise DownloadError(f"download failed ({innermost(error)}). {HOW_TO_GO_ON}") from error


def take_watched(urls: Mapping[str, str], infos: Mapping[str, Any], scratch: Path) -> dict[str, str]:
    """Take the files from the network in a process of its own, and end it when nothing arrives any more.

    tensorflow-datasets waits without a limit: nothing inside the process could end that.
    """
    check_answer(next(iter(urls.values())))
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        download = pool.apply_async(take, (urls, infos, None, scratch))
        arrived = -1
        while True:
            try:
                return download.get(timeout=STALL_SECONDS)
            except multiprocessing.TimeoutError:
                before, arrived = arrived, sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
                if arrived == before:
                    tried = next(iter(urls.values())).rpartition("/")[0]
                    raise DownloadError(
                        f"{tried} sent nothing for {STALL_SECONDS} s after {arrived} bytes. {HOW_TO_GO_ON}"
                    ) from None


def check_folder(folder: Path, *, names: Sequence[str]) -> Path:
    """Return a mirror folder that holds every name. Raises DownloadError: otherwise the network would be asked."""
    # Not Path.is_file, which raises for a folder that may not be opened.
    missing = [name for name in names if not os.path.isfile(folder / name)]  # noqa: PTH113
    if missing:
        raise DownloadError(
            f"{MIRROR}={folder} holds no file {missing[0]}; expected {', '.join(names)}. {HOW_TO_GO_ON}"
        )
    return folder


def check_answer(url: str) -> None:
    """Ask once for a file. Raises DownloadError within seconds, where tensorflow-datasets would try ten times."""
    try:
        with requests.get(url, stream=True, timeout=ANSWER_SECONDS) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        raise DownloadError(f"{url} does not answer ({innermost(error)}). {HOW_TO_GO_ON}") from error


def explain_mismatch(message: str) -> str:
    """Turn tensorflow-datasets' account of a wrong checksum into one line, with the name of what was found instead."""
    address = re.findall(r"Artifact (\S+), downloaded", message)[0]
    expected, found = re.findall(r"checksum='(\w+)'", message)
    others = [url for url, info in get_all_url_infos().items() if info.checksum == found]
    return (
        f"{address.rpartition('/')[2]}: sha256 is {found[:12]}…{f' (that of {others[0]})' if others else ''}, "
        f"expected {expected[:12]}…; the file is not Fashion-MNIST's. Replace it and run again."
    )


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that is gone afterwards, on the disk of the files to come. Raises ArtifactError if it cannot."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=".download-")
    except OSError as error:
        raise ArtifactError(f"{parent}: cannot be written ({error.strerror}); expected a writable folder") from error
    with folder as path:
        yield Path(path)


if __name__ == "__main__":
    run(main)
