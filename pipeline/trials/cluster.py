"""Run trials on a Dask cluster: one embedded in this process, or the one that DASK_SCHEDULER_ADDRESS names.

Only the driver writes. A worker needs the same checkout and the normalized data; it needs no git and no run store.
"""

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, NamedTuple

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, wait

from fashion_mnist.errors import ClusterError
from fashion_mnist.study import Trial
from pipeline.trials.fingerprint import Fingerprint
from pipeline.trials.worker import end_processes, find_difference, work

TRIES = 3
# Trials sent ahead for each thread, so that none waits for the driver.
AHEAD = 2
TICK_SECONDS = 2


class Failure(NamedTuple):
    """A trial that failed as often as it was tried, and why."""

    trial: Trial
    reason: str


class Outcome(NamedTuple):
    """A trial that succeeded: the key of its result, the result as JSON values, and what it took."""

    key: str
    result: Mapping[str, Any]
    seconds: float


@contextmanager
def open_cluster(*, threads: int) -> Iterator[Client]:
    """Connect to the cluster that Dask's settings name; otherwise embed one that fits the cores.

    threads: of each trial. Raises ClusterError where no scheduler answers.
    """
    # Dask describes each lost connection in many lines; what matters is said by `run_trials`.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    address = dask.config.get("scheduler-address", None)
    if address:
        try:
            client = Client(address)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{address}: no Dask scheduler answers ({' '.join(str(error).split())[:120]}); start one with "
                "`dask scheduler`, or unset DASK_SCHEDULER_ADDRESS to run here"
            ) from error
        with client:
            yield client
        return
    slots = max(1, len(os.sched_getaffinity(0)) // threads)
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=slots,
            processes=False,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            end_processes()


def run_trials(
    client: Client,
    trials: Mapping[str, Trial],
    fingerprint: Fingerprint,
    *,
    on_outcome: Callable[[Outcome], None],
    say: Callable[[str], None],
    task: Callable[..., dict[str, Any]] = work,
) -> list[Failure]:
    """Run trials, by the key of their result, in their order; returns those that failed as often as they were tried.

    on_outcome: called for each as it succeeds. say: called with a line where a worker is refused or none is there.
    task: what a worker does with a trial. A trial whose worker is lost runs again elsewhere. Raises ClusterError when
    every worker is refused, or the scheduler is gone.
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
                future = client.submit(
                    task, trials[key].document(), fingerprint._asdict(), key=name, workers=allowed, pure=False
                )
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


class Sent(NamedTuple):
    """A trial that was sent: the key of its result, and the only workers that may run it, if not all may."""

    key: str
    allowed: list[str] | None


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
            if allowed is not None and not set(allowed) & set(present):
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
        self._said_waiting = False

    def refresh(self) -> None:
        """Look who is there and check the new ones. Raises ClusterError if all are refused."""
        self.present = self._client.nthreads()
        if new := [address for address in self.present if address not in self._checked]:
            found = self._client.run(find_difference, self._expected, workers=new, on_error="return")
            for address, difference in found.items():
                if isinstance(difference, OSError):
                    continue  # it left before it answered
                self._checked.add(address)
                if isinstance(difference, Exception):
                    difference = f"{difference}; expected a worker started in a checkout of this project"
                if difference:
                    self.refuse(address, difference)
        if self.present and not self.threads():
            address = next(iter(self.present))
            raise ClusterError(f"no worker may run a trial; {address}: {self._refused[address]}")
        if not self.present and not self._said_waiting:
            self._say("no worker is there yet; waiting for one")
        self._said_waiting = not self.present

    def refuse(self, address: str, reason: str) -> None:
        """Send no more trials to a worker."""
        if address not in self._refused:
            self._refused[address] = reason
            self._say(f"worker {address} is refused: {reason}")

    def threads(self) -> int:
        """Count the trials that can run at a time."""
        return sum(threads for address, threads in self.present.items() if address not in self._refused)

    def allowed(self) -> list[str] | None:
        """List the workers that may run a trial; None if all may."""
        if not set(self._refused) & set(self.present):
            return None
        return [address for address in self.present if address not in self._refused]


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
