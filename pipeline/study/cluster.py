"""Run trials on the workers of a Dask cluster (connection.py opens it).

Only the driver writes. A worker needs the same checkout and the normalized data; it needs no git and no run store.
"""

import os
import shutil
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from distributed import Client, Future, KilledWorker, wait

from fashion_mnist.errors import ClusterError
from fashion_mnist.study.plan import Trial
from pipeline.study.key import Basis

RETRIES = 2
# Trials sent ahead for each thread, so that none waits for the driver.
AHEAD = 2
TICK_SECONDS = 2
SQUEUE_SECONDS = 20
# How long a study without workers is silent: twice as long each time, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 60, 900
# What a worker runs: a function of its own checkout, the folder that it was started in. It is sent as text because the
# scheduler unpickles whatever is sent and has no checkout, `dask worker` does not import from its folder, and compiled
# code fits only one version of Python.
IN_CHECKOUT = """
import os, sys
if os.getcwd() not in sys.path:
    sys.path.insert(0, os.getcwd())
try:
    from pipeline.study import worker
except SystemExit as error:  # what a command does without the environment; it would end the worker, again and again
    raise ImportError(f"{sys.executable} has not the project's packages") from error
answer = getattr(worker, function)(*arguments)
"""


class Failure(NamedTuple):
    """A trial that failed as often as it was tried, and why."""

    trial: Trial
    reason: str


class Finished(NamedTuple):
    """A trial that succeeded: the key of its result, the result as JSON values, and what it took."""

    key: str
    result: Mapping[str, Any]
    seconds: float


class Sent(NamedTuple):
    """A trial that was sent: the key of its result, and the only workers that may run it."""

    key: str
    workers: Collection[str]


def run_trials(
    client: Client,
    trials: Mapping[str, Trial],
    basis: Basis,
    *,
    on_finished: Callable[[Finished], None],
    say: Callable[[str], None],
) -> list[Failure]:
    """Run trials, by the key of their result, in their order; returns those that failed as often as they were tried.

    on_finished: called for each as it succeeds. say: called with a line if a worker is refused or none is there. Dask
    retries a trial that fails, and runs one whose worker is lost elsewhere. Raises ClusterError when every worker is
    refused, or the scheduler is gone.
    """
    waiting, numbers = deque(trials), count()
    running: dict[Future[Any], Sent] = {}
    failures: list[Failure] = []
    workers = Workers(client, basis, say)
    try:
        while waiting or running:
            workers.refresh()
            for future in [future for future, sent in running.items() if workers.are_gone(sent.workers)]:
                future.cancel()  # nobody would ever run it
                waiting.appendleft(running.pop(future).key)
            while waiting and len(running) < AHEAD * workers.threads():
                key, allowed = waiting.popleft(), workers.allowed()
                name = f"{trials[key].kind}_{trials[key].model}-{key}-{next(numbers)}"
                call = call_of("work", trials[key].document(), basis._asdict())
                future = client.submit(*call, key=name, workers=allowed, retries=RETRIES, pure=False)
                running[future] = Sent(key, allowed)
            for future in wait_for_some(running):
                key = running.pop(future).key
                if reason := reason_of(future):
                    failures.append(Failure(trials[key], reason))
                elif "refused" in (answer := future.result()):
                    workers.refuse(answer["worker"], answer["refused"])
                    waiting.appendleft(key)
                else:
                    on_finished(Finished(key, answer["result"], answer["seconds"]))
    except (OSError, CancelledError) as error:  # what Dask raises for a connection that breaks, timeouts among them
        raise ClusterError(
            f"the Dask scheduler is gone ({' '.join(str(error).split())[:120]}); finished trials are stored. "
            "Run again to continue"
        ) from error
    return failures


def call_of(function: str, *arguments: object) -> tuple[Any, ...]:
    """Return what Dask is told in order to call a function of pipeline.study.worker in a worker's checkout."""
    return eval, "exec(source) or answer", {"source": IN_CHECKOUT, "function": function, "arguments": arguments}


