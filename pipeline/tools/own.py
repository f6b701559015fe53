"""Take Fashion-MNIST out of a clone, so that it can be about other images: docs/make-it-yours.md.

It deletes the committed results and the tests of their numbers, writes the name of your images into README.md and
params.yaml, and empties there what was measured on Fashion-MNIST. It lists all of that and asks first; --yes answers.
Git keeps what was committed, DVC's cache the data and models.
"""

import shutil
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from fashion_mnist.errors import ArtifactError, GitError
from fashion_mnist.params.parsing import parse_params
from pipeline.bytes.formats import write_json
from pipeline.runtime import git
from pipeline.runtime.command import parser_of, run, say
from pipeline.runtime.files import write_bytes
from pipeline.runtime.paths import (
    DVC_LOCK,
    MODELS,
    PAGE_HTML,
    PAGE_MARKDOWN,
    PARAMS,
    RAW,
    RECIPES,
    REPORTS,
    STUDY,
    STUDY_LOCK,
)

README = Path("README.md")
GOES_ON = "## Two commands\n"  # what README says from here on holds for every data set
PUBLISHED = Path("tests/published")  # tests of the numbers that README and the gate have from Fashion-MNIST
RESULTS = (DVC_LOCK, STUDY_LOCK, Path("study/trials"), MODELS, RECIPES, REPORTS, RAW.parent, PUBLISHED)

MARGIN = 0.05  # of the gate, until one is measured: fewer test images than Fashion-MNIST's tell only a larger loss

BEGINNING = """\
# {name}

Which network classifies these images best, and does a change make one worse? A DVC pipeline trains and compares them,
MLflow tracks every run, and a statistical gate judges changes.

[The report](reports/report.md) holds the results; `reports/report.html` is for a browser.

"""
NO_RESULTS = {
    PAGE_MARKDOWN: "# {name}: no results yet\n\n`make repro` writes them here.\n",
    PAGE_HTML: "<!doctype html>\n<title>{name}</title>\n<p>No results yet: run <code>make repro</code>.</p>\n",
}


def main(argv: Sequence[str] | None = None) -> None:
    """List what is there, ask, and take it out."""
    parser = parser_of(__doc__)
    parser.add_argument("--name", default=Path.cwd().name, help="what your images are called; default: this folder")
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    options = parser.parse_args(argv)
    if not git.is_tracked():
        raise GitError(
            "git keeps no file of this folder; expected a clone, so that git can bring back what is deleted. "
            "Commit the project first"
        )
    if changed := git.changed_files():
        raise GitError(
            f"{len(changed)} files have uncommitted changes, such as {changed[0][3:]}; expected none, so that git can "
            "bring back what is deleted. Commit or stash them first"
        )
    params, readme = own_params(PARAMS.read_text(), options.name), own_readme(README.read_text(), options.name)
    found = [path for path in RESULTS if path.exists()]
    say(f"to be deleted, the results of Fashion-MNIST: {', '.join(map(str, found))}")
    say(f"to be changed for images called {options.name}: {README}, {PARAMS}")
    say("what stays: the code, your images, the runs in tracking/, DVC's cache")
    if not options.yes and not is_agreed():
        say("nothing was changed")
        return
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_bytes(params.encode(), PARAMS)
    write_bytes(readme.encode(), README)
    write_json({}, STUDY)  # there is no study
    for page, text in NO_RESULTS.items():
        write_bytes(text.format(name=options.name).encode(), page)
    say("done. Next: git add -A && git commit, then docs/make-it-yours.md, step 2")


def own_params(text: str, name: str) -> str:
    """Return params.yaml for a folder of images: with their name, without what was measured on Fashion-MNIST.

    Raises ParamsError if the name cannot be one.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 200
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    params = yaml.load(text)
    params["download"] |= {"dataset": "folder", "name": name}
    params["report"]["article"] = {}
    params["gate"] |= {"margin": MARGIN, "floors": {}}
    params["study"] |= {"replicates": {}, "sweep": {}}
    written = StringIO()
    yaml.dump(params, written)
    parse_params(YAML(typ="safe").load(written.getvalue()), source=str(PARAMS))
    return written.getvalue()


def own_readme(text: str, name: str) -> str:
    """Return README.md with another beginning. Raises ArtifactError if it is not known where that ends."""
    _, found, rest = text.partition(GOES_ON)
    if not found:
        raise ArtifactError(f"{README}: holds no line {GOES_ON.strip()!r}; expected it below what is to be replaced")
    return BEGINNING.format(name=name) + found + rest


def is_agreed() -> bool:
    """Ask in a terminal. Raises GitError if nobody can answer."""
    if not sys.stdin.isatty():
        raise GitError("nobody to ask: stdin is no terminal; add --yes, or make own YES=1, to do it without asking")
    return input("go on? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    run(main)
