"""A run store with a login, over TLS: MLflow's server and a real PostgreSQL, as docs/servers.md describes it."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from pipeline.store.refusals import CERTIFICATE, PASSWORD, USER
from pipeline.tools.demo import change_params
from tests.end_to_end.conftest import copy_workspace, environment_of, free_port, run_module, running
from tests.end_to_end.test_server import database  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

DATABASE, ADMIN, WRITER, READER = "database", "admin", "writer", "reader"
CONFIG = "auth.ini"
MISTAKEN = "not-the-password"
SETTINGS = """
[mlflow]
database_uri = {database}
admin_username = admin
default_permission = READ
auth_cache_ttl_seconds = 60
"""


class Server(NamedTuple):
    """A server with three users, each with a password of its own; `certificate`: what its clients must trust."""

    address: str
    certificate: Path
    passwords: dict[str, str]
    folder: Path

    def ask(self, method: str, path: str, *, user: str | None = None, **options: Any) -> requests.Response:
        """Send a request as a user, or as nobody."""
        login = (user, self.passwords[user]) if user else None
        address = f"{self.address}/api/2.0/{path}"
        return requests.request(method, address, auth=login, verify=str(self.certificate), timeout=60, **options)

    def environment(self, user: str, **others: str) -> dict[str, str]:
        """Return what the environment of a user's pipeline holds."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            USER: user,
            PASSWORD: self.passwords[user],
            CERTIFICATE: str(self.certificate),
        } | others


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += [
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "keyUsage=digitalSignature",
    ]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    certificate, key = make_certificate(folder)
    passwords = {user: secrets.token_urlsafe(16) for user in (DATABASE, ADMIN, WRITER, READER)}
    # This PostgreSQL lets everyone in who asks from here; the password is there to be looked for.
    secret = database.replace("mlflow@", f"mlflow:{passwords[DATABASE]}@")
    (folder / CONFIG).write_text(SETTINGS.format(database=secret))
    environment = environment_of() | {
        "MLFLOW_BACKEND_STORE_URI": secret,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / CONFIG),
        "MLFLOW_AUTH_ADMIN_PASSWORD": passwords[ADMIN],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--uvicorn-opts", f"--ssl-certfile {certificate} --ssl-keyfile {key}"]
    address = f"https://127.0.0.1:{port}"
    with running(command, folder=folder, ready=f"{address}/health", environment=environment, trusted=certificate):
        served = Server(address, certificate, passwords, folder)
        for user in (WRITER, READER):
            login = {"username": user, "password": passwords[user]}
            served.ask("POST", "mlflow/users/create", user=ADMIN, json=login).raise_for_status()
        yield served


