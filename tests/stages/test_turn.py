"""Taking turns at a server, told from the answers that MLflow gives."""

import os
import platform
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS

from pipeline.store import turn as module
from pipeline.store.connection import Store, TrackingError
from pipeline.store.turn import TURN, turn

ELSEWHERE = {"host": "another-machine", "process": "17"}


class Server:
    """The part of MLflow's client that hands out names; tags: of whoever has the turn."""

    tracking_uri = "http://user:secret@127.0.0.1:5000"

    def __init__(self, tags: dict[str, str] | None = None) -> None:
        self.tags = tags

    def create_registered_model(self, name: str, tags: dict[str, str], description: str) -> None:
        assert (name, bool(description)) == (TURN, True)
        if self.tags is not None:
            raise MlflowException("it exists", error_code=RESOURCE_ALREADY_EXISTS)
        self.tags = tags

    def search_registered_models(self, query: str) -> list[Any]:
        assert TURN in query
        return [] if self.tags is None else [SimpleNamespace(tags=self.tags)]

    def delete_registered_model(self, name: str) -> None:
        assert name == TURN
        self.tags = None


def store_of(server: Any) -> Store:
    return Store(server, "fashion-mnist", "1")


def ended_process() -> dict[str, str]:
    process = subprocess.Popen(["true"])
    process.wait()
    return {"host": platform.node(), "process": str(process.pid)}


def test_turn_is_this_process_until_the_block_ends() -> None:
    server = Server()
    with turn(store_of(server)):
        assert server.tags == {"host": platform.node(), "process": str(os.getpid())}
    assert server.tags is None


def test_turn_is_given_back_after_a_failure() -> None:
    server = Server()
    with pytest.raises(ValueError, match="within"), turn(store_of(server)):
        raise ValueError("within")
    assert server.tags is None


def test_turn_of_a_killed_process_of_this_machine_is_taken() -> None:
    server = Server(ended_process())
    with turn(store_of(server)):
        assert server.tags == {"host": platform.node(), "process": str(os.getpid())}


def test_turn_whose_answer_was_lost_is_ours() -> None:
    server = Server({"host": platform.node(), "process": str(os.getpid())})
    with turn(store_of(server)):
        pass
    assert server.tags is None


def test_who_waits_says_for_whom_and_gives_up_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.6)
    server = Server(ELSEWHERE)
    with (
        pytest.raises(TrackingError, match="process 17 on another-machine has been writing") as raised,
        turn(store_of(server)),
    ):
        pytest.fail("it is not our turn")
    assert f"delete the registered model {TURN}" in str(raised.value)
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "waiting for process 17 on another-machine, which writes to http://user:***@127.0.0.1:5000"
    ]
    assert "secret" not in f"{raised.value}{said}"
    assert server.tags == ELSEWHERE


def test_store_on_this_machine_needs_no_turn() -> None:
    with turn(store_of(SimpleNamespace(tracking_uri="sqlite:///tracking/mlflow.db"))):
        pass
