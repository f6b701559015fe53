"""Processes at the same time, and a server that dies: one wins or waits, the other says so; nothing twice or lost."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import requests

from checks.faults.calls import Ended, run_forked, start_forked
from checks.faults.cases import dvc_environment, no_store, read_names, read_runs, run_stage
from checks.faults.judge import Verdict, difference
from checks.faults.server import MOMENTS, Handle, Send, Server, in_step, intercept, kill, send_all
from checks.faults.workspaces import outputs_of, plant, restore, snapshot
from pipeline.runtime.paths import PARAMS, archive_of
from pipeline.tools.demo import PROJECT, change_params, run_dvc
from tests.end_to_end.conftest import environment_of, free_port

TOGETHER = "at the same time"
KILLED_SERVER = "a server that dies during a request of `track`"
KILLED_TRACK = "two `track` against one server, one of which is killed at a request"
# Requests that change nothing at a server.
READS = re.compile(r"GET |POST \S+/search$")
PATIENCE_SECONDS = 600


class Meeting(NamedTuple):
    """Two processes that meet; times: how often, each time with another lead of the first."""

    name: str
    run: Callable[[Path, int], tuple[list[Ended], list[str]]]
    times: int


class Running(NamedTuple):
    """A process that is running, and the file that holds what it says."""

    process: "subprocess.Popen[bytes]"
    said: Path

    def wait(self) -> Ended:
        """Wait for its end; kill it and its children where that does not come."""
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        return Ended(code, self.said.read_text(), "")


def start(command: list[str], clone: Path, name: str, **environment: str) -> Running:
    """Start a command in a workspace; what it says goes to a file beside that."""
    said = clone.parent / f"said-{name}"
    with said.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=clone, env=dvc_environment(clone) | environment, stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return Running(process, said)


def start_dvc(clone: Path, name: str, *arguments: str) -> Running:
    """Start a command of DVC in a workspace."""
    return start([sys.executable, "-m", "dvc", *arguments], clone, name)


def two_repros(folder: Path, number: int) -> tuple[list[Ended], list[str]]:
    """Start `dvc repro` twice where normalize, report and track have to run."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    no_store(clone)
    plant(clone, [name for stage in ("normalize", "report") for name in outputs_of(clone, stage)])
    first = start_dvc(clone, "first", "repro")
    time.sleep(1.5 * number)
    second = start_dvc(clone, "second", "repro")
    ended = [first.wait(), second.wait()]
    return ended, [*judge_pair(ended), *repro_and_compare(folder, clone)]


def repro_and_compare(folder: Path, clone: Path) -> list[str]:
    """Run `dvc repro` once more, and name what then differs from an undisturbed workspace."""
    done = run_dvc("repro", workspace=clone, capture_output=True)
    wrong = [] if done.returncode == 0 else [f"dvc repro fails: {done.stderr[-300:]}"]
    found, expected = snapshot(clone), snapshot(folder / "base")
    wrong += [f"differs: {name}" for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    return wrong + compare_runs(read_runs(clone), reference_runs(folder))


def reference_runs(folder: Path) -> Any:
    """Return what the store of the undisturbed workspace holds; its paths are those of the clone."""
    kept = folder / "runs.json"
    if not kept.exists():
        clone = folder / "clone"
        restore(folder / "base", clone)
        kept.write_text(json.dumps(read_runs(clone)))
    return json.loads(kept.read_text())


def compare_runs(found: Any, expected: Any) -> list[str]:
    """Say where the runs of two stores differ first."""
    same = json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)
    return [] if same else [f"runs differ: {difference(found, expected)}"]


def judge_pair(ended: list[Ended]) -> list[str]:
    """Judge how two processes ended: one at least succeeds; who fails, says in a line whom it waits for or met."""
    wrong = [] if any(end.code == 0 for end in ended) else ["both fail"]
    for end in ended:
        if "Traceback" in end.said:
            wrong.append(f"traceback: {end.said[-300:]}")
        elif end.code != 0 and not re.search(r"(?im)^error: .*(lock|busy|another|running|writing)", end.said):
            wrong.append(f"exit code {end.code}, and says {end.said[-300:]!r}")
    return wrong


