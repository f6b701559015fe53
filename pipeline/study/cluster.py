"""Run trials on the workers of a Dask cluster (connection.py opens it).

Only the driver writes. A worker needs the same checkout and the normalized data; it needs no git and no run store.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from distributed import Client, Future, KilledWorker, wait

from fashion_mnist.errors import ClusterError
from fashion_mnist.study.plan import Trial
from pipeline.study.key import Fingerprint
from pipeline.study.slurm import describe_jobs

TRIES = 3
# Trials sent ahead for each thread, so that none waits for the driver.
AHEAD = 2
TICK_SECONDS = 2
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


class Outcome(NamedTuple):
    """A trial that succeeded: the key of its result, the result as JSON values, and what it took."""

    key: str
    result: Mapping[str, Any]
    seconds: float


def run_trials(
    client: Client,
    trials: Mapping[str, Trial],
    fingerprint: Fingerprint,
    *,
    on_outcome: Callable[[Outcome], None],
    say: Callable[[str], None],
) -> list[Failure]:
    """Run trials, by the key of their result, in their order; returns those that failed as often as they were tried.

    on_outcome: called for each as it succeeds. say: called with a line where a worker is refused or none is there.
    A trial whose worker is lost runs again elsewhere. Raises ClusterError when every worker is refused, or the
    scheduler is gone.
    """
    queue = Queue(trials)
    workers = Workers(client, fingerprint, say)
    try:
        while queue.waiting or queue.running:
            workers.refresh()
            queue.take_back(workers.present)
            room = AHEAD * workers.threads() - len(queue.running)
            for key in queue.next(room):
                name = f"{trials[key].kind}_{trials[key].model}-{key}-{next(queue.numbers)}"
                allowed = workers.allowed()
                call = call_of("work", trials[key].document(), fingerprint._asdict())
                future = client.submit(*call, key=name, workers=allowed, pure=False)
                queue.running[future] = Sent(key, allowed)
            for future in wait_for_some(queue.running):
                key = queue.running.pop(future).key
                answer = read_answer(future)
                if "result" in answer:
                    on_outcome(Outcome(key, answer["result"], answer["seconds"]))
                elif "refused" in answer:
                    workers.refuse(answer["worker"], answer["refused"])
                    queue.waiting.appendleft(key)
                else:
                    queue.try_again(key, answer["failed"])
    except OSError as error:  # what Dask raises for a connection that breaks, timeouts among them
        raise ClusterError(
            f"the Dask scheduler is gone ({' '.join(str(error).split())[:120]}); finished trials are stored. "
            "Run again to continue"
        ) from error
    return queue.failures


def call_of(function: str, *arguments: object) -> tuple[Any, ...]:
    """Return what Dask is told in order to call a function of pipeline.study.worker in a worker's checkout."""
    return eval, "exec(source) or answer", {"source": IN_CHECKOUT, "function": function, "arguments": arguments}


class Sent(NamedTuple):
    """A trial that was sent: the key of its result, and the only workers that may run it."""

    key: str
    allowed: list[str]


class Queue:
    """The trials that wait, those that were sent, and those that failed too often."""

    def __init__(self, trials: Mapping[str, Trial]) -> None:
        self.waiting = deque(trials)
        self.running: dict[Future[Any], Sent] = {}
        self.failures: list[Failure] = []
        self.numbers = count()
        self._trials = trials
        self._tries = Counter[str]()

    def next(self, most: int) -> Iterator[str]:
        """Take up to `most` of the waiting trials."""
        for _ in range(min(most, len(self.waiting))):
            yield self.waiting.popleft()

    def take_back(self, present: Iterable[str]) -> None:
        """Let those trials wait again whose allowed workers are all gone: nobody would ever run them."""
        for future, (key, allowed) in list(self.running.items()):
            if not set(allowed) & set(present):
                future.cancel()
                del self.running[future]
                self.waiting.appendleft(key)

    def try_again(self, key: str, reason: str) -> None:
        """Let a trial wait again, at the end; give it up if it was tried often enough."""
        self._tries[key] += 1
        if self._tries[key] < TRIES:
            self.waiting.append(key)
        else:
            self.failures.append(Failure(self._trials[key], reason))


class Workers:
    """The workers of a cluster, each checked when it appears: one with other code, packages or data is refused."""

    def __init__(self, client: Client, fingerprint: Fingerprint, say: Callable[[str], None]) -> None:
        self.present: dict[str, int] = {}
        self._client, self._expected, self._say = client, fingerprint._asdict(), say
        self._checked: set[str] = set()
        self._refused: dict[str, str] = {}
        self._silent_until, self._pause = 0.0, FIRST_PAUSE

    def refresh(self) -> None:
        """Look who is there and check the new ones. Raises ClusterError if all are refused."""
        self.present = self._client.nthreads()
        # A worker that comes back under its former address may be another.
        self._checked &= set(self.present)
        self._refused = {address: reason for address, reason in self._refused.items() if address in self.present}
        if new := [address for address in self.present if address not in self._checked]:
            self._check(new)
        if self.present and self._refused.keys() == self.present.keys():
            address, reason = next(iter(self._refused.items()))
            raise ClusterError(f"no worker may run a trial; {address}: {reason}")
        self._say_whether_anyone_is_there()

    def _check(self, new: list[str]) -> None:
        call = call_of("find_difference", self._expected)
        found = self._client.run(*call, workers=new, on_error="return")
        for address, difference in found.items():
            if isinstance(difference, OSError):
                continue  # it left before it answered
            self._checked.add(address)
            if isinstance(difference, Exception):
                folder = self._client.run(os.getcwd, workers=[address], on_error="return").get(address)
                difference = (
                    f"{folder}: {difference}; expected a checkout of this project, and `dask worker` of its environment"
                )
            if difference:
                self.refuse(address, difference)

    def _say_whether_anyone_is_there(self) -> None:
        if self.present:
            self._silent_until, self._pause = 0.0, FIRST_PAUSE
        elif time.monotonic() >= self._silent_until:
            self._say(f"no worker is there; waiting for one{describe_jobs()}")
            self._silent_until = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def refuse(self, address: str, reason: str) -> None:
        """Send no more trials to a worker."""
        if address not in self._refused:
            self._refused[address] = reason
            self._say(f"worker {address} is refused: {reason}")

    def threads(self) -> int:
        """Count the trials that can run at a time."""
        return sum(self.present[address] for address in self.allowed())

    def allowed(self) -> list[str]:
        """List the workers that may run a trial."""
        return [address for address in self.present if address in self._checked and address not in self._refused]


def wait_for_some(running: Iterable["Future[Any]"]) -> list["Future[Any]"]:
    """Wait until a trial ends, or a moment; returns those that have ended."""
    futures = list(running)
    if not futures:
        time.sleep(TICK_SECONDS)
    else:
        with suppress(TimeoutError):
            wait(futures, timeout=TICK_SECONDS, return_when="FIRST_COMPLETED")
    return [future for future in futures if future.done()]


def read_answer(future: "Future[Any]") -> dict[str, Any]:
    """Return what a worker answered; `failed` and the reason if there is no answer."""
    if future.status == "finished":
        answer: dict[str, Any] = future.result()
        return answer
    if future.status == "error":
        error = future.exception()
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return {"failed": "its workers were lost" if isinstance(error, KilledWorker) else reason}
    return {"failed": "the scheduler lost it"}
