"""What the mutation check changes, and which tests it asks; its whole run is `make mutation`."""

import subprocess
from pathlib import Path

import pytest
from cosmic_ray.work_item import MutationSpec
from coverage import CoverageData

from checks.mutation import judge, judges_of, lines_of, matters, mutants, recorded, sample
from checks.workflow import jobs
from pipeline.tools.demo import PROJECT

MODULE = '''"""Doubles."""

@cache
def double(number: int | None = 1, *, digits: int = 2) -> int | None:
    """Return 2 * number, or None."""
    found: int | None = number
    return None if found is None else round(2 * found, digits)

if __name__ == "__main__":
    print(double(3 + 4))
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of few statements, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/double.py").write_text(MODULE)
    return Path("code/double.py")


def places(found: list[MutationSpec]) -> list[str]:
    """Name what each mutant changes."""
    lines = MODULE.splitlines()
    return [lines[one.start_pos[0] - 1][one.start_pos[1] : one.end_pos[1]] for one in found]


def test_annotations_signatures_caches_and_the_main_guard_are_not_mutated(module: Path) -> None:
    drawn = list(sample(mutants([str(module.parent)]), seed=1))
    assert sorted(places(drawn)) == ["*", "1", "2", "2", "found is None", "is"]
    annotation = [one for one in mutants([str(module.parent)]) if places([one]) == ["|"]]
    assert annotation
    assert not any(map(matters, annotation))


def test_bound_in_the_annotation_of_a_parameter_is_mutated(module: Path) -> None:
    module.write_text("Shares = list[int | None]\nclass Params:\n    epochs: dict[str, Annotated[int, Ge(1)] | None]\n")
    drawn = list(sample(mutants([str(module.parent)]), seed=1))
    assert [one.operator_name for one in drawn] == ["core/NumberReplacer"]


@pytest.mark.usefixtures("module")
def test_same_seed_draws_the_same_mutants() -> None:
    first, again, other = (list(sample(mutants(["code"]), seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.usefixtures("module")
def test_sample_keeps_its_order_when_more_is_tested() -> None:
    every = mutants(["code"])
    drawn = list(sample(every, seed=1))
    assert list(sample([one for one in every if one.start_pos != drawn[2].start_pos], seed=1)) == drawn[:2] + drawn[3:]


UNIT, MANY, STAGE = "tests/unit/test_double.py", "tests/unit/test_all.py", "tests/stages/test_stage.py"


@pytest.mark.parametrize(
    ("ran", "change", "asked"),
    [
        ({f"{UNIT}::test_none|run": [7], f"{STAGE}::test_it|run": [7]}, "found is None", ((UNIT,), (STAGE,))),
        ({f"{UNIT}::test_none|run": [6], f"{STAGE}::test_it|run": [7]}, "found is None", ((STAGE,),)),
        ({f"{STAGE}::test_it|setup": [7]}, "found is None", ((STAGE,),)),
        ({f"{UNIT}::test_none|run": [6]}, "found is None", ()),
        (
            {f"{MANY}::test_a|run": [7], f"{MANY}::test_b|run": [7], f"{UNIT}::test_none|run": [7]},
            "found is None",
            ((UNIT, MANY),),
        ),
        ({"": [4], f"{UNIT}::test_none|run": [6]}, "1", ((UNIT,),)),
        ({"": [4]}, "1", ()),
    ],
    ids=["by both", "by one", "by a fixture", "by none", "its own first", "at import", "at import only"],
)
def test_mutant_is_judged_by_the_tests_that_ran_its_statement(
    module: Path, ran: dict[str, list[int]], change: str, asked: tuple[tuple[str, ...], ...]
) -> None:
    data = CoverageData()
    for test, lines in ran.items():
        data.set_context(test)
        data.add_lines({str(module.resolve()): lines})
    data.write()
    recorded.cache_clear()
    lines_of.cache_clear()
    assert {judges_of(one) for one in mutants(["code"]) if places([one]) == [change]} == {asked}


def test_mutant_survives_if_its_tests_pass_and_the_module_is_restored(
    module: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    monkeypatch.setattr("checks.mutation.judges_of", lambda _: (("tests/unit/test_double.py",),))
    (mutant,) = [one for one in sample(mutants(["code"]), seed=1) if places([one]) == ["found is None"]]
    ends = {}
    for command in ("exit 0", "exit 1", "exec sleep 60"):
        python.write_text(f"#!/bin/sh\ngrep -q 'if not found' {module} || exit 3\n{command}\n")
        python.chmod(0o755)
        ends[command] = judge(mutant, python, limit=1)
    changed = "return None if found is None else round(2 * found, digits) → "
    changed += "return None if not found is None else round(2 * found, digits)"
    assert ends == {"exit 0": f"code/double.py:7: {changed}", "exit 1": "", "exec sleep 60": ""}
    assert module.read_text() == MODULE


def test_weekly_job_writes_the_figures_into_its_summary() -> None:
    workflow = PROJECT / ".github/workflows/mutation.yml"
    assert "schedule" in workflow.read_text()
    (command,) = [step["run"] for step in jobs(workflow)["mutation"]["steps"] if "run" in step]
    shown = subprocess.run(
        ["make", "--dry-run", "--assume-old", ".venv/dev", *command.split()[1:]],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "-m checks.mutation" in shown
    assert "--summary" in shown
