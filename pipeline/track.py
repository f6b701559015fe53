"""Bring MLflow in line with the files: models, reports, dvc.lock -> runs in the store, tracking/receipt.json.

A projection: every run is made from files alone and carries a fingerprint of what made them. A finished run is left
alone, a partial one replaced, a missing one rebuilt. MLFLOW_TRACKING_URI may name a server; otherwise the store is
the folder tracking/.
"""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.data import dataset
from fashion_mnist.data.dataset import CLASS_NAMES
from fashion_mnist.errors import ArtifactError
from fashion_mnist.params import Params
from fashion_mnist.scores.gating import flatten
from fashion_mnist.scores.metrics import confusion, score_classes
from fashion_mnist.scores.promotion import Contender, describe_state, fingerprint
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.costs import Costs, digest, read_costs
from pipeline.runtime.files import (
    HISTORY,
    MODELS,
    PARAMS,
    PREDICTIONS,
    REPORTS,
    TRACKING,
    read_bytes,
    read_csv,
    read_json,
    read_params,
    write_json,
)
from pipeline.store.registry import Candidate, promote
from pipeline.store.runs import (
    DESCRIPTION,
    FINGERPRINT,
    LIVE,
    PARENT,
    STATE,
    Archive,
    Content,
    Measure,
    Source,
    Store,
    close_run,
    delete_run,
    fill_run,
    find_runs,
    keep_finished,
    log_measures,
    log_model,
    open_store,
    set_tags,
    start_run,
)

LOCK = Path("dvc.lock")
PACKAGES = ("dvc", "keras", "mlflow", "numpy", "tensorflow")
SERVING_PACKAGES = ("keras", "mlflow", "numpy", "pydantic", "scipy", "tensorflow")
# The data that a metric was measured on, where its name says so; every other one is of the test split.
SPLIT_OF = {"train_accuracy": "train", "validation_accuracy": "validation", "train_validation_gap": None}
SPLIT_OF |= {"parameters": None, "multiply_adds": None}


class State(NamedTuple):
    """What the files say of the pipeline: dvc.lock by stage, parameters by section, data, scores, comparison."""

    fingerprint: str
    stages: Mapping[str, Any]
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, float]]
    comparison: Mapping[str, float]


def main(argv: Sequence[str] | None = None) -> None:
    """Project the present state into the store, and leave a receipt that says which runs stand for it."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    state = read_state(params)
    marks = {name: mark_model(state, name) for name in state.scores}
    with open_store() as store:
        close_live_runs(store)
        said = project(store, state, marks, params)
    write_json({STATE: state.fingerprint, "runs": marks}, TRACKING / "receipt.json")
    say(said)


def read_state(params: Params) -> State:
    """Read the files that the other stages left. Raises ArtifactError where dvc.lock is not about them."""
    try:
        recorded = YAML(typ="safe").load(read_bytes(LOCK))["stages"]
    except (YAMLError, TypeError, KeyError) as error:
        raise ArtifactError(f"{LOCK}: lists no stages; expected what `dvc repro` writes. Run it") from error
    names = ["download", "normalize", *(f"train@{model}" for model in params.models), "evaluate", "report"]
    if missing := [name for name in names if name not in recorded]:
        raise ArtifactError(f"{LOCK}: {missing[0]} is missing; expected every stage before this one. Run `dvc repro`")
    stages = {name: recorded[name] for name in names}
    for model in params.models:
        check_archive(stages[f"train@{model}"], MODELS / model / "model.keras")
    values = YAML(typ="safe").load(read_bytes(PARAMS))
    return State(
        fingerprint(stages, values),
        stages,
        values,
        read_json(REPORTS / "data.json"),
        {model: read_json(REPORTS / "metrics" / f"{model}.json") for model in params.models},
        read_json(REPORTS / "comparison.json"),
    )


def check_archive(record: Mapping[str, Any], path: Path) -> None:
    """Refuse a model that is not the one in dvc.lock: its scores would be another's."""
    expected = next(out["md5"] for out in record["outs"] if out["path"] == path.as_posix())
    found = hashlib.md5(read_bytes(path), usedforsecurity=False).hexdigest()
    if found != expected:
        raise ArtifactError(f"{path}: md5 is {found[:12]}…, {LOCK} says {expected[:12]}…; run `dvc repro`")


def mark_model(state: State, model: str) -> str:
    """Return the fingerprint of a model: of what it was trained with, and of what it earned."""
    return fingerprint(state.stages[f"train@{model}"], state.data, state.scores[model])


