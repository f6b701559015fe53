"""Fail a change that makes a model worse: reports/ here against reports/ at a git revision -> exit code.

Exit codes: 0 passes; 1 regression; 2 cannot judge, with the reason in one line. What cannot be judged does not pass.
Without --baseline, the revision is where HEAD left the branch that the change is for; on that branch itself, the last
commit if results are uncommitted, else the one before. It needs only git, DVC and the committed reports: no data, no
cache, no TensorFlow. A line `Gate-Accept: test set` or `Gate-Accept: model NAME` in a commit of the change accepts
another test set, or that a model is gone.
"""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from fashion_mnist.gate.text import judgement_markdown, judgement_text
from pipeline.bytes.formats import write_json
from pipeline.gate.change import EXIT_CODES, judge_change
from pipeline.runtime.command import parser_of, run, say
from pipeline.runtime.files import write_bytes


def main(argv: Sequence[str] | None = None) -> None:
    """Print the judgement, write it to the files asked for, and exit with its code."""
    parser = parser_of(__doc__)
    parser.add_argument("--baseline", metavar="REVISION", help="a git revision whose reports/ to compare with")
    parser.add_argument("--seeds", action="store_true", help="compare means over the seeds of `make study`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the judgement to FILE, for machines")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="also write it as Markdown, for a pull request")
    options = parser.parse_args(argv)
    judgement = judge_change(options.baseline, seeds=options.seeds)
    say(judgement_text(judgement))
    if options.json:
        write_json(judgement, options.json)
    if options.summary:
        write_bytes(judgement_markdown(judgement).encode(), options.summary)
    sys.exit(EXIT_CODES[judgement["verdict"]])


if __name__ == "__main__":
    try:
        run(main, refused=EXIT_CODES["cannot judge"])
    except Exception:  # noqa: BLE001 - a defect in the gate must not count as a regression
        traceback.print_exc()
        sys.exit(EXIT_CODES["cannot judge"])