def page_open_while_tracking(folder: Path, number: int) -> tuple[list[Ended], list[str]]:
    """Ask MLflow's pages for all runs again and again, as an open page does, while `track` adds a state."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    change_params(clone / PARAMS, {"gate.margin": 0.02 + number / 1000})
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", "sqlite:///tracking/mlflow.db"]
    pages = start(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        clone,
        "pages",
        **environment_of(),
    )
    try:
        await_answer(address, pages)
        tracking = start([sys.executable, "-m", "pipeline.track"], clone, "track")
        asked, refused = 0, []
        while tracking.process.poll() is None:
            answer = requests.post(
                f"{address}/ajax-api/2.0/mlflow/runs/search", json={"experiment_ids": ["1"]}, timeout=60
            )
            asked += 1
            refused += [] if answer.ok else [f"the page is answered {answer.status_code}: {answer.text[:200]}"]
        ended = tracking.wait()
    finally:
        os.killpg(pages.process.pid, signal.SIGKILL)
        pages.process.wait()
    wrong = refused[:1] if asked else ["the page was never asked"]
    wrong += [] if ended.code == 0 else [f"track: exit code {ended.code}, {ended.said[-300:]}"]
    return [ended, Ended(0, "", "")], wrong + count(read_names(clone), 6)


def count(names: list[str], runs: int) -> list[str]:
    """Judge how many runs a store holds."""
    return [] if len(names) == runs else [f"{len(names)} runs for {runs}: {names}"]


def await_answer(address: str, running: Running) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert running.process.poll() is None, running.said.read_text()
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer")


def two_tracks(folder: Path, number: int) -> tuple[list[Ended], list[str]]:
    """Run `track` in two copies of a workspace, which share no lock, against one server, in step request by request."""
    return meet_at_server(folder, lead=5 * number)


def kill_track(folder: Path, number: int, moment: str) -> tuple[list[Ended], list[str]]:
    """Let two `track` write to one server in step, and one of them die at a request; then repeat that one."""
    return meet_at_server(folder, number=number, moment=moment)


def meet_at_server(folder: Path, *, lead: int = 0, number: int = 0, moment: str = "") -> tuple[list[Ended], list[str]]:
    """Run two `track` against one server and compare what is there in the end with the undisturbed workspace's.

    lead: requests that the first is ahead; number: the request at which the first one dies, 0 for none.
    """
    clone, other, log = folder / "clone", folder / "other", folder / "requests"
    restore(folder / "base", clone)
    no_store(clone)
    restore(clone, other)
    server = new_server(folder)
    try:

        def disturbed(request: int, send: Send) -> requests.Response:
            return kill(os.getpid(), number, moment)(request, send)  # the child's own id

        ends = socket.socketpair()
        handles = [in_step(*ends, disturbed, lead=lead), in_step(*ends[::-1], send_all)]
        works = [tracking(server, handle, folder / f"requests-{index}") for index, handle in enumerate(handles)]
        ended = run_together(works, [clone, other], ends)
        survivors = ended[1:] if number else ended
        wrong = [f"track: exit code {end.code}: {end.said[-300:]}" for end in survivors if end.code]
        for _ in range(2 if number else 1):  # a killed one is completed by the next
            again = track_against(server, clone, send_all, log=log)
            wrong += [] if again.code == 0 else [f"the repetition fails: {again.said[-300:]}"]
        changes = [line for line in log.read_text().splitlines() if not READS.match(line)]
        wrong += [f"a repetition changes something: {changes[0]}"] if changes else []
        wrong += compare_runs(read_runs(clone, server.address), reference_runs(folder))
        return ended, wrong + count(read_names(clone, server.address), 3)
    finally:
        server.stop()
        shutil.rmtree(other)


def run_together(works: list[Callable[[], None]], folders: list[Path], ends: Iterable[socket.socket]) -> list[Ended]:
    """Run functions at the same time, each in a child of this process and in a folder of its own.

    ends: what the children talk to each other by; closed here, so that one notices when the other ends.
    """
    errors = [folder.with_name(f"said-{folder.name}") for folder in folders]
    children = [start_forked(*job) for job in zip(works, folders, errors, strict=True)]
    for end in ends:
        end.close()
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return [Ended(code, said.read_text(), "") for code, said in zip(codes, errors, strict=True)]


def new_server(folder: Path) -> Server:
    """Start a server with an empty store."""
    place = folder / "server"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    empty = folder / "empty.db"
    if not empty.exists():
        made = run_forked(lambda: _make_database(empty), place)
        assert made.code == 0, made.said
    shutil.copy(empty, place / "server.db")
    return Server(place).start()


def _make_database(path: Path) -> None:
    from mlflow.tracking import MlflowClient

    new = path.with_name("empty.new")
    MlflowClient(f"sqlite:///{new}").search_experiments(max_results=1)
    new.replace(path)


def repro_beside_queue(folder: Path, number: int) -> tuple[list[Ended], list[str]]:
    """Run `dvc repro` while DVC's queue runs three experiments, two at a time."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    make_repository(clone)
    names = [f"queued-{index}" for index in range(3)]
    for index, name in enumerate(names):
        queued = ["exp", "run", "--queue", "--name", name, "--set-param", f"gate.margin={0.03 + index / 100}"]
        assert run_dvc(*queued, workspace=clone, capture_output=True).returncode == 0
    no_store(clone)
    plant(clone, outputs_of(clone, "report"))
    try:
        queue = start_dvc(clone, "queue", "queue", "start", "-j", "2")
        time.sleep(3 * number)
        ended = [start_dvc(clone, "repro", "repro").wait(), queue.wait()]
        wrong = judge_pair(ended) + await_queue(clone)
    finally:
        run_dvc("queue", "stop", "--kill", workspace=clone, capture_output=True)
    wrong += [] if run_dvc("repro", workspace=clone, capture_output=True).returncode == 0 else ["dvc repro fails"]
    found = read_names(clone)
    wrong += [f"{name} is there {found.count(name)} times" for name in names if found.count(name) != 1]
    return ended, wrong + count(found, 3 * (1 + len(names)))


