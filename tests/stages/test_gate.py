"""The gate on planted changes: each with its exit code and the sentence that it must print."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from fashion_mnist.sources.published import FASHION_MNIST
from pipeline.bytes.formats import read_json, write_json
from pipeline.gate import __main__ as gate
from pipeline.gate.evaluations import describe_changes
from pipeline.runtime.command import run
from pipeline.runtime.lock import StageRecord
from pipeline.runtime.parameters import flatten, read_params
from pipeline.runtime.paths import DATA
from pipeline.study.tables import data_digests, describe_training
from pipeline.tools.demo import change_params
from tests.small_study import small_study, write_files
from tests.stages.gated import (
    CANNOT_JUDGE,
    CNN,
    DENSE,
    LABELS,
    PASSES,
    REGRESSION,
    Judge,
    commit,
    git,
    right_but,
    write_data,
    write_evaluation,
    write_lock,
)


@pytest.mark.usefixtures("repository")
def test_same_results_pass_and_are_the_same_bytes(judged: Judge) -> None:
    code, said = judged()
    assert code == PASSES
    assert "metrics, predictions and models: the same bytes as at the baseline" in said
    assert said.endswith("gate: passes\n")


@pytest.mark.usefixtures("repository")
def test_better_model_passes_and_is_called_better(judged: Judge) -> None:
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 60)))
    code, said = judged()
    assert code == PASSES
    assert "cnn: better: 3.00 points gained, with 95 % confidence at least 2.72" in said
    assert "other bytes than at the baseline" in said


@pytest.mark.usefixtures("repository")
def test_loss_within_the_margin_passes(judged: Judge) -> None:
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 95)))
    code, said = judged()
    assert code == PASSES
    assert "cnn: worse within the margin: 0.50 points lost" in said


@pytest.mark.usefixtures("repository")
def test_loss_of_one_and_a_half_points_fails_in_words(judged: Judge) -> None:
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 105)))
    code, said = judged()
    assert code == REGRESSION
    assert "FAILS cnn: accuracy: 1.50 points lost (91.00 % to 89.50 %)" in said
    assert "and 1.00 are tolerated" in said
    assert said.endswith("gate: regression\n")


@pytest.mark.usefixtures("repository")
def test_loss_that_cannot_be_ruled_out_fails(judged: Judge) -> None:
    exchanged = np.roll(CNN.reshape(10, 1000), 500, axis=1).ravel()  # as accurate, with other images wrong
    exchanged[:90] = LABELS[:90] + 1
    write_evaluation("cnn", exchanged)
    code, said = judged()
    assert code == REGRESSION
    assert "0.90 points lost (91.00 % to 90.10 %)" in said


@pytest.mark.usefixtures("repository")
def test_collapsed_class_fails_while_the_mean_holds(judged: Judge) -> None:
    write_evaluation("cnn", right_but({1: 900}))
    code, said = judged()
    assert code == REGRESSION
    assert "FAILS cnn: recall of Trouser is 10.0 %" in said
    assert "points lost" not in said


@pytest.mark.usefixtures("repository")
def test_candidate_must_stay_above_the_baseline_model(judged: Judge) -> None:
    change_params(Path("params.yaml"), {"gate.floors.cnn.accuracy": 0.5, "gate.margin": 0.5})
    write_evaluation("cnn", DENSE)
    code, said = judged()
    assert code == REGRESSION
    assert "FAILS cnn is not shown to be more accurate than dense" in said


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("value", ["NaN", "Infinity", "null", '"0.91"'])
def test_metric_that_is_no_finite_number_cannot_be_judged(judged: Judge, value: str) -> None:
    path = Path("reports/metrics/cnn.json")
    path.write_text(path.read_text().replace('"loss": 0.3', f'"loss": {value}'))
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert said.startswith("gate: cannot judge. reports/metrics/cnn.json: loss is ")
    assert "expected a finite number" in said


@pytest.mark.usefixtures("repository")
def test_metrics_must_follow_from_the_predictions(judged: Judge) -> None:
    path = Path("reports/metrics/cnn.json")
    path.write_text(path.read_text().replace('"accuracy": 0.91', '"accuracy": 0.95'))
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "accuracy is 0.95, but the predictions beside it give 0.910000" in said


@pytest.mark.usefixtures("repository")
def test_model_whose_files_are_gone_cannot_be_judged(judged: Judge) -> None:
    Path("reports/metrics/dense.json").unlink()
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "reports/metrics/dense.json: cannot be read" in said


@pytest.mark.usefixtures("repository")
def test_lock_in_conflict_cannot_be_judged_and_says_what_helps_during_a_merge(judged: Judge) -> None:
    with Path("dvc.lock").open("a") as lock:
        lock.write("<<<<<<< HEAD\n=======\n>>>>>>> other\n")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "dvc.lock: holds the marks of a merge; run `git checkout HEAD -- dvc.lock`" in said


@pytest.mark.usefixtures("repository")
def test_model_that_vanished_cannot_be_judged(judged: Judge) -> None:
    write_evaluation("third", CNN)
    commit("a third model")
    commit("something else")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "third is evaluated at" in said


@pytest.mark.usefixtures("repository")
def test_new_model_is_judged_by_its_floors(judged: Judge) -> None:
    git("rm", "--quiet", "--cached", "reports/metrics/cnn.json", "reports/predictions/cnn.csv")
    git("commit", "--quiet", "--message", "only dense")
    code, said = judged()
    assert code == PASSES
    assert "cnn: new: the baseline holds no such model" in said


@pytest.mark.usefixtures("repository")
def test_labels_in_another_order_cannot_be_judged(judged: Judge) -> None:
    order = np.random.default_rng(0).permutation(len(LABELS))
    write_evaluation("dense", DENSE[order], LABELS[order])
    write_evaluation("cnn", CNN[order], LABELS[order])
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "the test labels differ from those at" in said
    write_evaluation("dense", DENSE)
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "cnn.csv: its labels, or their order, are not those of the other models" in said


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("keep", "reason"), [(-3, "it ends within a line"), (-len("9,0,0.900000\n"), "9999 rows; expected 10000")]
)
def test_truncated_predictions_cannot_be_judged(judged: Judge, keep: int, reason: str) -> None:
    path = Path("reports/predictions/cnn.csv")
    path.write_bytes(path.read_bytes()[:keep])
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert f"reports/predictions/cnn.csv: {'cannot be read (' if keep == -3 else ''}{reason}" in said


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("number", [10, 300])  # 300 would be 44 as uint8
def test_prediction_that_is_no_class_cannot_be_judged(judged: Judge, number: int) -> None:
    path = Path("reports/predictions/cnn.csv")
    path.write_text(path.read_text().replace("\n0,1,", f"\n0,{number},", 1))
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert f"class {number}; expected 0 to 9" in said


@pytest.mark.usefixtures("repository")
def test_baseline_that_is_damaged_is_named_with_its_revision(judged: Judge) -> None:
    whole = Path("reports/predictions/cnn.csv").read_bytes()
    Path("reports/predictions/cnn.csv").write_bytes(whole[:-3])
    sha = commit("damaged")
    Path("reports/predictions/cnn.csv").write_bytes(whole)
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert f"{sha[:7]}:reports/predictions/cnn.csv: cannot be read" in said


@pytest.mark.usefixtures("repository")
def test_baseline_is_where_the_branch_left_the_default_one(judged: Judge) -> None:
    start = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-b", "change")
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 105)))
    commit("worse, and committed")
    code, said = judged()
    assert code == REGRESSION
    assert f"gate against {start[:7]}, where HEAD left main" in said


@pytest.mark.usefixtures("repository")
def test_rebase_moves_the_baseline(judged: Judge) -> None:
    git("checkout", "--quiet", "-b", "change")
    Path("notes.txt").write_text("unrelated")
    commit("unrelated")
    git("checkout", "--quiet", "main")
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 60)))
    better = commit("main gets better")
    git("checkout", "--quiet", "change")
    assert judged()[0] == PASSES
    git("rebase", "--quiet", "main")
    write_evaluation("cnn", CNN)
    code, said = judged()
    assert code == REGRESSION
    assert f"gate against {better[:7]}" in said


def test_shallow_clone_without_the_baseline_cannot_be_judged(
    repository: Path, judged: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-b", "change")
    commit("change")
    git("checkout", "--quiet", "main")
    commit("main moves on")
    origin = repository.as_uri()
    git("clone", "--quiet", "--depth", "1", "--no-single-branch", "--branch", "change", origin, "../shallow")
    monkeypatch.chdir("../shallow")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "have no common commit in this clone, which is shallow. Type `git fetch --unshallow`" in said
    code, said = judged("--baseline", start)
    assert code == CANNOT_JUDGE
    assert f"{start} is not a revision of this clone, which is shallow" in said


@pytest.mark.usefixtures("repository")
def test_first_results_have_no_baseline(judged: Judge) -> None:
    git("rm", "--quiet", "-r", "--cached", "reports")
    git("commit", "--quiet", "--message", "no results yet")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "holds no reports/metrics" in said
    git("update-ref", "-d", "HEAD")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "this repository has no commit" in said


@pytest.mark.usefixtures("repository")
def test_folder_outside_of_git_and_machine_without_git_cannot_be_judged(
    judged: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "git does not start" in said


@pytest.mark.usefixtures("repository")
def test_mistyped_parameter_cannot_be_judged(judged: Judge) -> None:
    change_params(Path("params.yaml"), {"gate.margin": 2})
    code, said = judged()
    assert code == CANNOT_JUDGE
    assert "gate.margin is 2; expected less than 1" in said


@pytest.mark.usefixtures("repository")
def test_what_a_difference_means_is_named(judged: Judge) -> None:
    write_lock(seed=2, code="cc", model="dd")
    write_data(sha256="5678")
    code, said = judged()
    assert code == PASSES
    for change in (
        "data: the test images differ",
        "cnn: train.cnn.seed is 2, was 1",
        "cnn: other content is read: src/fashion_mnist/networks/cnn.py",
        "cnn: other content is written: models/cnn/model.keras",
        "other bytes than at the baseline",
    ):
        assert change in said


def write_study(first: int = 90, *, counts: Mapping[str, int] = MappingProxyType({}), **changed: Any) -> None:
    """Write a study of the present state; first: the wrong images of each class in the first replicate of cnn.

    counts: how many replicates of a model, if not three. changed: what else the description says.
    """
    study = small_study(read_params(), LABELS, seeds=1, units=(16,), epochs=1, data=data_digests(read_json(DATA)))
    for model, start in (("dense", 130), ("cnn", first)):
        runs = [right_but(dict.fromkeys(range(10), start + seed)) for seed in range(counts.get(model, 3))]
        study = study._replace(predictions={**study.predictions, ("replicate", model): np.stack(runs)})
    write_files(study._replace(description={**study.description, **changed}), Path())


@pytest.fixture
def studied(repository: Path) -> Path:
    """The same clone with a committed study."""
    write_study()
    commit("study")
    commit("something else")
    return repository


@pytest.mark.usefixtures("studied")
def test_several_seeds_are_judged_by_their_means(judged: Judge) -> None:
    assert judged("--seeds")[0] == PASSES
    write_study(first=105)
    code, said = judged("--seeds")
    assert code == REGRESSION
    assert "cnn: accuracy: 1.50 points lost, the mean of 3 seeds against 3" in said
    assert judged()[0] == PASSES  # the single trainings are as they were


@pytest.mark.usefixtures("studied")
def test_other_parameters_are_judged_once_both_sides_have_their_study(judged: Judge) -> None:
    change_params(Path("params.yaml"), {"train.cnn.epochs": 7})
    write_lock()
    write_study(first=105)
    code, said = judged("--seeds")
    assert code == REGRESSION
    assert "cnn: train.cnn.epochs is 7, was 10" in said


def test_side_without_a_study_cannot_be_judged_by_seeds(repository: Path, judged: Judge) -> None:
    first = git("rev-parse", "HEAD~1")
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert f"{first[:7]}:reports/study.json: holds no study" in said
    assert "`make study`" in said
    (repository / "reports/study.json").write_text("{}\n")
    second = commit("a study to be made")
    commit("something else")
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert f"{second[:7]}:reports/study.json: holds no study" in said


@pytest.mark.usefixtures("studied")
def test_study_that_is_gone_here_cannot_be_judged(judged: Judge) -> None:
    Path("reports/study.json").unlink()
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "cannot judge. reports/study.json: holds no study" in said
    assert judged()[0] == PASSES  # which asks for no study


@pytest.mark.usefixtures("studied")
def test_study_of_other_data_cannot_be_judged(judged: Judge) -> None:
    write_data(sha256="5678")
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "reports/study.json: its train images differ" in said


@pytest.mark.usefixtures("studied")
def test_study_of_other_parameters_than_were_trained_cannot_be_judged(judged: Judge) -> None:
    change_params(Path("params.yaml"), {"train.cnn.epochs": 7})
    write_lock()
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "reports/study.json: train.cnn.epochs is 10; expected 7" in said


def test_study_at_the_baseline_is_held_to_the_parameters_there(studied: Path, judged: Judge) -> None:
    change_params(studied / "params.yaml", {"train.cnn.epochs": 7})
    write_lock()
    sha = commit("trained anew, without a study")
    write_study()
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert f"{sha[:7]}:reports/study.json: train.cnn.epochs is 10; expected 7" in said


def test_params_of_a_baseline_need_not_fit_the_present_schema(studied: Path, judged: Judge) -> None:
    present = (studied / "params.yaml").read_bytes()
    (studied / "params.yaml").write_text("models: [dense, cnn]\n")
    commit("as it was long ago")
    (studied / "params.yaml").write_bytes(present)
    assert judged("--seeds")[0] == PASSES


@pytest.mark.usefixtures("studied")
def test_study_without_two_replicates_of_a_model_cannot_be_judged(judged: Judge) -> None:
    write_study(counts={"dense": 1})
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "reports/study/predictions/replicate/dense.csv: 1 trainings; expected at least 2" in said
    write_study(train={"cnn": describe_training(read_params(), "cnn")})
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "reports/study.json: holds no dense" in said


def test_damaged_table_of_a_study_is_named_with_its_revision(studied: Path, judged: Judge) -> None:
    path = studied / "reports/study/predictions/replicate/cnn.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\n0,1,", b"\n0,0,", 1))
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert "cannot judge. reports/study/predictions/replicate/cnn.csv: is not what" in said
    sha = commit("damaged")
    path.write_bytes(whole)
    code, said = judged("--seeds")
    assert code == CANNOT_JUDGE
    assert f"{sha[:7]}:reports/study/predictions/replicate/cnn.csv: is not what" in said


@pytest.mark.usefixtures("studied")
def test_new_model_needs_no_study(judged: Judge) -> None:
    git("rm", "--quiet", "--cached", "reports/metrics/cnn.json", "reports/predictions/cnn.csv")
    git("commit", "--quiet", "--message", "only dense")
    write_study(counts={"cnn": 1})
    code, said = judged("--seeds")
    assert code == PASSES
    assert "cnn: new: the baseline holds no such model" in said


def test_json_and_summary_say_the_same(repository: Path, judged: Judge) -> None:
    write_evaluation("cnn", right_but(dict.fromkeys(range(10), 105)))
    code, _ = judged("--json", "gate.json", "--summary", "gate.md")
    judgement = json.loads((repository / "gate.json").read_text())
    summary = (repository / "gate.md").read_text()
    assert code == REGRESSION
    assert judgement["verdict"] == "regression"
    assert judgement["models"]["cnn"]["change"] == pytest.approx(-0.015)
    assert judgement["models"]["cnn"]["exchanged"]["Trouser"] == {"lost": 15, "gained": 0}
    assert judgement["failures"][0] in summary
    assert "| cnn | 91.00 % | 89.50 % | −1.50 |" in summary
    assert "| Trouser | 15 | 0 |" in summary
    git("update-ref", "-d", "HEAD")
    assert judged("--json", "gate.json", "--summary", "gate.md")[0] == CANNOT_JUDGE
    assert json.loads((repository / "gate.json").read_text())["verdict"] == "cannot judge"
    assert "## Gate: cannot judge" in (repository / "gate.md").read_text()


def test_summary_that_cannot_be_written_does_not_pass(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: gate.main(["--summary", str(repository / "params.yaml" / "gate.md")]), refused=CANNOT_JUDGE)
    assert ended.value.code == CANNOT_JUDGE
    assert capsys.readouterr().err.startswith(f"error: {repository}/params.yaml/gate.md: cannot be written")


OWN = FASHION_MNIST.model_copy(update={"dataset": "folder", "name": "Own", "classes": tuple("abcdefghij")})


def test_baseline_may_hold_no_metric_that_was_added_later_and_no_names_of_classes(
    repository: Path,  # noqa: ARG001
    judged: Judge,
) -> None:
    for path in (Path(f"reports/metrics/{model}.json") for model in ("dense", "cnn")):
        metrics = read_json(path)
        del metrics["balanced_accuracy"]
        write_json(metrics, path)
    data = read_json(DATA)
    write_json({split: data[split] for split in ("train", "validation", "test")}, DATA)
    commit("as an older version wrote them")
    write_evaluation("dense", DENSE)
    write_evaluation("cnn", CNN)
    write_data()
    assert judged()[0] == PASSES


def test_lead_in_a_folder_is_demanded_only_if_it_was_there_before(
    repository: Path,  # noqa: ARG001
    judged: Judge,
) -> None:
    write_data(dataset=OWN)
    write_evaluation("cnn", DENSE)
    change_params(Path("params.yaml"), {"gate.floors.cnn.accuracy": 0.8})
    code, said = judged()
    assert code == REGRESSION
    assert "cnn is not shown to be more accurate" in said
    commit("it never led")
    commit("something else")
    code, said = judged()
    assert code == PASSES
    assert "cnn is not shown to be more accurate" in said


def test_classes_are_named_as_the_data_says(repository: Path, judged: Judge) -> None:  # noqa: ARG001
    write_data(dataset=OWN)
    write_evaluation("cnn", right_but({3: 600}))
    assert "recall of d is 40.0 %" in judged()[1]


def test_changes_name_parameters_and_files() -> None:
    def record(seed: int, code: str) -> StageRecord:
        params = {"train.cnn": {"seed": seed, "filters": [32, 64]}}
        return StageRecord("", params, {Path("src/a.py"): code, Path("b"): "same"}, {})

    assert describe_changes(record(1, "x"), record(2, "y"), name="cnn") == [
        "cnn: train.cnn.seed is 2, was 1",
        "cnn: other content is read: src/a.py",
    ]
    assert describe_changes(record(1, "x"), record(1, "x"), name="cnn") == []


def test_flatten_names_leaves_by_their_path() -> None:
    assert flatten({"train": {"cnn": {"filters": [32, 64]}}, "models": ["cnn"]}) == {
        "train.cnn.filters": [32, 64],
        "models": ["cnn"],
    }
