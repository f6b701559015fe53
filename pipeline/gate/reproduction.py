"""Compare the results here with the last commit: are they the same bytes? dvc.lock, git -> exit code.

The same inputs must give the same bytes on every x86-64 CPU with AVX2. On other machines the gate compares instead.
Exit codes with --strict: 0 if the results came out again; 1 if not, or if any other file differs from the commit; the
gate's where that compares. Without --strict always 0.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fashion_mnist.errors import ArtifactError, GitError
from pipeline.bytes.formats import parse_yaml
from pipeline.bytes.numerics import has_avx2
from pipeline.gate import __main__ as gate
from pipeline.runtime import git
from pipeline.runtime.command import run, say
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import read_outputs
from pipeline.runtime.machine import cpu_model
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK

Stages = Mapping[str, Any]


class Finding(NamedTuple):
    """Whether the committed results came out again, in words; and whether the gate should compare them."""

    reproduced: bool
    message: str
    ask_gate: bool = False


def main(argv: Sequence[str] | None = None) -> None:
    """Compare with the last commit, say what was found, and exit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="fail unless the results came out again")
    options = parser.parse_args(argv)
    try:
        finding = compare_with_commit()
    except GitError as error:
        finding = Finding(reproduced=False, message=f"nothing to compare with: {error}")
    say(finding.message)
    code = 0 if finding.reproduced else 1
    if finding.ask_gate:
        try:
            gate.main(["--baseline", "HEAD"])
        except SystemExit as ended:
            code = int(ended.code or 0)
    sys.exit(code if options.strict else 0)


def compare_with_commit() -> Finding:
    """Compare dvc.lock and all other files with the last commit. Raises GitError where there is none."""
    read_outputs()  # says how to have dvc.lock back if it is damaged, also during a merge
    here = stages_of(read_bytes(DVC_LOCK), name=str(DVC_LOCK))
    committed = stages_of(git.read_file("HEAD", str(DVC_LOCK)), name=f"HEAD:{DVC_LOCK}")
    changed = git.changed_files()
    if edited := stage_with_other_inputs(committed, here):
        return Finding(False, f"not comparable: {edited} has other code, parameters or data than at the last commit")
    differing = [stage for stage in committed if committed[stage].get("outs") != here[stage].get("outs")]
    if not differing and not changed:
        return Finding(True, "reproduced: the committed results, bit for bit")
    if not differing:
        return Finding(False, f"the same results, but git sees {len(changed)} changed files: {changed[0].strip()} …")
    reason = why_not_promised()
    if reason is None:
        return Finding(
            False,
            f"NOT reproduced: {differing[0]} gave other bits than the committed ones, though this machine "
            f"({cpu_model()}) should give the same. Please report it",
        )
    return Finding(
        False,
        f"other bits from {differing[0]} on, as expected: {reason}. The gate compares with the commit:",
        ask_gate=True,
    )


def stages_of(content: bytes, *, name: str) -> Stages:
    """Return the stages that a dvc.lock records, in their order. Raises ArtifactError where it records none."""
    document = parse_yaml(content, name=name)
    stages = document.get("stages") if isinstance(document, Mapping) else None
    if not isinstance(stages, Mapping):
        raise ArtifactError(f"{name}: lists no stages; expected what `dvc repro` writes. Run it")
    return stages


def stage_with_other_inputs(committed: Stages, here: Stages) -> str | None:
    """Return the first stage that did not run on the committed code, parameters and published data; None if all did.

    What other stages wrote does not count: it may differ only as a consequence.
    """
    written = {out["path"] for stages in (committed, here) for record in stages.values() for out in record["outs"]}
    for stage in [*committed, *(stage for stage in here if stage not in committed)]:
        both = stage in here and stage in committed
        if not both or inputs(committed[stage], written) != inputs(here[stage], written):
            return stage
    return None


def inputs(record: Mapping[str, Any], written: set[str]) -> tuple[Any, ...]:
    """Return what a stage ran on, besides what other stages wrote."""
    deps = {dep["path"]: dep.get("md5") for dep in record.get("deps", [])}
    own = {path: md5 for path, md5 in deps.items() if not covers(path, written)}
    return record["cmd"], record.get("params"), own


def covers(path: str, written: set[str]) -> bool:
    """Tell whether a dependency is an output, or a folder that holds one."""
    return any(out == path or out.startswith(f"{path}/") for out in written)


def why_not_promised() -> str | None:
    """Return why this machine or these parameters may give other bits; None where they must give the committed ones."""
    if not has_avx2():
        return f"the same bits are promised on x86-64 with AVX2, and this is {cpu_model()}"
    try:
        check_packages()
    except ArtifactError as error:
        return str(error)
    params = read_params()
    chosen = {f"train.{model}": params.train[model].instructions for model in params.train}
    native = [key for key, value in (chosen | {"evaluate": params.evaluate.instructions}).items() if value != "avx2"]
    return f"{native[0]}.instructions is native, and the same bits are promised for avx2" if native else None


if __name__ == "__main__":
    run(main)
