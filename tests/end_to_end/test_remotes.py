"""Data that others can pull: from a server by SSH, S3 and plain HTTP, whole, cut off half-way, and damaged."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import copy_workspace, environment_of, stages_in
from tests.end_to_end.remote_servers import Server, http_server, s3_server, ssh_server, wire
from tests.end_to_end.test_pull import dvc, git

pytestmark = pytest.mark.slow

SERVERS = {"ssh": ssh_server, "s3": s3_server, "http": http_server}
MODEL = "models/cnn/model.keras"


class Remote(NamedTuple):
    """A repository whose outputs lie on a server."""

    server: Server
    repository: Path


@pytest.fixture(scope="module", params=SERVERS)
def remote(request: pytest.FixtureRequest, tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp(request.param)
    repository = copy_workspace(tracked, folder / "repository")
    shutil.copy(PROJECT / ".gitignore", repository)
    (repository / ".dvc/.gitignore").write_text((PROJECT / ".dvc/.gitignore").read_text() + "/site-cache\n")
    (folder / "server").mkdir()
    with SERVERS[request.param](folder / "server") as server:
        shutil.copy(PROJECT / ".dvc/config", repository / ".dvc/config")
        name_remote(repository, server)
        git(repository, "init", "--quiet")
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "--message", "results")
        if request.param == "http":  # which others fill by another way
            dvc(repository, "remote", "add", "--local", "folder", str(folder / "server/storage"))
            dvc(repository, "push", "--remote", "folder")
        else:
            pushed = dvc_of(server, repository, "push")
            assert pushed.returncode == 0, pushed.stderr
        yield Remote(server, repository)


def name_remote(folder: Path, server: Server) -> None:
    """Set the default remote as the documentation does, in .dvc/config."""
    first, *others = server.settings.items()
    dvc(folder, "remote", "add", "--force", "--default", "storage", first[1])
    for key, value in [*others, ("verify", "true")]:
        dvc(folder, "remote", "modify", "storage", key, value)


def dvc_of(server: Server, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the DVC that speaks to a server; whether it succeeds or not, it prints no secret."""
    environment = environment_of() | server.environment | {"DVC_SITE_CACHE_DIR": str(folder / ".dvc/site-cache")}
    command = [str(server.python), "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not server.secret or server.secret not in done.stdout + done.stderr
    return done


@pytest.fixture
def other(remote: Remote, tmp_path: Path) -> Path:
    """A fresh clone of that repository, with no data."""
    git(tmp_path, "clone", "--quiet", str(remote.repository), str(tmp_path / "other"))
    assert not (tmp_path / "other" / MODEL).exists()
    return tmp_path / "other"


def outputs(folder: Path) -> dict[str, bytes]:
    """Read all files of a workspace that DVC, not git, looks after."""
    ignored = git(folder, "ls-files", "--others", "--ignored", "--exclude-standard", "data", "models", "reports")
    return {name: (folder / name).read_bytes() for name in ignored.splitlines() if "__pycache__" not in name}


def digest_of(folder: Path, path: str) -> str:
    """Return the md5 of an output in dvc.lock."""
    stages: dict[str, Any] = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    return next(str(out["md5"]) for stage in stages.values() for out in stage["outs"] if out["path"] == path)


def test_pull_that_is_cut_off_says_so_leaves_nothing_half_and_completes_when_repeated(
    remote: Remote, other: Path
) -> None:
    whole, config = outputs(remote.repository), other / ".dvc/config"
    named = config.read_text()
    with wire(remote.server.port, cut_after=sum(map(len, whole.values())) // 2) as port:
        config.write_text(named.replace(str(remote.server.port), str(port)))
        pulled = dvc_of(remote.server, other, "pull")
    assert pulled.returncode != 0
    assert pulled.stderr.startswith("ERROR: ")
    assert "Traceback" not in pulled.stderr
    found = outputs(other)
    assert found.items() < whole.items()
    config.write_text(named)
    repeated = dvc_of(remote.server, other, "pull")
    assert repeated.returncode == 0, repeated.stderr
    assert outputs(other) == whole


def test_damaged_object_is_named_and_not_used_and_once_mended_the_clone_trains_nothing(
    remote: Remote, other: Path
) -> None:
    digest = digest_of(remote.repository, MODEL)
    damaged = f"files/md5/{digest[:2]}/{digest[2:]}"
    remote.server.flip(damaged)
    try:
        pulled = dvc_of(remote.server, other, "pull")
    finally:
        remote.server.flip(damaged)
    assert pulled.returncode != 0
    assert MODEL in pulled.stderr
    assert not (other / MODEL).exists()
    assert not (other / ".dvc/cache" / damaged).exists()
    repeated = dvc_of(remote.server, other, "pull")
    assert repeated.returncode == 0, repeated.stderr
    assert outputs(other) == outputs(remote.repository)
    # All but `track`, which fills a store of the clone's own (test_pull.py).
    assert stages_in(dvc(other, "repro", "report")) == []
    assert git(other, "status", "--porcelain") == ""
