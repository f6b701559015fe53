"""Every wrong input of tests/refusals.py is answered in one line: the file, what was found, what was expected."""

import re
from pathlib import Path

import pytest

from tests.refusals import Group, answer, cases

CASES = list(cases())


@pytest.mark.parametrize(
    ("group", "wrong"), [pytest.param(*case, id=f"{case[0].kind}, {case[1]}".replace(" ", "_")) for case in CASES]
)
def test_wrong_input_is_answered_in_a_line_that_names_it(
    group: Group, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = answer(group, wrong)
    assert line.startswith(group.path)
    assert group.reasons.get(wrong, "") in line
    assert "\n" not in line
    assert len(line) < 400
    assert re.search(r"expected|run `|correct ", line), "says neither what was expected nor what to do"
    assert "Error" not in line, "names a class of Python"
