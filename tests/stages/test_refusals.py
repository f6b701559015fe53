"""Every wrong input that was made by hand: one line of its own that names the file, and the page that lists them."""

import re
from pathlib import Path

import pytest

from tests.refusals import PAGE, Group, answer, cases

CASES = list(cases())


@pytest.mark.usefixtures("tensorflow_runtime")
@pytest.mark.parametrize(
    ("group", "wrong"), [pytest.param(*case, id=f"{case[0].kind}, {case[1]}".replace(" ", "_")) for case in CASES]
)
def test_wrong_input_is_answered_in_a_line_that_names_it(
    group: Group, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = answer(group, wrong)
    assert line.startswith(group.path or "images ")
    assert "\n" not in line
    assert len(line) < 400
    assert re.search(r"expected|run `|correct ", line), "says neither what was expected nor what to do"
    assert "Error" not in line, "names a class of Python"


def test_page_lists_every_one_of_them() -> None:
    listed = re.findall(r"^\| (.*?) \| ``", PAGE.read_text(), re.MULTILINE)
    assert listed == [wrong for _, wrong in CASES]
    assert len(listed) >= 60