@pytest.fixture(scope="module")
def filled(server: Server, tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose runs the writer has logged; what was said lies in said.log."""
    clone = copy_workspace(tracked, tmp_path_factory.mktemp("filled") / "clone")
    done = track(server, clone, server.environment(WRITER))
    assert done.returncode == 0, done.stderr
    assert "3 runs in the store" in done.stdout
    (clone / "said.log").write_text(done.stdout + done.stderr)
    return clone


def experiment_of(server: Server) -> str:
    found = server.ask("GET", "mlflow/experiments/get-by-name?experiment_name=fashion-mnist", user=READER)
    return str(found.json()["experiment"]["experiment_id"])


def track(server: Server, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `track`; whether it succeeds or not, it prints no password."""
    done = run_module("track", folder=folder, **environment)
    for user, password in (server.passwords | {"who mistook it": MISTAKEN}).items():
        assert password not in done.stdout + done.stderr, f"the password of {user} is printed"
    return done


def refused(server: Server, folder: Path, environment: dict[str, str]) -> str:
    """Return the one line in which `track` says that it was refused."""
    done = track(server, folder, environment)
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.usefixtures("filled")
def test_nobody_reads_or_writes_without_a_login(server: Server) -> None:
    experiment = experiment_of(server)
    for method, path, body in (
        ("POST", "mlflow/experiments/search", {"max_results": 10}),
        ("POST", "mlflow/runs/search", {"experiment_ids": [experiment]}),
        ("POST", "mlflow/runs/create", {"experiment_id": experiment}),
        ("GET", "mlflow/registered-models/get?name=fashion-mnist", None),
        ("GET", f"mlflow-artifacts/artifacts?path={experiment}", None),
        ("PUT", f"mlflow-artifacts/artifacts/{experiment}/stranger.txt", None),
        ("POST", "mlflow/users/create", {"username": "stranger", "password": "stranger-password"}),
    ):
        answer = server.ask(method, path, json=body)
        assert answer.status_code == 401, f"{path}: {answer.status_code}"


@pytest.mark.usefixtures("filled")
def test_reader_reads_and_cannot_write(server: Server) -> None:
    experiment = experiment_of(server)
    runs = server.ask("POST", "mlflow/runs/search", user=READER, json={"experiment_ids": [experiment]}).json()["runs"]
    assert len(runs) == 3
    run = runs[0]["info"]["run_id"]
    for method, path, body in (
        ("POST", "mlflow/runs/create", {"experiment_id": experiment}),
        ("POST", "mlflow/runs/log-metric", {"run_id": run, "key": "accuracy", "value": 1, "timestamp": 1}),
        ("POST", "mlflow/runs/set-tag", {"run_id": run, "key": "fingerprint", "value": "mine"}),
        ("POST", "mlflow/runs/delete", {"run_id": run}),
        ("POST", "mlflow/experiments/delete", {"experiment_id": experiment}),
        ("POST", "mlflow/registered-models/alias", {"name": "fashion-mnist", "alias": "champion", "version": "1"}),
        ("DELETE", "mlflow/registered-models/delete", {"name": "fashion-mnist"}),
        ("PUT", f"mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/params.yaml", None),
        ("PATCH", "mlflow/users/update-admin", {"username": READER, "is_admin": True}),
    ):
        answer = server.ask(method, path, user=READER, json=body)
        assert answer.status_code == 403, f"{path}: {answer.status_code} {answer.text}"


def test_track_of_a_reader_is_refused_in_one_line(server: Server, filled: Path, tmp_path: Path) -> None:
    clone = copy_workspace(filled, tmp_path / "clone")
    change_params(clone / "params.yaml", {"gate.margin": 0.02})  # a new state, to be logged
    line = refused(server, clone, server.environment(READER))
    assert line.startswith(f"error: {server.address}: ")
    assert READER in line
    assert "permission" in line


@pytest.mark.parametrize("changed", [{PASSWORD: MISTAKEN}, {USER: ""}])
def test_refused_login_is_one_line_that_says_what_to_set(server: Server, filled: Path, changed: dict[str, str]) -> None:
    line = refused(server, filled, server.environment(WRITER) | changed)
    assert line.startswith(f"error: {server.address}: ")
    assert USER in line
    assert PASSWORD in line


def test_certificate_that_is_not_trusted_is_one_line_that_says_what_to_set(server: Server, filled: Path) -> None:
    environment = server.environment(WRITER)
    del environment[CERTIFICATE]
    line = refused(server, filled, environment)
    assert "certificate" in line
    assert CERTIFICATE in line


def test_password_within_the_address_is_not_printed(server: Server, filled: Path) -> None:
    host = server.address.removeprefix("https://")
    for port in (host, "127.0.0.1:1"):
        address = f"https://{WRITER}:{MISTAKEN}@{port}"
        assert "***" in refused(server, filled, server.environment(WRITER, MLFLOW_TRACKING_URI=address))


def test_no_password_is_in_any_file_or_output(server: Server, filled: Path) -> None:
    held = {
        path: path.read_bytes()
        for folder in (server.folder, filled)
        for path in folder.rglob("*")
        if path.is_file() and path.name != CONFIG
    }
    assert any(path.suffix == ".log" and path.parent == server.folder for path in held)
    for user, password in server.passwords.items():
        found = [path for path, content in held.items() if password.encode() in content]
        assert not found, f"the password of {user} is in {found}"
    runs = server.ask("POST", "mlflow/runs/search", user=READER, json={"experiment_ids": [experiment_of(server)]})
    assert not [user for user, password in server.passwords.items() if password in runs.text]
