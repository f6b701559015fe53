"""Connect to the Dask cluster that DASK_SCHEDULER_ADDRESS names; without it, embed one in this process."""

import asyncio
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, NamedTuple

import dask
from dask.utils import parse_timedelta
from distributed import Client, LocalCluster, Security, rpc
from distributed.versions import VersionMismatchWarning

from fashion_mnist.errors import ClusterError, innermost
from pipeline.runtime.machine import available_workers
from pipeline.study.process import end_processes

LONGEST_REASON = 160


class Service(NamedTuple):
    """What listens at an address: the kind, such as Scheduler or Worker, and its version of `distributed`."""

    kind: str
    version: str


@contextmanager
def open_cluster(*, say: Callable[[str], None]) -> Iterator[Client]:
    """Connect to the cluster that Dask's settings name; otherwise embed one that fits the cores.

    say: called with a line, since a connection may take half a minute. Raises ClusterError if no scheduler answers.
    """
    # Dask describes each lost connection in many lines; what matters is said by `run_trials`.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if address := dask.config.get("scheduler-address", None):
        say(f"connecting to the scheduler at {str(address).strip()}")
        with connect(str(address).strip(), say=say) as client:
            yield client
        return
    # Without a network; this machine alone needs none.
    warnings.filterwarnings("ignore", "Couldn't detect a suitable IP address", RuntimeWarning)
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=available_workers(),
            processes=False,
            # Dask's default is a fixed port on every network, which a second study would find taken.
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            end_processes()


def connect(address: str, *, say: Callable[[str], None]) -> Client:
    """Connect to a scheduler. Raises ClusterError if none answers; says so if one of another version does."""
    warnings.simplefilter("ignore", VersionMismatchWarning)  # a table of versions, of which only one matters here
    patience = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    name, difference = f"scheduler-address {address}", ""
    try:
        # Dask itself would wait without end for the answer of a port that is silent.
        found = asyncio.run(asyncio.wait_for(identify(address), patience + 1))
        if found.version != (here := version("distributed")):
            difference = f"its distributed is {found.version}, here it is {here}"
        client = Client(address) if found.kind == "Scheduler" else None
    except Exception as error:  # what Dask raises depends on the bytes that another service sends
        reason = difference or why_unreachable(error, patience)
        raise ClusterError(
            f"{name}: no Dask scheduler answers ({reason}); expected the address that `dask scheduler` prints. "
            "To train on this machine, unset that, or DASK_SCHEDULER_ADDRESS"
        ) from error
    if client is None:
        raise ClusterError(f"{name}: is a Dask {found.kind.lower()}; expected the scheduler's address")
    if difference:
        say(f"{name}: {difference}; if trials get lost, start the scheduler with version {here}")
    return client


async def identify(address: str) -> Service:
    """Ask what listens at an address."""
    security = Security().get_connection_args("client")
    async with rpc(address, connection_args=security) as service:
        identity: dict[str, Any] = await service.identity()
        versions: dict[str, Any] = await service.versions()
    return Service(identity["type"], versions["packages"]["distributed"])


def why_unreachable(error: Exception, patience: float) -> str:
    """Say in some words why there is no connection."""
    if isinstance(error, MemoryError):  # the first bytes, read as a length
        return "what listens there speaks another protocol"
    if isinstance(error, TimeoutError):
        return f"what listens there said nothing for {patience:.0f} s"
    return innermost(error)[:LONGEST_REASON]
