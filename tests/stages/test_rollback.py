"""A rollback that is cut off: repeated, it leaves what one that was not disturbed leaves."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.store.connection import Store
from pipeline.store.registry import CHAMPION, FORMER, roll_back


class CrashError(Exception):
    pass


class Registry:
    """Three versions, each of which replaced the one before; crashes at the n-th change."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {"1": {}, "2": {FORMER: "1"}, "3": {FORMER: "2"}}
        self.aliases = {CHAMPION: "3"}
        self.changes_left = 10**6

    def search_registered_models(self, _query: str) -> list[Any]:
        return [SimpleNamespace(aliases=dict(self.aliases))]

    def get_model_version(self, _name: str, version: str) -> Any:
        return SimpleNamespace(version=version, source="models:/m", tags={"model": "dense", **self.tags[version]})

    def set_model_version_tag(self, _name: str, version: str, key: str, value: str) -> None:
        self.change()
        self.tags[version][key] = value

    def set_registered_model_alias(self, _name: str, alias: str, version: str) -> None:
        self.change()
        self.aliases[alias] = version

    def change(self) -> None:
        self.changes_left -= 1
        if self.changes_left < 0:
            raise CrashError

    def state(self) -> tuple[Any, Any]:
        return self.tags, self.aliases


@pytest.mark.parametrize("changes", range(4))
def test_rollback_that_crashed_is_completed_by_the_next(changes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.registry.find_fault", lambda _store, _source: None)
    undisturbed, crashed = Registry(), Registry()
    roll_back(Store(undisturbed, "pets", "1"))  # type: ignore[arg-type]
    crashed.changes_left = changes
    with pytest.raises(CrashError):
        roll_back(Store(crashed, "pets", "1"))  # type: ignore[arg-type]
    crashed.changes_left = 10**6
    roll_back(Store(crashed, "pets", "1"))  # type: ignore[arg-type]
    assert crashed.state() == undisturbed.state()