class Workers:
    """The workers of a cluster, each checked when it appears: one with other code, packages or data is refused."""

    def __init__(self, client: Client, basis: Basis, say: Callable[[str], None]) -> None:
        self._client, self._expected, self._say = client, basis._asdict(), say
        self._present: dict[str, int] = {}
        self._checks: dict[str, Future[Any]] = {}
        self._accepted: set[str] = set()
        self._refused: dict[str, str] = {}
        self._silent_until, self._pause = 0.0, FIRST_PAUSE

    def refresh(self) -> None:
        """Look who is there and check the new ones. Raises ClusterError if all are refused."""
        self._present = self._client.nthreads()
        # A worker that comes back under its former address may be another.
        self._accepted &= self._present.keys()
        self._refused = {address: reason for address, reason in self._refused.items() if address in self._present}
        self._checks = {address: check for address, check in self._checks.items() if address in self._present}
        for address in self._present.keys() - self._accepted - self._refused.keys() - self._checks.keys():
            call = call_of("find_difference", self._expected)
            self._checks[address] = self._client.submit(*call, workers=[address], pure=False)
        if self._checks and not self._accepted:  # nobody works meanwhile
            wait_for_some(self._checks.values())
        for address in [address for address, check in self._checks.items() if check.done()]:
            self._take_answer(address, self._checks.pop(address))
        if self._present and self._refused.keys() == self._present.keys():
            address, reason = next(iter(self._refused.items()))
            raise ClusterError(f"no worker may run a trial; {address}: {reason}")
        self._say_whether_anyone_is_there()

    def _take_answer(self, address: str, check: Future[Any]) -> None:
        """Accept or refuse a worker by what it answered; one that left before is checked when it comes back."""
        if check.status == "error" and not isinstance(check.exception(), KilledWorker):
            folder = self._client.run(os.getcwd, workers=[address], on_error="return").get(address)
            said = f"{folder}: {check.exception()}"
            self.refuse(address, f"{said}; expected a checkout of this project, and `dask worker` of its environment")
        elif check.status == "finished" and (difference := check.result()):
            self.refuse(address, difference)
        elif check.status == "finished":
            self._accepted.add(address)

    def _say_whether_anyone_is_there(self) -> None:
        if self._present:
            self._silent_until, self._pause = 0.0, FIRST_PAUSE
        elif time.monotonic() >= self._silent_until:
            self._say(f"no worker is there; waiting for one{describe_jobs()}")
            self._silent_until = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def refuse(self, address: str, reason: str) -> None:
        """Send no more trials to a worker."""
        self._accepted.discard(address)
        if address not in self._refused:
            self._refused[address] = reason
            self._say(f"worker {address} is refused: {reason}")

    def threads(self) -> int:
        """Count the trials that can run at a time."""
        return sum(self._present[address] for address in self._accepted)

    def allowed(self) -> list[str]:
        """List the workers that may run a trial."""
        return sorted(self._accepted)

    def are_gone(self, addresses: Collection[str]) -> bool:
        """Tell whether none of these workers is there any more."""
        return not self._present.keys() & set(addresses)


def wait_for_some(futures: Collection["Future[Any]"]) -> list["Future[Any]"]:
    """Wait until a future ends, or a moment; returns those that have ended."""
    if not futures:
        time.sleep(TICK_SECONDS)
    else:
        with suppress(TimeoutError):
            wait(list(futures), timeout=TICK_SECONDS, return_when="FIRST_COMPLETED")
    return [future for future in futures if future.done()]


def reason_of(future: "Future[Any]") -> str:
    """Say why a trial failed for good; empty if it did not."""
    if future.status != "error":
        return ""
    error = future.exception()
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return "its workers were lost" if isinstance(error, KilledWorker) else said


def describe_jobs() -> str:
    """Return the end of a line on this user's SLURM jobs: how many are in which state, and why; empty without SLURM."""
    if not shutil.which("squeue"):
        return ""
    command = ["squeue", "--me", "--noheader", "--format=%T|%r|%j"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SQUEUE_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"; squeue does not answer ({error})"
    if done.returncode:
        return f"; {done.stderr.splitlines()[0]}" if done.stderr else ""
    jobs = Counter(tuple(line.split("|", 2)) for line in done.stdout.splitlines())
    if not jobs:
        return "; squeue lists no job of yours"
    states = (f"{number} x {name} {state} ({reason})" for (state, reason, name), number in jobs.items())
    return f"; squeue: {', '.join(states)}"
