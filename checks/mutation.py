"""Change one place of the code at a time and see whether a test fails: python -m checks.mutation.

First the quick tests run with coverage. Then comes a random sample of the places in src/ and pipeline/ that they run.
Each is changed in one way, and the tests that run its statement are run, at most ten files of them, the likeliest
first. The change, a mutant, died if one of them fails. If they take longer than all quick tests took, it hangs, which
counts as dead.

All of it happens in a clone of the last commit, so a run that is killed leaves this checkout as it was.
"""

import argparse
import ast
import contextlib
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test, mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome
from coverage import Coverage

from tests.processes import PROJECT, folder_of_python

ROOTS = ("src", "pipeline")
EXPECTED = 0.85
UNIT, STAGES = "tests/unit", "tests/stages"
ASKED = 10  # files of tests at most; what these do not notice counts as a survivor
# Stale byte code would hide a mutant of the same size that was written in the same second.
PYTEST = "import sys, pytest; sys.dont_write_bytecode = True; sys.exit(pytest.main())"
QUICK = ("-p", "no:cacheprovider", "-q", "-m", "not slow")
# A fork of the tests' warm process has imported plugins of pytest before it starts pytest.
FORKED = ("-W", "ignore:Module already imported so cannot be rewritten")
CACHE = re.compile(r"(lru_)?cache\b")  # which only saves time; cached_property does more
Tests = tuple[tuple[str, ...], ...]  # for each call of pytest, its files


def main(argv: Sequence[str] | None = None) -> int:
    """Print the coverage, each mutant's end, and the share that died; returns 1 if too many survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--summary", type=Path, help="the Markdown file to append the figures to")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the clone is removed
    python = folder_of_python() / "python"
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch, contextlib.chdir(scratch):
        subprocess.run(["git", "clone", "--quiet", PROJECT, "."], check=True)
        os.environ["PYTHONPATH"] = os.pathsep.join([scratch, f"{scratch}/src"])
        coverage, seconds = measure_coverage(python)
        seen = [mutant for mutant in mutants(ROOTS) if judges_of(mutant)]
        chosen = list(islice(sample(seen, options.seed), options.number))
        survivors = [line for mutant in chosen if (line := judge(mutant, python, limit=seconds))]
    died = 1 - len(survivors) / len(chosen)
    figures = f"Quick tests run {coverage:.0f} % of the statements. Of {len(chosen)} mutants, {died:.0%} died; "
    figures += f"expected at least {EXPECTED:.0%}."
    report = "\n".join([figures, *(f"- survived: {line}" for line in survivors)])
    print(report)
    if options.summary:
        with options.summary.open("a") as summary:
            summary.write(f"## Mutants\n\n{report}\n")
    return int(died < EXPECTED)


def measure_coverage(python: Path) -> tuple[float, float]:
    """Run the quick tests; returns the percentage of statements that they run, and how many seconds they took."""
    started = time.monotonic()
    files = [UNIT, STAGES, *map(str, sorted(Path("tests").glob("test_*.py")))]
    recording = [*(f"--cov={root}" for root in ROOTS), "--cov-context=test", "--cov-report="]
    if subprocess.run([python, "-c", PYTEST, *FORKED, *QUICK, *recording, *files], check=False).returncode:
        sys.exit("error: a test fails on the unchanged code; expected none. Correct it and run again")
    with Path(os.devnull).open("w") as nothing:
        return recorded().report(file=nothing), time.monotonic() - started


@cache
def recorded() -> Coverage:
    """Return the coverage that was measured in the current folder."""
    coverage = Coverage()
    coverage.load()
    return coverage


@cache
def lines_of(module: Path) -> tuple[list[int], list[int], dict[int, list[str]]]:
    """Return the first lines of a module's statements, those that never ran, and for each line the tests that ran it.

    A test is named as in tests/unit/test_params.py::test_defaults|run; an import has no name.
    """
    _, statements, _, missing, _ = recorded().analysis2(str(module))
    return statements, missing, recorded().get_data().contexts_by_lineno(str(module.resolve()))


def judges_of(mutant: MutationSpec) -> Tests:
    """Name the files of the tests that run a mutant's statement, the likeliest first; none if it never ran."""
    statements, missing, tests = lines_of(mutant.module_path)
    line = mutant.start_pos[0]
    start = max((first for first in statements if first <= line), default=0)
    if not start or start in missing:
        return ()
    end = min((first for first in statements if first > line), default=line + 1)
    found = {test for number in range(start, end) for test in tests.get(number, ()) if test}
    # What runs at import, such as a constant, matters to each test that runs anything of the module.
    found = found or {test for ran in tests.values() for test in ran if test}
    ran = Counter(test.partition("::")[0] for test in found)
    *_, folder, name = mutant.module_path.with_suffix("").parts
    likeliest = sorted(ran, key=lambda file: (name not in Path(file).name, folder not in file, -ran[file], file))[
        :ASKED
    ]
    unit = [file for file in likeliest if file.startswith(UNIT)]
    return tuple(tuple(part) for part in (unit, [file for file in likeliest if file not in unit]) if part)


