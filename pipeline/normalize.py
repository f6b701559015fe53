"""Decode, check, scale and split the data: data/raw -> data/normalized/{train,validation,test}, reports/data.json."""

from collections.abc import Sequence

from fashion_mnist.data.dataset import check_fashion_mnist, check_split, cut_validation, scale_pixels, summarize
from fashion_mnist.data.fashion_mnist import RAW_FILES
from fashion_mnist.data.idx import decode_idx
from fashion_mnist.data.split import RawSplit, Split
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.costs import Work
from pipeline.runtime.files import read_bytes
from pipeline.runtime.formats import write_json, write_split
from pipeline.runtime.lock import check_inputs
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DATA, NORMALIZED, RAW


def main(argv: Sequence[str] | None = None) -> Work:
    """Turn the four raw files into three splits of float32 images, and describe them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    check_inputs(RAW)
    train, test = read_raw("train"), read_raw("test")
    check_split(train, images=params.download.train_images, name="train")
    check_split(test, images=params.download.test_images, name="test")
    if params.download.dataset == "fashion_mnist":
        check_fashion_mnist(train, test)
    kept, validation = cut_validation(train, images=params.normalize.validation_images, seed=params.normalize.seed)
    splits = {"train": kept, "validation": validation, "test": test}
    for name, split in splits.items():
        write_split(Split(scale_pixels(split.images), split.labels), name)
    summary = {"dataset": params.download.dataset, **summarize(train, test, splits)}
    write_json(summary, DATA)
    say(f"{NORMALIZED}: " + ", ".join(f"{name} {len(split.labels):,}" for name, split in splits.items()))
    return Work([DATA], len(train.labels) + len(test.labels))


def read_raw(split: str) -> RawSplit:
    """Decode the images and labels of a published split."""
    images, labels = RAW_FILES[split]
    return RawSplit(
        decode_idx(read_bytes(RAW / images), dimensions=3, name=images),
        decode_idx(read_bytes(RAW / labels), dimensions=1, name=labels),
    )


if __name__ == "__main__":
    run(main)