def edit_beside_queue(folder: Path, number: int) -> tuple[list[Ended], list[str]]:
    """Edit a network while DVC's queue runs an experiment with another edit of it, and look what was trained."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    make_repository(clone)
    network, archive = clone / "src/fashion_mnist/networks/dense.py", clone / archive_of("dense")
    committed = network.read_text()
    network.write_text(committed.replace('"relu"', '"tanh"'))
    queued = ["exp", "run", "--queue", "--name", "queued"]
    assert run_dvc(*queued, workspace=clone, capture_output=True).returncode == 0
    network.write_text(committed)
    try:
        queue = start_dvc(clone, "queue", "queue", "start")
        time.sleep(4 * number)
        network.write_text(committed.replace('"relu"', '"elu"'))
        ended = queue.wait()
        wrong = await_queue(clone)
    finally:
        run_dvc("queue", "stop", "--kill", workspace=clone, capture_output=True)
    network.write_text(committed)
    applied = run_dvc("exp", "apply", "queued", workspace=clone, capture_output=True)
    wrong += [] if applied.returncode == 0 else [f"it cannot be applied: {applied.stderr[-300:]}"]
    with zipfile.ZipFile(archive) as trained:
        found = re.findall(r'"activation": "(\w+)"', trained.read("config.json").decode())
    return [ended], wrong + ([] if found == ["tanh", "softmax"] else [f"what was queued trained {found}"])


def make_repository(clone: Path) -> None:
    """Commit a workspace to git, in which DVC may then make commits for its experiments."""
    for name in (".gitignore", ".dvc/.gitignore", ".dvc/config"):
        shutil.copy(PROJECT / name, clone / name)
    with (clone / ".dvc/.gitignore").open("a") as file:
        file.write("/site-cache\n")
    user = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    for command in (["init", "--quiet"], ["add", "--all"], [*user, "commit", "--quiet", "--message", "one"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    for key, value in (("user.name", "tester"), ("user.email", "tester@example.org")):
        subprocess.run(["git", "config", key, value], cwd=clone, check=True)


def await_queue(clone: Path) -> list[str]:
    """Wait until DVC's queue has run everything, and name what failed."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        said = run_dvc("queue", "status", workspace=clone, capture_output=True).stdout
        if not re.search("Queued|Running", said):
            return [f"the queue: {said[-400:]}"] if "Failed" in said else []
        time.sleep(3)
    return ["the queue does not end"]


