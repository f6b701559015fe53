"""The rules of the layout: who imports whom, and that dvc.yaml and the locks say the same as the code."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from pipeline.study.key import CODE, NETWORKS
from pipeline.tools.demo import PROJECT
from tests.dvc_yaml import MODELS, dvc_stages, paths

LIBRARY = PROJECT / "src" / "fashion_mnist"
PIPELINE = PROJECT / "pipeline"
STAGES = ("download", "normalize", "train", "evaluate", "report", "track")
MODULES = sorted([*LIBRARY.rglob("*.py"), *PIPELINE.rglob("*.py")])

# A module imports only from rooms before its own, or from its own.
LIBRARY_ROOMS = (
    "errors",
    "data.fashion_mnist",
    "data.split",
    "networks",
    "data_params",
    "params",
    "parsing",
    "data",
    "study",
    "networks.*",
    "training",
    "scores",
    "report",
)
PIPELINE_ROOMS = ("runtime", "store", "trials", "stages", "tools")

# What a stage imports, but cannot change its output: errors, finding and checking parameters (DVC records their
# values), the command line, what a stage cost, the live view, atomic writes, where files are, whether inputs are
# damaged or packages are not the locked ones, and where trials run.
SCAFFOLD = frozenset(
    {
        "pipeline/runtime/command.py",
        "pipeline/runtime/costs.py",
        "pipeline/runtime/edits.py",
        "pipeline/runtime/files.py",
        "pipeline/runtime/live.py",
        "pipeline/runtime/lock.py",
        "pipeline/runtime/packages.py",
        "pipeline/runtime/parameters.py",
        "pipeline/runtime/paths.py",
        "pipeline/study/cluster.py",
        "pipeline/study/connection.py",
        "pipeline/study/key.py",
        "pipeline/study/progress.py",
        "pipeline/study/results.py",
        "pipeline/study/slurm.py",
        "pipeline/study/worker.py",
        "src/fashion_mnist/params/data.py",
        "src/fashion_mnist/errors.py",
        "src/fashion_mnist/networks/__init__.py",
        "src/fashion_mnist/params/__init__.py",
        "src/fashion_mnist/params/parsing.py",
    }
)
LONGEST_MODULE, LONGEST_FUNCTION = 250, 45


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


def packages(path: Path) -> set[str]:
    """List the packages that a file imports."""
    return {name.split(".")[0] for name in imports(path)}


def local_file(module: str) -> Path | None:
    """Find the file of a local module; None for a name from elsewhere."""
    root = {"fashion_mnist": PROJECT / "src", "pipeline": PROJECT}.get(module.split(".")[0])
    if root is None:
        return None
    path = root / Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def local_imports(path: Path) -> set[Path]:
    """List the local files that a file imports."""
    return {file for file in map(local_file, imports(path)) if file}


def all_imports(path: Path, *, except_by: frozenset[str] = frozenset()) -> set[Path]:
    """List the local files that running a file loads, itself among them; imports by some files do not count."""
    files: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in files and name_of(file) not in except_by:
            files.add(file)
            packages_above = (folder / "__init__.py" for folder in file.parents if folder.is_relative_to(PROJECT))
            waiting += [*local_imports(file), *(above for above in packages_above if above.is_file())]
    return files


def is_empty(path: Path) -> bool:
    """Tell whether a file holds no code, at most a docstring."""
    body = ast.parse(path.read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def library_room(path: Path) -> int:
    """Return the place of a library module's room in the order of rooms."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    if parts == ("networks", "__init__"):
        return LIBRARY_ROOMS.index("networks")
    if parts[0] == "networks":
        return LIBRARY_ROOMS.index("networks.*")
    dotted = ".".join(parts)
    return LIBRARY_ROOMS.index(dotted if dotted in LIBRARY_ROOMS else parts[0])


def pipeline_room(path: Path) -> int:
    """Return the place of a pipeline module's room in the order of rooms."""
    parts = path.relative_to(PIPELINE).parts
    return PIPELINE_ROOMS.index(parts[0] if len(parts) > 1 else "stages")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    if is_empty(path) or path == PIPELINE / "__init__.py":  # which every process of the pipeline begins with
        return
    for imported in local_imports(path):
        if is_empty(imported) or imported == PIPELINE / "__init__.py":
            continue
        if path.is_relative_to(LIBRARY):
            assert imported.is_relative_to(LIBRARY), name_of(imported)
            assert library_room(imported) <= library_room(path), name_of(imported)
        elif imported.is_relative_to(PIPELINE):
            assert pipeline_room(imported) <= pipeline_room(path), name_of(imported)


