"""The rules of the layout: who imports whom, and that dvc.yaml and the locks say the same as the code."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

PROJECT = Path(__file__).parent.parent
LIBRARY = PROJECT / "src" / "fashion_mnist"
STAGES = ("download", "normalize", "train", "evaluate", "report", "track")
# Stages that params.yaml has a section for; `track` takes what all others read.
SECTIONS = STAGES[:-1]

# A module imports only from layers to its left.
LAYERS = (
    {"errors"},
    {"params", "idx", "dataset", "synthetic", "metrics", "language"},
    {"models", "comparison", "robustness", "claims"},
    {"training", "figures", "reporting", "gating"},
    {"projection", "page"},
)
HEAVY = {"tensorflow", "keras"}


def imports(path: Path) -> set[str]:
    """List the dotted names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_package(package: str, path: Path) -> set[str]:
    """List the modules of a package that a file imports, without the package's name."""
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{package}.")}


def local_file(module: str) -> Path | None:
    """Find the file of a local module; None for a name from elsewhere."""
    for root in (PROJECT / "src", PROJECT):
        path = root / Path(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file() and module.split(".")[0] in {"fashion_mnist", "pipeline"}:
                return candidate
    return None


def transitive_imports(path: Path) -> tuple[set[Path], set[str]]:
    """List the local files that running a file loads, itself among them, and the foreign packages they import."""
    files: set[Path] = set()
    foreign: set[str] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        waiting.append(file.parent / "__init__.py")
        for module in imports(file):
            local = local_file(module)
            if local:
                waiting.append(local)
            elif module.split(".")[0] not in {"fashion_mnist", "pipeline"}:
                foreign.add(module.split(".")[0])
    return files, foreign


def dvc_stages(file: str = "dvc.yaml") -> dict[str, Any]:
    stages: dict[str, Any] = YAML(typ="safe").load(PROJECT / file)["stages"]
    return stages


def test_every_library_module_has_a_layer() -> None:
    assert {path.stem for path in LIBRARY.glob("*.py")} - {"__init__"} == set().union(*LAYERS)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.py")), ids=lambda path: path.stem)
def test_library_imports_point_one_way(path: Path) -> None:
    lower: set[str] = set()
    for layer in LAYERS:
        if path.stem in layer:
            break
        lower |= layer
    assert of_package("fashion_mnist", path) <= lower
    assert "pipeline" not in {name.split(".")[0] for name in imports(path)}


def test_library_knows_no_argv_clock_network_or_mlflow() -> None:
    effects = {
        "sys",
        "os",
        "time",
        "datetime",
        "socket",
        "requests",
        "urllib",
        "subprocess",
        "argparse",
        "mlflow",
        "tqdm",
    }
    for path in LIBRARY.glob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & effects, path.name


def test_stages_never_import_each_other() -> None:
    for stage in STAGES:
        names = {
            name.split(".")[1] for name in imports(PROJECT / f"pipeline/{stage}.py") if name.startswith("pipeline.")
        }
        shared = {"train": {"live"}, "track": {"registry", "tracking"}}.get(stage, set())
        assert names <= {"command", "costs", "files"} | shared, stage


def test_shared_pipeline_modules_import_no_stage() -> None:
    for shared in ("command", "costs", "files", "live", "registry", "tracking", "watch"):
        names = {
            name.split(".")[1] for name in imports(PROJECT / f"pipeline/{shared}.py") if name.startswith("pipeline.")
        }
        assert not names & {*STAGES, "demo"}


@pytest.mark.parametrize("stage", ["download", "normalize", "report", "track", "gate"])
def test_stage_without_a_network_does_not_import_tensorflow(stage: str) -> None:
    _, foreign = transitive_imports(PROJECT / f"pipeline/{stage}.py")
    assert not foreign & HEAVY


def test_gate_imports_nothing_slow() -> None:
    loaded = "import sys, pipeline.tools.gate; print(*{name.split('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", loaded], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert not set(found.stdout.split()) & {*HEAVY, "mlflow", "pandas", "sklearn", "matplotlib", "dvc"}


def test_only_evaluate_opens_the_test_split() -> None:
    stages = dvc_stages()
    covering = {"data", "data/normalized", "data/normalized/test"}
    assert {name for name, stage in stages.items() if covering & set(stage["deps"])} == {"evaluate"}
    for stage in ("train", "report"):
        assert '"test"' not in (PROJECT / f"pipeline/{stage}.py").read_text()


