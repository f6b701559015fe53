"""Fetch the four published files and verify them, or copy a folder of images: -> data/raw.

FASHION_MNIST_MIRROR may name a folder or an http(s) address that holds the four files; without it they come from
the addresses that tensorflow-datasets registers. The sha256 of each file is verified in every case.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import tensorflow_datasets as tfds
from requests.adapters import HTTPAdapter
from tensorflow_datasets.core.download.checksums import UrlInfo, get_all_url_infos
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

from fashion_mnist.errors import ArtifactError, DataError, DownloadError, innermost
from fashion_mnist.params import DownloadParams
from fashion_mnist.sources.fashion_mnist import NAME, RAW_FILES
from fashion_mnist.sources.idx import encode_idx
from fashion_mnist.sources.known import count_images
from fashion_mnist.sources.synthetic import draw_garments
from pipeline.runtime.command import parse_arguments, progress_bar, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import read_bytes, reading, write_bytes
from pipeline.runtime.image_folder import list_images
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import RAW

MIRROR = "FASHION_MNIST_MIRROR"
# A silent source costs less than a minute: a name may have eight addresses, each of which is tried.
CONNECT_SECONDS = 7
STALL_SECONDS = 20  # within which the next block must arrive; a slow source is not cut off
BLOCK_BYTES = 8192
# Servers that are overloaded for a moment; whoever does not answer is given up at once.
RETRIES = Retry(3, connect=0, read=False, status_forcelist=(500, 502, 503, 504), backoff_factor=0.5,
                respect_retry_after_header=False, raise_on_status=False)  # fmt: skip
AS_PUBLISHED = {"Accept-Encoding": "identity"}  # or a server may compress, and the checksum differs

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
    for path in RAW.iterdir():
        if path.name not in files:  # of another data set, since DVC lets the folder stay
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    say(f"{RAW}: {len(files)} files, {sum(map(len, files.values())) / 2**20:.1f} MiB")
    return Work([RAW / labels for _, labels in RAW_FILES.values()], sum(count_images(params).values()))


def draw(params: DownloadParams) -> dict[str, bytes]:
    """Draw a synthetic data set in the files of the published one; train and test differ in their seeds."""
    files: dict[str, bytes] = {}
    for offset, (split, count) in enumerate(count_images(params).items()):
        images, labels = draw_garments(count, seed=params.synthetic.seed + offset)
        files |= zip(RAW_FILES[split], (encode_idx(images[..., 0]), encode_idx(labels)), strict=True)
    return files


def fetch(mirror: str) -> dict[str, bytes]:
    """Return the published files by name, each verified; what data/raw holds of them is not fetched again.

    mirror: a folder, an http(s) address, or empty for the registered addresses. Raises DownloadError if the source does
    not answer or lacks a file, DataError if a file is not the published one.
    """
    registered: Mapping[str, UrlInfo] = tfds.image_classification.FashionMNIST.url_infos
    if mirror and not mirror.startswith(("http://", "https://")):
        return read_mirror(mirror, registered.values())
    files = {}
    size = sum(info.size for info in registered.values())
    with requests.Session() as session, progress_bar(total=size, label="download", unit="B") as bar:
        for kind in ("http://", "https://"):
            session.mount(kind, HTTPAdapter(max_retries=RETRIES))
        for url, info in registered.items():
            here = RAW / info.filename
            content = read_bytes(here) if here.is_file() else b""
            if hashlib.sha256(content).hexdigest() != info.checksum:
                address = f"{mirror.rstrip('/')}/{info.filename}" if mirror else url
                content = verify(receive(session, address, info.size, bar), info)
            files[info.filename] = content
    return files


def read_mirror(mirror: str, infos: Iterable[UrlInfo]) -> dict[str, bytes]:
    """Return the published files in a folder, verified. Raises DownloadError if one is missing."""
    folder = Path(os.path.expanduser(mirror))  # noqa: PTH111 - Path.expanduser raises for a user who is unknown here
    expected = {info.filename: info for info in infos}
    # Path.is_file raises for a folder that may not be opened.
    missing = [name for name in sorted(expected) if not os.path.isfile(folder / name)]  # noqa: PTH113
    if missing:
        raise DownloadError(
            f"{MIRROR}={folder} holds no file {missing[0]}; expected {', '.join(sorted(expected))}. {HOW_TO_GO_ON}"
        )
    with reading(str(folder), advice="make its files readable"):
        return {name: verify((folder / name).read_bytes(), info) for name, info in expected.items()}


def receive(session: requests.Session, url: str, size: int, bar: Any) -> bytes:
    """Return what an address sends, or a little more than `size` bytes of it.

    Raises DownloadError if it does not answer, breaks off, or sends too slowly.
    """
    content = bytearray()
    try:
        with session.get(url, headers=AS_PUBLISHED, stream=True, timeout=(CONNECT_SECONDS, STALL_SECONDS)) as answer:
            answer.raise_for_status()
            for part in arriving(answer):
                content += part
                bar.update(len(part))
                if len(content) > size:
                    break
    except requests.RequestException as error:
        raise DownloadError(f"{url} does not answer ({innermost(error)}). {HOW_TO_GO_ON}") from error
    except (ReadTimeoutError, TimeoutError) as error:
        raise DownloadError(
            f"{url} sent nothing, or next to nothing, for {STALL_SECONDS} s; {len(content)} bytes came. {HOW_TO_GO_ON}"
        ) from error
    except HTTPError as error:
        raise DownloadError(
            f"{url} broke off after {len(content)} bytes ({innermost(error)}). Run again. {HOW_TO_GO_ON}"
        ) from error
    return bytes(content)


def arriving(answer: requests.Response) -> Iterator[bytes]:
    """Yield what an answer brings, as it arrives. Raises TimeoutError if a block takes longer than STALL_SECONDS.

    The client's own limit is for the time between two bytes, so it would wait for ever for a byte every few seconds.
    """
    held, due = 0, time.monotonic() + STALL_SECONDS
    while part := answer.raw.read1(BLOCK_BYTES):
        yield part
        held += len(part)
        if held >= BLOCK_BYTES:
            held, due = 0, time.monotonic() + STALL_SECONDS
        elif time.monotonic() > due:
            raise TimeoutError


def verify(content: bytes, info: UrlInfo) -> bytes:
    """Return the content of a published file. Raises DataError for any other, and says what that is if it is known."""
    found = hashlib.sha256(content).hexdigest()
    if found == info.checksum:
        return content
    others = [f"that of {url}" for url, other in get_all_url_infos().items() if other.checksum == found]
    if len(content) != info.size:
        others.append(f"of {'fewer' if len(content) < info.size else 'more'} than {int(info.size)} bytes")
    what = f" ({others[0]})" if others else ""
    raise DataError(
        f"{info.filename}: sha256 is {found[:12]}…{what}, expected {info.checksum[:12]}…; the file is not {NAME}'s. "
        "Replace it and run again."
    )


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
    first = [split[0][0] for split in (layout.train, layout.val, layout.test) if split]
    return Work([RAW / places[path] for path in first], len(places))


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
