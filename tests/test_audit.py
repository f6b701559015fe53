"""The audit of the locks against a service on loopback that knows one vulnerability."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from checks.audit import EXCEPTIONS, LOCKS, main, read_exceptions
from checks.workflow import jobs
from pipeline.tools.demo import PROJECT

HOLE = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "summary": "lets strangers in",
    "affected": [{"package": {"name": "uv", "ecosystem": "PyPI"}, "ranges": [], "versions": []}],
}
EXCEPTION = '[[exception]]\nid = "GHSA-aaaa-bbbb-cccc"\nreason = "used at installation only"\nuntil = 9999-12-31\n'


class Service(BaseHTTPRequestHandler):
    """Answers as osv.dev does: uv has a hole."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"vulns": [HOLE]} if asked["package"]["name"] == "uv" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def options() -> Iterator[list[str]]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ["--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}"]
        server.shutdown()


def lock(folder: Path, package: str) -> Path:
    path = folder / "lock.txt"
    path.write_text(f"{package}==1.0 --hash=sha256:{64 * '0'}\n")
    return path


def exceptions(folder: Path, text: str) -> Path:
    path = folder / "exceptions.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("package", "excepted", "code"),
    [("tidy", "", 0), ("uv", "", 1), ("uv", EXCEPTION, 0)],
    ids=["no hole", "a hole", "an excepted hole"],
)
def test_known_vulnerability_fails_unless_it_is_excepted(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], package: str, excepted: str, code: int
) -> None:
    assert main(options, locks=[lock(tmp_path, package)], exceptions=exceptions(tmp_path, excepted)) == code
    said = capfd.readouterr()
    assert ("GHSA-aaaa-bbbb-cccc" in said.out) == bool(code)
    assert ("lock.txt: a known vulnerability" in said.err) == bool(code)


def test_service_that_does_not_answer_fails(tmp_path: Path) -> None:
    nowhere = ["--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:1", "--timeout", "2"]
    assert main(nowhere, locks=[lock(tmp_path, "tidy")], exceptions=exceptions(tmp_path, "")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXCEPTION.replace("used at installation only", " "), "expected an id, a reason and a day"),
        (EXCEPTION.replace('"used at installation only"', "7"), "expected an id, a reason and a day"),
        (EXCEPTION.replace("until = 9999-12-31\n", ""), "expected an id, a reason and a day"),
        (EXCEPTION.replace("9999-12-31", '"9999-12-31"'), "expected an id, a reason and a day"),
        (EXCEPTION.replace("9999-12-31", "9999-12-31T00:00:00"), "expected an id, a reason and a day"),
        (EXCEPTION + "severity = 1\n", "expected an id, a reason and a day"),
        ("exception = [7]", "expected an id, a reason and a day"),
        (EXCEPTION.replace("9999-12-31", "2026-11-24"), "ended on 2026-11-24"),
        (EXCEPTION.replace("GHSA-aaaa-bbbb-cccc", "uv"), "id is 'uv'"),
        (EXCEPTION.replace('"GHSA-aaaa-bbbb-cccc"', "7"), "id is 7"),
        (EXCEPTION + EXCEPTION, "once"),
        (EXCEPTION.replace("[[exception]]", "[[exceptions]]"), "holds exceptions"),
        (EXCEPTION.replace("[[exception]]", "[exception]"), "expected tables"),
        (EXCEPTION.replace("]]", "]"), "line 1"),
    ],
)
def test_what_is_no_exception_or_ended_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_exceptions(text, today=date(2026, 11, 25))


def test_committed_exceptions_can_be_read() -> None:
    read_exceptions(EXCEPTIONS.read_text(), today=date.min)
    assert read_exceptions(EXCEPTION, today=date(9999, 12, 31)) == ["GHSA-aaaa-bbbb-cccc"]


def test_wrong_exceptions_fail_the_audit_before_it_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-such-option"], locks=[], exceptions=exceptions(tmp_path, "[[exceptions]]")) == 1
    assert capsys.readouterr().err.startswith("error: exceptions.toml: holds exceptions")


def test_every_lock_is_audited_or_within_one_that_is() -> None:
    held = {path.name for path in (PROJECT / "requirements").glob("*.txt")}
    assert held == {path.name for path in LOCKS} | {"run.txt", "compute.txt"}


def test_audit_runs_on_a_schedule_and_dependabot_knows_actions_and_locks() -> None:
    audit = PROJECT / ".github/workflows/audit.yml"
    assert YAML(typ="safe").load(audit)["on"]["schedule"]
    assert [step["run"] for step in jobs(audit)["audit"]["steps"] if "run" in step][-1].endswith("-m checks.audit")
    updates = YAML(typ="safe").load(PROJECT / ".github/dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"github-actions", "pip"}