def project(store: Store, state: State, marks: Mapping[str, str], params: Params) -> str:
    """Make the runs of a state complete; returns a sentence that says what was done.

    marks: the fingerprint of each model.
    """
    parents = find_runs(store, **{FINGERPRINT: state.fingerprint})
    children = {
        name: keep_finished(store, find_runs(store, **{FINGERPRINT: mark, STATE: state.fingerprint}))
        for name, mark in marks.items()
    }
    parent = keep_finished(store, parents)
    if parent and all(child and child.data.tags[PARENT] == parent.info.run_id for child in children.values()):
        return f"{state.fingerprint[:8]}: its {1 + len(children)} runs stand in the store already"
    parent_id = parent.info.run_id if parent else start_run(store, name=name_state(state), tags=describe(state))
    costs, candidates = read_costs(), {}
    for name, mark in marks.items():
        child = children[name]
        if child is None:
            run_id = log_child(store, state, name, mark, parent_id, costs)
        else:
            run_id = child.info.run_id
            set_tags(store, run_id, {PARENT: parent_id})
        candidates[name] = as_candidate(store, state, name, mark, run_id)
    if parent is None:
        fill_run(store, parent_id, parent_content(state))
        log_measures(store, parent_id, cost_measures(costs, "download", "normalize", "evaluate", "report"))
    promoted = promote(store, candidates, params.gate)
    close_run(store, parent_id, "FINISHED")
    return f"{state.fingerprint[:8]}: {1 + len(children)} runs in the store; {promoted}"


def log_child(store: Store, state: State, name: str, mark: str, parent_id: str, costs: Costs) -> str:
    """Log one model's run, with the model itself; returns the run's id."""
    tags = {FINGERPRINT: mark, STATE: state.fingerprint, PARENT: parent_id, "model": name, **environment()}
    tags["threads"] = str(state.params["train"][name]["threads"])
    run_id = start_run(store, name=name, tags=tags)
    path = MODELS / name / "model.keras"
    archive = Archive(
        path,
        digest(path),
        Path(dataset.__file__).parent,
        [f"{package}=={version(package)}" for package in SERVING_PACKAGES],
        np.zeros((1, 28, 28, 1), np.uint8),
    )
    model_id = log_model(store, run_id, archive, name=name, tags={FINGERPRINT: mark})
    fill_run(store, run_id, child_content(state, name), model_id=model_id)
    log_measures(store, run_id, cost_measures(costs, f"train@{name}"))
    close_run(store, run_id, "FINISHED")
    return run_id


def cost_measures(costs: Costs, *stages: str) -> list[Measure]:
    """Name what stages cost as metrics; nothing for one that did not run here, since no output tells."""
    return [
        Measure(f"{stage.partition('@')[0]}_{key}", value)
        for stage in stages
        for key, value in costs.get(stage, {}).items()
    ]


def as_candidate(store: Store, state: State, name: str, mark: str, run_id: str) -> Candidate:
    """Gather what the registry is told of a model whose run is in the store."""
    scores = state.scores[name]
    table = read_csv(REPORTS / "predictions" / f"{name}.csv", columns=PREDICTIONS)
    earned = ("accuracy", "loss", "macro_f1", "train_accuracy", "validation_accuracy")
    logged = store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'")
    return Candidate(
        mark,
        run_id,
        logged[0].model_id,
        {"model": name, "data": state.data["dataset"], **{key: str(scores[key]) for key in earned}},
        f"{name} on {state.data['dataset']}: {100 * scores['validation_accuracy']:.2f} % on validation, "
        f"{100 * scores['accuracy']:.2f} % on test.",
        Contender(name, scores["validation_accuracy"], table["label"], table["prediction"]),
    )


