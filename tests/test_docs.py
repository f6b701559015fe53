"""What pages name is there: links, files, modules, words of make; findings and decisions are listed."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT

PAGES = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")])
FOLDERS = "pipeline|src|tests|checks|benchmarks|requirements|docs"


def offenders(find: Callable[[Path, str], Iterator[str]], *more: Path) -> list[str]:
    """List what is wrong on all pages, each with its page; find: from a page and its text."""
    return [
        f"{path.relative_to(PROJECT)}: {wrong}" for path in (*PAGES, *more) for wrong in find(path, path.read_text())
    ]


def headings(page: Path) -> set[str]:
    """Name the headings of a page as links do."""
    titles = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_words_of_make_are_known() -> None:
    known = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))

    def unknown(_: Path, text: str) -> Iterator[str]:
        yield from set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)", text, re.MULTILINE)) - known

    assert len(known) > 10
    assert offenders(unknown) == []


def test_modules_that_are_called_are_there() -> None:
    def missing(_: Path, text: str) -> Iterator[str]:
        for module in re.findall(r"python -m ((?:pipeline|benchmarks|checks)[.\w]*)", text):
            place = PROJECT / module.replace(".", "/")
            if not place.with_suffix(".py").is_file() and not (place / "__main__.py").is_file():
                yield module

    assert offenders(missing) == []


def test_links_lead_to_files_and_headings() -> None:
    def broken(path: Path, text: str) -> Iterator[str]:
        for name, heading in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text):
            target = path.parent / name if name else path
            if not target.exists() or (heading and heading not in headings(target)):
                yield f"{name}#{heading}"

    assert offenders(broken, PROJECT / "CHANGELOG.md") == []


def test_files_that_are_named_are_there() -> None:
    def missing(_: Path, text: str) -> Iterator[str]:
        for name in re.findall(rf"`((?:{FOLDERS})/[\w/.-]+\.\w+)`", text):
            if "mlp2" not in name and not (PROJECT / name).exists():  # the example of the recipe
                yield name

    assert offenders(missing) == []


def test_make_lists_its_words() -> None:
    listed = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for word in re.findall(r"^([a-z-]+):.*##", (PROJECT / "Makefile").read_text(), re.MULTILINE):
        assert re.search(rf"^  make {word} +\w", listed, re.MULTILINE), word


@pytest.mark.parametrize("id_says", ["echo 12345; exit 1", "exit 1"])
def test_make_gives_dvc_a_name_where_the_user_has_none(tmp_path: Path, id_says: str) -> None:
    """DVC raises KeyError for a user id that is in no list of users, as in many containers."""
    (tmp_path / "id").write_text(f"#!/bin/sh\n{id_says}\n")
    (tmp_path / "id").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ask = ["make", "--eval=ask:;@echo name=$$USER", "ask"]
    told = subprocess.run(ask, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^name=\w+$", told, re.MULTILINE)


def test_every_finding_is_listed_and_says_what_a_reader_needs() -> None:
    listed = (PROJECT / "docs/findings.md").read_text()
    scripts = sorted((PROJECT / "findings").iterdir())
    wrong = []
    for script in scripts:
        head, _, body = script.read_text().partition("set -euo pipefail")
        wrong += [
            f"{script.stem} lacks {part}" for part in ("Behaviour:", "Seen", "Why it matters:") if part not in head
        ]
        wrong += [f"{script.stem} lacks {word}" for word in ("trap ", "changed:") if word not in body]
        packages = " ".join(re.findall(r"install --quiet (.*)", body)[:1]).split()
        wrong += [f"{script.stem} installs {package}" for package in packages if "==" not in package]
        wrong += [] if f"`{script.stem}`" in listed else [f"{script.stem} is not listed"]
    assert scripts
    assert wrong == []


def test_every_decision_is_listed() -> None:
    listed = (PROJECT / "docs/decisions/README.md").read_text()
    for path in (PROJECT / "docs/decisions").glob("0*.md"):
        assert f"({path.name})" in listed, path.name
