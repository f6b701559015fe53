"""What is disturbed: stages, track, rollback, the study's driver; how each is run, and which files it writes."""

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from checks.faults.calls import Ended, run_command, run_forked
from checks.faults.workspaces import outputs_of
from pipeline.runtime.command import quiet_import
from tests.end_to_end.conftest import describe_store, environment_of, runs_of


class Case(NamedTuple):
    """A command of the pipeline.

    forked: whether it may run in a child of this process, which spares the import. base: the kept workspace that it
    starts from. prepare: changes that. store: whether what it leaves includes runs in MLflow.
    """

    name: str
    module: str
    argv: Sequence[str] = ()
    stage: str = ""
    forked: bool = True
    base: str = "base"
    prepare: Callable[[Path], None] = lambda _: None
    store: bool = False

    def outputs(self, clone: Path) -> list[str]:
        """List the files that the command writes, but for those of the run store."""
        if self.module == "study":
            return [
                "reports/study.json",
                *(f.relative_to(clone).as_posix() for f in (clone / "reports/study").rglob("*.csv")),
            ]
        return outputs_of(clone, self.stage) if self.stage else []

    def run(self, clone: Path, *, log: Path | None = None, options: list[str] | None = None) -> Ended:
        """Run the command in a workspace, under strace if options are given."""
        if self.module == "dvc":
            return run_command(
                [sys.executable, "-m", "dvc", *self.argv], clone, dvc_environment(clone), log=log, options=options
            )
        if self.forked:
            return run_forked(lambda: run_stage(self.module, self.argv), clone, log=log, options=options)
        command = [sys.executable, "-m", f"pipeline.{self.module}", *self.argv]
        return run_command(command, clone, environment_of(), log=log, options=options)


def dvc_environment(clone: Path) -> dict[str, str]:
    """Return the environment that DVC runs in."""
    return environment_of() | {"DVC_SITE_CACHE_DIR": str(clone / ".dvc/site-cache")}


def run_stage(module: str, argv: Sequence[str], **environment: str) -> None:
    """Run a stage as its command does, with variables in its environment."""
    from pipeline.runtime import command

    sys.argv = [module, *argv]
    for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_TRACKING"))]:
        del os.environ[name]
    os.environ |= environment
    command.refuse_another_checkout = lambda: None  # a fork has the project's modules; the workspace holds the same
    name = f"pipeline.{module}"
    found = importlib.import_module(name)
    command.run((found if hasattr(found, "main") else importlib.import_module(f"{name}.__main__")).main)


def preload(case: Case, clone: Path) -> None:
    """Import here what a command imports while it runs, so that its children need not: points then are about files."""
    listed = clone.parent / "modules.json"
    ended = run_forked(lambda: _list_modules(case, listed), clone)
    assert ended.code == 0, ended.said
    with quiet_import(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in json.loads(listed.read_text()):
            if name not in sys.modules:
                with suppress(ImportError, AttributeError):
                    importlib.import_module(name)


def _list_modules(case: Case, listed: Path) -> None:
    try:
        run_stage(case.module, case.argv)
    finally:
        listed.write_text(json.dumps(list(sys.modules)))


def no_store(clone: Path) -> None:
    """Take the run store away."""
    import shutil

    shutil.rmtree(clone / "tracking", ignore_errors=True)
    (clone / "tracking").mkdir()


def no_trial(clone: Path) -> None:
    """Take one trial's result away."""
    sorted((clone / "study/trials").glob("*.json"))[0].unlink()


def former_champion(clone: Path) -> None:
    """Note in the registry that the champion replaced the other version, so that it can be rolled back."""
    ended = run_forked(_note_former, clone)
    assert ended.code == 0, ended.said


def _note_former() -> None:
    from pipeline.store.connection import open_store
    from pipeline.store.registry import CHAMPION, FORMER, version_of

    with open_store("fashion-mnist") as store:
        present = version_of(store, CHAMPION)
        other = {"1": "2", "2": "1"}[str(present.version)]
        store.client.set_model_version_tag(store.name, present.version, FORMER, other)


def moved_project(clone: Path) -> None:
    """Let the store say that its artifacts lie elsewhere, as after the project was moved; it can be rolled back."""
    former_champion(clone)
    ended = run_forked(_misplace, clone)
    assert ended.code == 0, ended.said


def _misplace() -> None:
    from pipeline.store.relocation import relocate

    relocate(Path("tracking/mlflow.db"), "file:///former/tracking/artifacts")


def deleted_models(clone: Path) -> None:
    """Delete what a person may delete on MLflow's pages: the champion's logged model, and the other's version."""
    ended = run_forked(_delete_models, clone)
    assert ended.code == 0, ended.said


def _delete_models() -> None:
    from pipeline.store.connection import open_store
    from pipeline.store.registry import CHALLENGER, CHAMPION, version_of

    with open_store("fashion-mnist") as store:
        store.client.delete_logged_model(version_of(store, CHAMPION).source.removeprefix("models:/"))
        store.client.delete_model_version(store.name, version_of(store, CHALLENGER).version)


def read_runs(clone: Path, address: str = "") -> Any:
    """Describe everything in a workspace's store, or a server's, but ids and times; it holds one state."""
    return _read(clone, address, describe_store)


def read_names(clone: Path, address: str = "") -> Any:
    """List the names of all runs in a store, of any number of states."""
    return _read(clone, address, lambda client: [str(run.info.run_name) for run in runs_of(client)])


def _read(clone: Path, address: str, read: Callable[[Any], Any]) -> Any:
    """Read a store in a child, for MLflow keeps files open."""
    answer = clone.parent / "store.json"
    answer.unlink(missing_ok=True)
    ended = run_forked(lambda: _write_answer(answer, address, read), clone)
    return json.loads(answer.read_text()) if ended.code == 0 else f"unreadable: {ended.said[-300:]}"


def _write_answer(answer: Path, address: str, read: Callable[[Any], Any]) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address or f"sqlite:///{Path('tracking/mlflow.db').resolve()}")
    answer.write_text(json.dumps(read(client), sort_keys=True))


# The quick ones first.
CASES = [
    Case("download", "download", stage="download"),
    Case("normalize", "normalize", stage="normalize"),
    Case("study, tables", "study", base="studied"),
    Case("report", "report", stage="report"),
    Case("rollback", "tools.rollback", prepare=former_champion, store=True),
    Case("rollback, project moved", "tools.rollback", prepare=moved_project, store=True),
    Case("track", "track", stage="track", prepare=no_store, store=True),
    Case("track, models deleted", "track", prepare=deleted_models, store=True),
    # DVC's own writes: its child, the stage, is not traced.
    Case("dvc repro itself", "dvc", ["repro", "--force", "--single-item", "normalize"], forked=False),
    Case("train@dense", "train", ["dense"], "train@dense", forked=False),
    Case("train@cnn", "train", ["cnn"], "train@cnn", forked=False),
    Case("evaluate", "evaluate", stage="evaluate", forked=False),
    Case("study, one trial", "study", forked=False, base="studied", prepare=no_trial),
]