def test_top_of_the_pipeline_holds_the_stages_and_nothing_else() -> None:
    assert {path.stem for path in PIPELINE.glob("*.py")} == {*STAGES, "__init__"}
    assert {name.partition("@")[0] for name in dvc_stages()} == set(STAGES)
    assert list(YAML(typ="safe").load(PROJECT / "params.yaml")) == ["models", *STAGES[:-1], "gate", "study"]


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_each_other(stage: str) -> None:
    others = {PIPELINE / f"{other}.py" for other in STAGES} - {PIPELINE / f"{stage}.py"}
    assert not all_imports(PIPELINE / f"{stage}.py") & others


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=name_of)
def test_library_has_no_effects(path: Path) -> None:
    effects = {
        "argparse",
        "datetime",
        "mlflow",
        "os",
        "requests",
        "socket",
        "subprocess",
        "sys",
        "time",
        "tqdm",
        "urllib",
    }
    files = {"pathlib", "tempfile"}
    if path == LIBRARY / "training/archive.py":  # Keras saves and loads by path alone, so it is given a scratch folder
        files = set()
    assert not packages(path) & (effects | files)


def test_only_the_store_imports_mlflow() -> None:
    importers = [path for path in MODULES if "mlflow" in packages(path)]
    assert importers
    assert {path.parent for path in importers} == {PIPELINE / "store"}


def test_served_code_imports_nothing_of_the_pipeline() -> None:
    assert "pipeline" not in packages(PIPELINE / "store/serving.py")


LOADED = """
import sys
from pipeline.{module} import main
{call}
print(*{{name.split('.')[0] for name in sys.modules}})
"""


@pytest.mark.parametrize(
    ("module", "call", "unwanted"),
    [
        ("download", "", {"tensorflow", "keras", "mlflow"}),
        ("normalize", "", {"tensorflow", "keras", "mlflow"}),
        ("report", "", {"tensorflow", "keras", "mlflow"}),
        ("track", "", {"tensorflow", "keras"}),
        ("train", "", {"mlflow", "sklearn", "matplotlib"}),
        ("evaluate", "", {"mlflow", "matplotlib"}),
        (
            "gate",
            "from pipeline.runtime.parameters import read_params; read_params()",
            {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "matplotlib", "dvc"},
        ),
    ],
)
def test_module_imports_only_what_it_uses(module: str, call: str, unwanted: set[str]) -> None:
    script = LOADED.format(module=module, call=call)
    found = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    assert "numpy" in loaded
    assert not loaded & unwanted


def test_only_evaluate_depends_on_the_test_split_and_track_to_score_a_champion_of_other_data() -> None:
    covering = {"data", "data/normalized", "data/normalized/test"}
    assert {name for name, stage in dvc_stages().items() if covering & paths(stage, "deps")} == {"evaluate", "track"}


def test_scaffold_is_there() -> None:
    assert {path for path in SCAFFOLD if not (PROJECT / path).is_file()} == set()


@pytest.mark.parametrize("stage", list(dvc_stages()))
def test_code_dependencies_are_the_imports_but_for_scaffold(stage: str) -> None:
    name, _, model = stage.partition("@")
    roots = [PIPELINE / f"{name}.py"]
    roots += [LIBRARY / f"networks/{MODELS[model]}.py"] if name == "train" else []  # which finds its network by name
    roots += [PIPELINE / "store/serving.py"] if name == "track" else []  # which stores that code without importing it
    # What only scaffold imports cannot change the output either.
    files = set().union(*(all_imports(root, except_by=SCAFFOLD) for root in roots))
    imported = {name_of(path) for path in files if not is_empty(path)}
    declared = {path for path in paths(dvc_stages()[stage], "deps") if path.endswith(".py")}
    assert declared == imported


def test_study_depends_on_its_imports_and_on_what_its_trials_run() -> None:
    stage = YAML(typ="safe").load(PROJECT / "study/dvc.yaml")["stages"]["study"]
    imported = {name_of(path) for path in all_imports(PIPELINE / "tools/study.py", except_by=SCAFFOLD)}
    code = {path for path in paths(stage, "deps") if path.endswith(".py")}
    assert code == {path for path in imported if not is_empty(PROJECT / path)} | set(CODE)
    assert NETWORKS.as_posix() in paths(stage, "deps")