@pytest.mark.parametrize(
    ("file", "stage"), [*(("dvc.yaml", stage) for stage in STAGES), ("seeds/dvc.yaml", "replicate")]
)
def test_code_dependencies_in_dvc_yaml_are_all_local_imports(file: str, stage: str) -> None:
    declared = {dep for dep in dvc_stages(file)[stage]["deps"] if dep.endswith(".py")}
    files, _ = transitive_imports(PROJECT / f"pipeline/{stage}.py")
    if stage == "track":  # which stores the served code, without importing it
        files |= transitive_imports(PROJECT / "pipeline/store/serving.py")[0]
    assert declared == {path.relative_to(PROJECT).as_posix() for path in files}


def test_template_is_a_dependency_of_the_stage_that_renders_it() -> None:
    deps = dvc_stages()["report"]["deps"]
    templates = {f"src/fashion_mnist/report/templates/report.{kind}.jinja" for kind in ("html", "md")}
    assert templates == {dep for dep in deps if dep.endswith(".jinja")}
    assert "src/fashion_mnist/report/languages" in deps


def test_stages_share_one_word_with_module_and_params_section() -> None:
    assert tuple(dvc_stages()) == STAGES
    assert all((PROJECT / f"pipeline/{stage}.py").is_file() for stage in STAGES)
    assert list(YAML(typ="safe").load(PROJECT / "params.yaml")) == ["models", *SECTIONS, "gate"]


def test_track_depends_on_all_parameters_and_on_all_that_report_writes() -> None:
    stages = dvc_stages()
    track, report = stages["track"], stages["report"]
    assert track["params"] == list(YAML(typ="safe").load(PROJECT / "params.yaml"))
    written = {path for kind in ("outs", "metrics", "plots") for entry in report.get(kind, []) for path in entry}
    assert written <= set(track["deps"])


def test_only_tracking_and_the_served_code_import_mlflow() -> None:
    importers = {
        path.stem
        for path in [*LIBRARY.glob("*.py"), *(PROJECT / "pipeline").glob("*.py")]
        if "mlflow" in {name.split(".")[0] for name in imports(path)}
    }
    assert importers == {"tracking", "serving"}


def test_served_code_imports_nothing_of_the_pipeline() -> None:
    assert "pipeline" not in {name.split(".")[0] for name in imports(PROJECT / "pipeline/store/serving.py")}


def test_matrix_names_no_model_outside_params() -> None:
    assert dvc_stages()["train"]["matrix"] == {"model": "${models}"}


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Read a lock: by package its version, and the comment that says who wants it."""
    text = (PROJECT / "requirements" / name).read_text()
    starts = [match.start() for match in re.finditer(r"^[A-Za-z0-9]", text, re.MULTILINE)]
    packages = {}
    for start, end in pairwise([*starts, len(text)]):
        entry = text[start:end]
        package, version = re.match(r"([\w.-]+)(?:\[.*\])?==(\S+)", entry).groups()  # type: ignore[union-attr]
        assert "--hash=sha256:" in entry, f"{package} has no hash"
        packages[canonicalize_name(package)] = (version, entry)
    return packages


@pytest.mark.parametrize(("lock", "extras"), [("run.txt", []), ("dev.txt", ["dev"])])
def test_lock_fits_pyproject(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    wanted += [Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]]
    packages = locked(lock)
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        assert name in packages, f"{lock} lacks {name}: run `make lock`"
        assert packages[name][0] in requirement.specifier, f"{lock} holds {name} {packages[name][0]}: run `make lock`"
    direct = {name for name, (_, entry) in packages.items() if f"{project['name']} (pyproject.toml)" in entry}
    assert direct == {canonicalize_name(requirement.name) for requirement in wanted}, f"{lock}: run `make lock`"


def test_development_lock_holds_the_versions_of_the_running_one() -> None:
    development = locked("dev.txt")
    assert {name: entry[0] for name, entry in locked("run.txt").items()}.items() <= {
        name: entry[0] for name, entry in development.items()
    }.items()


@pytest.mark.parametrize("path", sorted((PROJECT / "requirements").iterdir()), ids=lambda path: path.name)
def test_lock_holds_no_address(path: Path) -> None:
    assert "://" not in path.read_text()
    assert "--index-url" not in path.read_text()
