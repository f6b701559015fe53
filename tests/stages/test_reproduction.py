"""Whether the committed results came out again: bit for bit, other bits, other inputs, or another kind of machine."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fashion_mnist.errors import ArtifactError
from pipeline.gate import change, reproduction
from pipeline.runtime import packages
from pipeline.runtime.paths import COMPUTE_LOCK, archive_of
from pipeline.tools.demo import PROJECT, change_params

LOCK: dict[str, Any] = {
    "normalize": {
        "cmd": "normalize",
        "deps": [{"path": "data/raw", "md5": "raw"}, {"path": "pipeline/normalize.py", "md5": "code"}],
        "outs": [{"path": "data/normalized/train", "md5": "arrays"}],
    },
    "train@cnn": {
        "cmd": "train",
        "deps": [{"path": "data/normalized", "md5": "arrays"}, {"path": "pipeline/train.py", "md5": "code"}],
        "params": {"params.yaml": {"train.cnn": {"seed": 1}}},
        "outs": [{"path": "models/cnn/model.keras", "md5": "model"}],
    },
    "evaluate": {
        "cmd": "evaluate",
        "deps": [{"path": "models", "md5": "models"}],
        "outs": [{"path": "reports/metrics", "md5": "metrics"}],
    },
}


def write_lock(**outputs: str) -> None:
    """Write dvc.lock, with other digests for the outputs of some stages."""
    stages = {
        name: record
        | {"outs": [out | {"md5": outputs.get(name.partition("@")[0], out["md5"])} for out in record["outs"]]}
        for name, record in LOCK.items()
    }
    YAML().dump({"schema": "2.0", "stages": stages}, Path("dvc.lock"))


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose last commit holds results, on a machine for which the same bits are promised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduction, "has_avx2", lambda: True)
    shutil.copy(PROJECT / "tests/params.yaml", tmp_path / "params.yaml")
    COMPUTE_LOCK.parent.mkdir()
    shutil.copy(PROJECT / COMPUTE_LOCK, COMPUTE_LOCK)
    write_lock()
    for command in (
        "init --quiet",
        "add --all",
        "-c user.name=tester -c user.email=tester@example.org commit --quiet --message results",
    ):
        subprocess.run(["git", *command.split()], check=True)
    return tmp_path


def verdict(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[object, str]:
    """Return the exit code and what is said."""
    with pytest.raises(SystemExit) as ended:
        reproduction.main(argv)
    return ended.value.code, capsys.readouterr().out


def test_same_bytes_are_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = verdict(capsys, "--strict")
    assert code == 0
    assert "bit for bit" in said


def test_other_bits_name_the_first_stage_that_differs_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    write_lock(train="other", evaluate="other")
    code, said = verdict(capsys, "--strict")
    assert code == 1
    assert "NOT reproduced: train@cnn" in said
    assert verdict(capsys)[0] == 0


def test_any_other_changed_file_fails_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("stray").write_text("not committed")
    code, said = verdict(capsys, "--strict")
    assert code == 1
    assert "stray" in said


@pytest.mark.parametrize("edit", ["code", "parameter"])
def test_other_inputs_are_named_and_not_held_against_the_machine(capsys: pytest.CaptureFixture[str], edit: str) -> None:
    write_lock(train="other", evaluate="other")
    text = Path("dvc.lock").read_text()
    edited = text.replace("seed: 1", "seed: 2") if edit == "parameter" else text.replace("md5: code", "md5: edited")
    assert edited != text
    Path("dvc.lock").write_text(edited)
    code, said = verdict(capsys, "--strict")
    assert code == 1
    assert said.startswith(f"not comparable: {'train@cnn' if edit == 'parameter' else 'normalize'} ")


@pytest.mark.parametrize("reason", ["cpu", "instructions", "numpy", "layer"])
def test_gate_judges_where_no_bits_are_promised(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def refuse(named: str) -> dict[str, str]:
        assert named == "HEAD"
        return {"verdict": "cannot judge", "reason": "it asks for more"}

    monkeypatch.setattr(change, "judge_change", refuse)
    write_lock(train="other")
    if reason == "cpu":
        monkeypatch.setattr(reproduction, "has_avx2", lambda: False)
    elif reason == "instructions":
        change_params(Path("params.yaml"), {"train.cnn.instructions": "native"})
    elif reason == "layer":
        write_archive("BatchNormalization")
    else:  # results of a machine whose packages are not the locked ones
        monkeypatch.setattr(
            packages, "package_fault", lambda package: "is not that" if package.name == "numpy" else None
        )
    code, said = verdict(capsys)
    assert code == 0
    assert "other bits from train@cnn on, as expected" in said
    assert said.endswith("gate: cannot judge. it asks for more\n")
    named = {"cpu": "promised on x86-64 with AVX2", "instructions": "instructions is native", "numpy": "numpy: is not"}
    named["layer"] = "cnn has BatchNormalization"
    assert [cause for cause, text in named.items() if text in said] == [reason]
    assert verdict(capsys, "--strict")[0] == 2


def write_archive(layer: str) -> None:
    """Write the cnn's archive, as far as it is read here."""
    archive_of("cnn").parent.mkdir(parents=True)
    with zipfile.ZipFile(archive_of("cnn"), "w") as archive:
        archive.writestr("config.json", json.dumps({"layers": [{"class_name": layer}]}))


@pytest.mark.parametrize(("layer", "differing"), [("Dense", ["train"]), ("BatchNormalization", ["normalize", "train"])])
def test_layer_excuses_nothing_but_its_own_training(
    capsys: pytest.CaptureFixture[str], layer: str, differing: list[str]
) -> None:
    write_archive(layer)
    write_lock(**dict.fromkeys(differing, "other"))
    assert "NOT reproduced" in verdict(capsys)[1]


def test_damaged_lock_is_named() -> None:
    Path("dvc.lock").write_text("stages:")
    with pytest.raises(ArtifactError, match=r"^dvc\.lock: is damaged; run `git checkout HEAD -- dvc\.lock`"):
        reproduction.main([])


def test_folder_that_is_no_clone_has_nothing_to_compare_with(
    capsys: pytest.CaptureFixture[str], clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(clone / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(clone.parent))
    code, said = verdict(capsys)
    assert code == 0
    assert said.startswith("nothing to compare with")