def test_trial_is_stored_under_all_code_that_decides_it() -> None:
    imported = {name_of(path) for path in all_imports(PIPELINE / "trials/process.py", except_by=SCAFFOLD)}
    # The plan of trials decides their parameters, which are in the key themselves.
    planned = {"src/fashion_mnist/study/plan.py"}
    assert set(CODE) == {path for path in imported if not is_empty(PROJECT / path)} - planned


def test_report_depends_on_its_templates_and_languages() -> None:
    declared = paths(dvc_stages()["report"], "deps")
    templates = {name_of(path) for path in (LIBRARY / "report/templates").glob("report.*")}
    assert len(templates) == 2
    assert templates | {"src/fashion_mnist/report/languages"} <= declared


def test_what_computes_is_a_dependency_of_all_that_computes() -> None:
    stages = dvc_stages()
    computing = {name for name, stage in stages.items() if "requirements/compute.txt" in paths(stage, "deps")}
    assert computing == {"normalize", "train@dense", "train@cnn", "evaluate"}
    assert "requirements/run.txt" in paths(stages["report"], "deps")  # whose versions it shows


def test_track_depends_on_all_parameters_and_on_all_that_report_writes() -> None:
    stages = dvc_stages()
    assert stages["track"]["params"] == list(YAML(typ="safe").load(PROJECT / "params.yaml"))
    assert paths(stages["report"], "outs", "metrics", "plots") <= paths(stages["track"], "deps")


def test_dvc_yaml_names_no_model_and_no_network() -> None:
    code = re.sub(r"#.*", "", (PROJECT / "dvc.yaml").read_text())
    assert not re.findall(r"\b(dense|cnn)\b", code)


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Read a lock: by package its version, and the comment that says who wants it."""
    text = (PROJECT / "requirements" / name).read_text()
    starts = [match.start() for match in re.finditer(r"^[A-Za-z0-9]", text, re.MULTILINE)]
    found = {}
    for start, end in pairwise([*starts, len(text)]):
        entry = text[start:end]
        package, version = re.match(r"([\w.-]+)(?:\[.*\])?==(\S+)", entry).groups()  # type: ignore[union-attr]
        assert "--hash=sha256:" in entry, f"{package} has no hash"
        found[canonicalize_name(package)] = (version, entry)
    return found


@pytest.mark.parametrize(("lock", "extras"), [("run.txt", []), ("dev.txt", ["dev"])])
def test_lock_fits_pyproject(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    wanted += [Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]]
    found = locked(lock)
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        assert name in found, f"{lock} lacks {name}: run `make lock`"
        assert found[name][0] in requirement.specifier, f"{lock} holds {name} {found[name][0]}: run `make lock`"
    direct = {name for name, (_, entry) in found.items() if f"{project['name']} (pyproject.toml)" in entry}
    assert direct == {canonicalize_name(requirement.name) for requirement in wanted}, f"{lock}: run `make lock`"


@pytest.mark.parametrize(("part", "whole"), [("compute.txt", "run.txt"), ("run.txt", "dev.txt")])
def test_locks_agree_on_versions(part: str, whole: str) -> None:
    parts, wholes = ({name: version for name, (version, _) in locked(lock).items()} for lock in (part, whole))
    assert parts.items() <= wholes.items(), f"{part} and {whole} differ: run `make lock`"


def test_remotes_are_pulled_by_the_same_dvc() -> None:
    remotes = locked("remotes.txt")
    assert remotes["dvc"][0] == locked("run.txt")["dvc"][0], "remotes.txt: run `make lock`"
    assert {"dvc-ssh", "dvc-s3", "moto"} <= set(remotes)


def test_what_computes_is_in_the_compute_lock() -> None:
    assert {"keras", "numpy", "pandas", "pillow", "scikit-learn", "scipy", "tensorflow", "h5py"} <= set(
        locked("compute.txt")
    )


@pytest.mark.parametrize("path", sorted((PROJECT / "requirements").iterdir()), ids=lambda path: path.name)
def test_lock_holds_no_address(path: Path) -> None:
    assert "://" not in path.read_text()
    assert "--index-url" not in path.read_text()
