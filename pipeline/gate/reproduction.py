"""Compare the results here with the last commit: are they the same bytes? dvc.lock, git -> exit code.

The same inputs must give the same bytes on every x86-64 CPU with AVX2, but for networks with layers of BY_MAKER. Where
other bytes are expected, the gate compares instead.
Exit codes with --strict: 0 if the results are reproduced; 1 if not, or if any other file differs from the commit; the
gate's if that compares. Without --strict always 0.
"""

import re
import sys
import zipfile
from collections.abc import Sequence
from typing import Any

from fashion_mnist.errors import ArtifactError, GitError
from pipeline.bytes.numerics import has_avx2
from pipeline.runtime import git
from pipeline.runtime.command import parser_of, run, say
from pipeline.runtime.files import read_bytes
from pipeline.runtime.lock import NOTHING, Lock, parse_lock, read_lock
from pipeline.runtime.machine import cpu_model
from pipeline.runtime.packages import check_packages
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import DVC_LOCK, archive_of

# Keras' layers and activations for which TensorFlow uses approximations of the CPU, which Intel and AMD compute
# differently: docs/decisions/0020.
BY_MAKER = (
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
    "gelu",
)


def main(argv: Sequence[str] | None = None) -> None:
    """Compare with the last commit, say what was found, and exit."""
    parser = parser_of(__doc__)
    parser.add_argument("--strict", action="store_true", help="fail unless the results are reproduced")
    options = parser.parse_args(argv)
    try:
        code = compare_with_commit()
    except GitError as error:
        say(f"nothing to compare with: {error}")
        code = 1
    sys.exit(code if options.strict else 0)


def compare_with_commit() -> int:
    """Compare dvc.lock and all other files with the last commit, say what was found, and return the exit code.

    Raises GitError if there is no commit.
    """
    here, content = read_lock(), git.read_file("HEAD", str(DVC_LOCK))
    committed = here if content == read_bytes(DVC_LOCK) else parse_lock(content, name=f"HEAD:{DVC_LOCK}")
    changed, edited = git.changed_files(), stage_with_other_inputs(committed, here)
    differing = [stage for stage in committed if committed[stage].outs != here.get(stage, NOTHING).outs]
    reason = why_not_promised(differing) if differing and not edited else None
    if edited:
        said = f"not comparable: {edited} has other code, parameters or data than at the last commit"
    elif reason:
        said = f"other bits from {differing[0]} on, as expected: {reason}. The gate compares with the commit:"
    elif differing:
        machine = f"this machine ({cpu_model()}) should give the same. Please report it"
        said = f"NOT reproduced: {differing[0]} gave other bits than the committed ones, though {machine}"
    elif changed:
        said = f"the same results, but git sees {len(changed)} changed files: {changed[0].strip()} …"
    else:
        said = "reproduced: the committed results, bit for bit"
    say(said)
    return ask_gate() if reason else 1 if edited or differing or changed else 0


def ask_gate() -> int:
    """Judge the results against the last commit, say the judgement, and return its exit code."""
    # Imported here, since SciPy would take most of this command's time and is rarely needed.
    from fashion_mnist.gate.text import judgement_text
    from pipeline.gate.change import EXIT_CODES, judge_change

    judgement = judge_change("HEAD")
    say(judgement_text(judgement))
    return EXIT_CODES[judgement["verdict"]]


def stage_with_other_inputs(committed: Lock, here: Lock) -> str | None:
    """Return the first stage that did not run on the committed code, parameters and published data; None if all did.

    What other stages wrote does not count: it may differ only as a consequence.
    """
    written = {path for lock in (committed, here) for record in lock.values() for path in record.outs}

    def inputs(lock: Lock, stage: str) -> tuple[Any, ...]:
        record = lock.get(stage, NOTHING)
        own = [path for path in record.deps if not any(output.is_relative_to(path) for output in written)]
        return record.command, record.params, {path: record.deps[path] for path in own}

    return next((stage for stage in {**committed, **here} if inputs(committed, stage) != inputs(here, stage)), None)


def why_not_promised(differing: Sequence[str]) -> str | None:
    """Return why this machine or these parameters may give other bits; None if they must give the committed ones.

    differing: the stages that gave other bits.
    """
    if not has_avx2():
        return f"the same bits are promised on x86-64 with AVX2, and this is {cpu_model()}"
    try:
        check_packages()
    except ArtifactError as error:
        return str(error)
    params = read_params()
    chosen = {f"train.{model}": section.instructions for model, section in params.train.items()}
    native = [key for key, value in (chosen | {"evaluate": params.evaluate.instructions}).items() if value != "avx2"]
    if native:
        return f"{native[0]}.instructions is native, and the same bits are promised for avx2"
    trained = [stage.removeprefix("train@") for stage in differing if stage.startswith("train@")]
    layers = [layer_by_maker(model) for model in trained]
    if trained and all(layers) and not {"download", "normalize"} & set(differing):
        return f"{trained[0]} has {layers[0]}, whose bits the maker of the CPU decides, and this is {cpu_model()}"
    return None


def layer_by_maker(model: str) -> str | None:
    """Return which of BY_MAKER a trained network holds; None if it holds none, or is no archive."""
    try:
        with zipfile.ZipFile(archive_of(model)) as archive:
            found = re.search(f'"({"|".join(BY_MAKER)})"', archive.read("config.json").decode())
    except (OSError, zipfile.BadZipFile):
        return None
    return found[1] if found else None


if __name__ == "__main__":
    run(main)