def kill_server(folder: Path, number: int, moment: str) -> tuple[list[Ended], list[str]]:
    """Let a server die at one request of `track`, start it again, repeat `track`, and compare."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    no_store(clone)
    server = new_server(folder)
    try:
        ended = track_against(server, clone, kill(server.process, number, moment), log=folder / "requests")
        wrong = [] if ended.code in (0, 1) else [f"exit code {ended.code}"]
        lines = ended.said.splitlines()
        if ended.code and (len(lines) != 1 or not lines[0].startswith(f"error: {server.address}: ")):
            wrong.append(f"says {ended.said[-300:]!r}")
        server.stop()
        server.start()
        again = track_against(server, clone, send_all, log=folder / "requests")
        wrong += [] if again.code == 0 else [f"the repetition fails: {again.said[-300:]}"]
        wrong += compare_runs(read_runs(clone, server.address), reference_runs(folder))
        return [ended], wrong + count(read_names(clone, server.address), 3)
    finally:
        server.stop()


def track_against(server: Server, clone: Path, handle: Handle, *, log: Path) -> Ended:
    """Run `track` against a server, with its requests in the hands of a function."""
    return run_forked(tracking(server, handle, log), clone)


def tracking(server: Server, handle: Handle, log: Path) -> Callable[[], None]:
    """Return a `track` to run in a child."""
    log.unlink(missing_ok=True)

    def track() -> None:
        os.environ["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"
        intercept(handle, log)
        run_stage("track", [], MLFLOW_TRACKING_URI=server.address)

    return track


def list_requests(folder: Path) -> list[str]:
    """List the requests of an undisturbed `track`."""
    clone = folder / "clone"
    restore(folder / "base", clone)
    no_store(clone)
    server = new_server(folder)
    try:
        ended = track_against(server, clone, send_all, log=folder / "requests")
        assert ended.code == 0, ended.said
        return (folder / "requests").read_text().splitlines()
    finally:
        server.stop()


MEETINGS = [
    Meeting("two `track` against one server", two_tracks, 4),
    Meeting("`track` while the pages of `make ui` are open", page_open_while_tracking, 3),
    Meeting("two `dvc repro`", two_repros, 8),
    Meeting("`dvc repro` beside `dvc queue start -j 2`", repro_beside_queue, 2),
    Meeting("an edit of a network while a queued experiment trains another one", edit_beside_queue, 2),
]


KILLINGS = {KILLED_SERVER: kill_server, KILLED_TRACK: kill_track}


def points(folder: Path, most: int) -> Iterator[tuple[str, str, str, int]]:
    """List all meetings and all requests at which a server or `track` dies: name, fault, what, number."""
    for meeting in MEETINGS:
        yield from ((TOGETHER, meeting.name, "", number) for number in range(meeting.times))
    asked = list_requests(folder)
    step = max(1, round(len(asked) / most))
    for number in range(1, len(asked) + 1, step):
        moment = f"{MOMENTS[number // step % len(MOMENTS)]} {asked[number - 1]}"
        yield from ((TOGETHER, name, moment, number) for name in KILLINGS)


def meet(folder: Path, key: tuple[str, str, str, int]) -> Verdict:
    """Let one meeting take place."""
    _, name, what, number = key
    if name in KILLINGS:
        ended, wrong = KILLINGS[name](folder, number, what.partition(" ")[0])
    else:
        ended, wrong = next(meeting.run for meeting in MEETINGS if meeting.name == name)(folder, number)
    worst = max(ended, key=lambda end: abs(end.code))
    said = "\n".join(end.said for end in ended if end.code)[-600:]
    return Verdict(TOGETHER, name, what, number, "", False, worst.code, said, "", wrong)
