"""What the data is, is said in one place: no size, no count and no class of Fashion-MNIST stands anywhere else."""

import re
from pathlib import Path

from fashion_mnist.sources.fashion_mnist import CLASS_NAMES, TRANSLATED_NAMES
from pipeline.tools.demo import PROJECT

FACTS = PROJECT / "src/fashion_mnist/sources/fashion_mnist.py"
CODE = sorted(
    path
    for folder in ("src", "pipeline")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in {".py", ".toml", ".jinja"} and path != FACTS
)
NUMBERS = ("28", "784", "60000", "10000")
NAMES = (*CLASS_NAMES, *TRANSLATED_NAMES["ru"])


def found_in(path: Path) -> list[str]:
    """List the facts about Fashion-MNIST that a file holds; of numbers, those that are no part of another one."""
    text = re.sub(r"(?<=\d)[_,](?=\d{3}\b)|epochs: \d+", "", path.read_text())
    numbers = [number for number in NUMBERS if re.search(rf"(?<![\w.]){number}(?![\w.]|[.,]\d)", text)]
    return numbers + [name for name in NAMES if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]


def test_code_and_wiring_hold_no_fact_about_fashion_mnist() -> None:
    paths = [*CODE, *(PROJECT / name for name in ("params.yaml", "dvc.yaml", "study/dvc.yaml"))]
    assert len(paths) > 100
    assert {path.relative_to(PROJECT).as_posix(): facts for path in paths if (facts := found_in(path))} == {}


def test_the_one_module_holds_them_all() -> None:
    assert set(found_in(FACTS)) == {"28", "60000", "10000", *NAMES}