def child_content(state: State, name: str) -> Content:
    """Gather the content of one model's run."""
    history = read_csv(MODELS / name / "history.csv", columns=HISTORY)
    table = read_csv(REPORTS / "predictions" / f"{name}.csv", columns=PREDICTIONS)
    measures = [
        Measure(f"epoch_{column}", float(value), int(epoch))
        for column in HISTORY
        if column != "epoch"
        for epoch, value in zip(history["epoch"], history[column], strict=True)
    ]
    measures += [
        Measure(key, float(value), source=SPLIT_OF.get(key, "test")) for key, value in state.scores[name].items()
    ]
    classes = score_classes(
        table["label"],
        table["prediction"],
        class_names=CLASS_NAMES,
        confidence=state.params["evaluate"]["confidence"],
    )
    # As recall_ankle_boot: a slash would make a group of its own on MLflow's pages, above all other metrics.
    measures += [
        Measure(f"{metric}_{re.sub(r'[^a-z]', '_', score.name.lower())}", getattr(score, metric), source="test")
        for score in classes
        for metric in ("precision", "recall")
    ]
    counts = confusion(table["label"], table["prediction"], classes=len(CLASS_NAMES))
    matrix = StringIO()
    np.savetxt(matrix, counts, fmt="%d", delimiter=",", header=",".join(CLASS_NAMES), comments="")
    return Content(
        flatten(state.params["train"][name]),
        measures,
        sources(state.data),
        [
            (MODELS / name / "history.csv", ""),
            (REPORTS / "metrics" / f"{name}.json", "metrics"),
            (REPORTS / "predictions" / f"{name}.csv", "predictions"),
        ],
        {"confusion.csv": matrix.getvalue()},
    )


def parent_content(state: State) -> Content:
    """Gather the content of the run that stands for the whole pipeline."""
    measures = [Measure(key, float(value), source="test") for key, value in state.comparison.items()]
    written = [Path(out["path"]) for out in state.stages["report"]["outs"]]
    return Content(
        flatten(state.params),
        measures,
        sources(state.data),
        [(PARAMS, ""), (REPORTS / "data.json", "reports"), *((path, "reports") for path in written)],
        {"dvc.lock": write_lock(state.stages)},
    )


def write_lock(stages: Mapping[str, Any]) -> str:
    """Write dvc.lock without this stage, whose record DVC adds once it has run."""
    text = StringIO()
    YAML(typ="safe").dump({"schema": "2.0", "stages": dict(stages)}, text)
    return text.getvalue()


def sources(data: Mapping[str, Any]) -> dict[str, Source]:
    """Describe the splits by the digests that normalize took."""
    return {
        split: Source(
            f"{data['dataset']} {split}",
            data[split]["images_sha256"][:36],
            f"data/normalized/{split}, {data[split]['images']} images",
        )
        for split in ("train", "validation", "test")
    }


def name_state(state: State) -> str:
    """Name a state's run by the DVC experiment it came from, or by its fingerprint."""
    return os.environ.get("DVC_EXP_NAME") or f"pipeline {state.fingerprint[:8]}"


def describe(state: State) -> dict[str, str]:
    """Return the tags of the run that stands for the whole pipeline."""
    return {
        FINGERPRINT: state.fingerprint,
        DESCRIPTION: describe_state(state.scores, state.comparison, dataset=state.data["dataset"]),
        "data": state.data["dataset"],
        "dvc.lock": fingerprint(state.stages),
        **environment(),
    }


def environment() -> dict[str, str]:
    """Describe where this happens: code, packages, machine. What cannot be known is said to be so."""
    lock = Path("requirements/run.txt")
    commit = git("rev-parse", "HEAD")
    tags = {
        "git.commit": commit or "none: this is no git clone",
        "git.dirty": str(bool(git("status", "--porcelain", "--untracked-files=no"))).lower() if commit else "unknown",
        "dvc.experiment": os.environ.get("DVC_EXP_NAME") or "none",
        "requirements": digest(lock) if lock.is_file() else "none: no lock here",
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpu.threads": str(os.cpu_count()),
        **{f"package.{package}": version(package) for package in PACKAGES},
    }
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def git(*arguments: str) -> str:
    """Return what git says of this folder; nothing where the folder is not the top of a clone."""
    if not Path(".git").exists():
        return ""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def cpu_model() -> str:
    """Name the processor, which decides the bits of a training."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def close_live_runs(store: Store) -> None:
    """Delete what finished trainings showed, since files say the same, and close the runs of killed ones.

    One that was killed is closed and stays; it carries no fingerprint and so stands for no state. Trainings that still
    run are left alone, as are those of other machines, of which nothing can be known here.
    """
    for live in find_runs(store, **{LIVE: "true"}):
        run_id, tags = live.info.run_id, live.data.tags
        if live.info.status == "FINISHED":
            delete_run(store, run_id)
        elif live.info.status == "RUNNING" and tags["host"] == platform.node() and not is_running(tags["process"]):
            close_run(store, run_id, "KILLED")


def is_running(process: str) -> bool:
    """Tell whether a process of this machine lives."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    run(main)
