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

from pipeline.tools.demo import PROJECT
from tests.dvc_yaml import MODELS, dvc_stages, paths

LIBRARY = PROJECT / "src" / "fashion_mnist"
PIPELINE = PROJECT / "pipeline"
STAGES = ("download", "normalize", "train", "evaluate", "report", "track")
MODULES = sorted([*LIBRARY.rglob("*.py"), *PIPELINE.rglob("*.py")])

# A module imports only from rooms before its own, or from its own.
LIBRARY_ROOMS = (
    "errors",
    "data",
    "params",
    "networks",
    "params.parsing",
    "sources",
    "training",
    "scores",
    "study",
    "report",
    "gate",
)
PIPELINE_ROOMS = ("runtime.paths", "runtime.files", "bytes", "runtime", "study", "gate", "store", "stages", "tools")

# What a stage imports, but cannot change its output: errors, finding and checking parameters (DVC records their
# values), the command line, checks of inputs, where files are.
SCAFFOLD = frozenset(
    {
        "pipeline/__init__.py",
        *(path.relative_to(PROJECT).as_posix() for path in (PIPELINE / "runtime").glob("*.py")),
        "src/fashion_mnist/errors.py",
        "src/fashion_mnist/networks/__init__.py",
        *(f"src/fashion_mnist/params/{name}.py" for name in ("__init__", "fields", "parsing")),  # training: defaults
    }
)


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


def room(path: Path) -> int:
    """Return the place of a module's room in the order of rooms."""
    root, rooms = (LIBRARY, LIBRARY_ROOMS) if path.is_relative_to(LIBRARY) else (PIPELINE, PIPELINE_ROOMS)
    parts = path.relative_to(root).with_suffix("").parts
    dotted = ".".join(parts)
    return rooms.index(dotted if dotted in rooms else parts[0] if len(parts) > 1 or root == LIBRARY else "stages")


def test_imports_point_one_way() -> None:
    begin = PIPELINE / "__init__.py"  # with which every process of the pipeline begins
    pairs = [(path, imported) for path in MODULES if path != begin for imported in local_imports(path) - {begin}]
    wrong = [
        f"{name_of(path)} imports {name_of(imported)}"
        for path, imported in pairs
        if not is_empty(path)
        and not is_empty(imported)
        and (
            path.is_relative_to(LIBRARY) > imported.is_relative_to(LIBRARY)
            or (path.is_relative_to(LIBRARY) == imported.is_relative_to(LIBRARY) and room(imported) > room(path))
        )
    ]
    assert len(pairs) > 100
    assert wrong == []


def test_top_of_the_pipeline_holds_the_stages_and_nothing_else() -> None:
    assert {path.stem for path in PIPELINE.glob("*.py")} == {*STAGES, "__init__"}
    assert {name.partition("@")[0] for name in dvc_stages()} == set(STAGES)
    assert list(YAML(typ="safe").load(PROJECT / "params.yaml")) == [
        "download", "normalize", "train", "recipes", "evaluate", "report", "gate", "study"
    ]  # fmt: skip


def test_stages_never_import_each_other() -> None:
    stages = {PIPELINE / f"{stage}.py" for stage in STAGES}
    loaded = {stage: all_imports(stage) & stages for stage in stages}
    assert [
        f"{name_of(stage)} imports {name_of(other)}" for stage in loaded for other in sorted(loaded[stage] - {stage})
    ] == []


def test_library_has_no_effects() -> None:
    effects = {
        "argparse", "datetime", "mlflow", "os", "pathlib", "requests", "socket", "subprocess", "sys", "tempfile",
        "time", "tqdm", "urllib",
    }  # fmt: skip
    found = {name_of(path): packages(path) & effects for path in LIBRARY.rglob("*.py")}
    assert {name: kinds for name, kinds in found.items() if kinds} == {
        # Keras saves and loads by path alone, so it is given a scratch folder.
        "src/fashion_mnist/training/archive.py": {"pathlib", "tempfile"}
    }


def test_library_knows_nothing_of_dvc() -> None:
    assert [name_of(path) for path in LIBRARY.rglob("*.py") if "dvc.lock" in path.read_text()] == []


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "call", "unwanted"),
    [
        ("download", "", {"tensorflow", "keras", "mlflow"}),
        ("normalize", "", {"tensorflow", "keras", "mlflow"}),
        ("report", "", {"tensorflow", "keras", "mlflow"}),
        ("track", "", {"tensorflow", "keras"}),
        ("study.__main__", "", {"tensorflow", "keras", "mlflow", "distributed"}),  # when nothing is to be trained
        ("train", "", {"mlflow", "sklearn", "matplotlib"}),
        ("evaluate", "", {"mlflow", "matplotlib"}),
        (
            "gate.reproduction",
            "",
            {"tensorflow", "keras", "mlflow", "pandas", "scipy", "dvc"},
        ),
        (
            "gate.__main__",
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


@pytest.mark.parametrize("stage", [*dvc_stages(), "study"])
def test_code_dependencies_are_the_folders_that_a_stage_imports_from(stage: str) -> None:
    name, _, model = stage.partition("@")
    if name == "study":
        document, root = YAML(typ="safe").load(PROJECT / "study/dvc.yaml")["stages"], PIPELINE / "study/__main__.py"
        roots = [root, PIPELINE / "study/process.py", *(LIBRARY / "networks").glob("*.py")]
    else:
        document, roots = dvc_stages(), [PIPELINE / f"{name}.py"]
    roots += [LIBRARY / f"networks/{MODELS[model]}.py"] if model else []  # which train finds by name
    roots += [PIPELINE / "bytes/numerics.py"]  # with which every process of the pipeline begins
    # What only scaffold imports cannot change the output either.
    files = set().union(*(all_imports(path, except_by=SCAFFOLD) for path in roots))
    imported = {name_of(path) for path in files if not is_empty(path)}
    declared = {path for path in paths(document[stage], "deps") if path.startswith(("pipeline", "src"))}
    assert {path for path in imported if not any(is_below(path, folder) for folder in declared)} == set()
    assert {folder for folder in declared if not any(is_below(path, folder) for path in imported)} == set()


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_what_computes_is_a_dependency_of_all_that_computes() -> None:
    stages = dvc_stages()
    computing = {name for name, stage in stages.items() if "requirements/compute.txt" in paths(stage, "deps")}
    assert computing == {"normalize", "train@dense", "train@cnn", "evaluate"}
    assert "requirements/run.txt" in paths(stages["report"], "deps")  # whose versions it shows


def test_track_depends_on_all_parameters_and_on_all_that_report_writes() -> None:
    stages = dvc_stages()
    assert stages["track"]["params"] == [{"params.yaml": None}]
    assert paths(stages["report"], "outs", "metrics", "plots") <= paths(stages["track"], "deps")


def test_dvc_yaml_names_no_model_and_no_network() -> None:
    code = re.sub(r"#.*", "", (PROJECT / "dvc.yaml").read_text())
    assert not re.findall(r"\b(dense|cnn)\b", code)


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Read a lock: by package its version, and the comment that says who wants it."""
    text = (PROJECT / "requirements" / name).read_text()
    starts = [match.start() for match in re.finditer(r"^[A-Za-z0-9]", text, re.MULTILINE)]
    found: dict[str, tuple[str, str]] = {}
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


def test_locks_hold_no_address() -> None:
    locks = sorted((PROJECT / "requirements").rglob("*.t*"))
    assert len(locks) > 4
    assert [
        f"{lock.name}: {address}" for lock in locks for address in ("://", "--index-url") if address in lock.read_text()
    ] == []