def mutants(roots: Iterable[str]) -> list[MutationSpec]:
    """List every change that Cosmic Ray knows for the modules below some folders."""
    session = WorkDB(":memory:", WorkDB.Mode.create)
    init(sorted(module for root in roots for module in Path(root).rglob("*.py")), session, {})
    return [mutant for item in session.work_items for mutant in item.mutations]


def sample(of: Iterable[MutationSpec], seed: int) -> Iterator[MutationSpec]:
    """Draw places without end, and for each one of its changes that matter: an operator has eleven, a number two."""
    places = defaultdict(list)
    for mutant in sorted(of, key=lambda one: (one.operator_name, one.occurrence)):
        places[mutant.module_path.as_posix(), mutant.start_pos, mutant.end_pos].append(mutant)
    # Each place has a lot of its own, so most of a sample stays when code or tests change.
    lots = {place: random.Random(f"{seed} {place}") for place in places}  # noqa: S311 - no secret
    for place in sorted(places, key=lambda place: lots[place].random()):
        yield from islice(filter(matters, lots[place].sample(places[place], len(places[place]))), 1)


def matters(mutant: MutationSpec) -> bool:
    """Say whether a change is Python, and of more than a type, a signature's `*`, a cache or a `__main__` guard."""
    source = mutant.module_path.read_text()
    changed = mutate_code(source, get_operator(mutant.operator_name)(), mutant.occurrence)
    try:
        return ast.dump(Plain().visit(ast.parse(changed))) != ast.dump(Plain().visit(ast.parse(source)))
    except SyntaxError:
        return False


class Plain(ast.NodeTransformer):
    """Takes out of a module what no test can see."""

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        named = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.posonlyargs, node.args, node.kwonlyargs = [], [ast.arg(arg.arg) for arg in named], []
        node.defaults = [*node.defaults, *(default for default in node.kw_defaults if default)]
        node.kw_defaults = []
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [one for one in node.decorator_list if not CACHE.match(ast.unparse(one))]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        # The rest stays: pydantic reads the bounds of parameters from annotations.
        forget_operators(node.annotation)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if re.match("[A-Z]+[a-z]", ast.unparse(node.targets[0])):  # another name of a type
            forget_operators(node.value)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
        return None if names & {"__name__", "TYPE_CHECKING"} else self.generic_visit(node)


def forget_operators(of: ast.expr) -> None:
    """Make the operators in a type the same, whatever they are."""
    for part in ast.walk(of):
        if isinstance(part, ast.BinOp):
            part.op = ast.BitOr()


def judge(mutant: MutationSpec, python: Path, *, limit: float) -> str:
    """Run a mutant's tests for at most some seconds; returns its place and change if it survived."""
    calls = [[str(python), "-c", PYTEST, *FORKED, *QUICK, "--exitfirst", *files] for files in judges_of(mutant)]
    started = time.monotonic()
    result = mutate_and_test([mutant], shlex.join(["sh", "-c", " && ".join(map(shlex.join, calls))]), limit)
    if result.worker_outcome is not WorkerOutcome.NORMAL:
        raise RuntimeError(result.output)
    changed = [
        line for line in str(result.diff).splitlines() if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")
    ]
    said = f"{mutant.module_path}:{mutant.start_pos[0]}: " + " → ".join(line[1:].strip() for line in changed)
    survived = result.test_outcome is TestOutcome.SURVIVED
    end = "survived" if survived else "hung" if result.output == "timeout" else "died"
    print(f"{end:8} {time.monotonic() - started:4.0f} s  {said}", flush=True)
    return said if survived else ""


if __name__ == "__main__":
    sys.exit(main())
