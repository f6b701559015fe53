"""Take turns at a server: one process at a time decides which runs it lacks, so none is made twice.

On this machine a lock on a file would do, but a server has writers elsewhere. MLflow gives a registered model's name
to one caller alone: whoever made this one may write, and deletes it when done.
"""

import fcntl
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.store.connection import Store, TrackingError
from pipeline.store.refusals import hide_password
from pipeline.store.runs import is_running

TURN = "fashion-mnist-being-written"
PATIENCE_SECONDS = 120.0
TAKEN = "RESOURCE_ALREADY_EXISTS"


@contextmanager
def turn(store: Store) -> Iterator[None]:
    """Let no other process write to a server until the block ends; a store on this machine has a lock of its own.

    Waits for another process, and says so. Raises TrackingError, in one line, if that does not finish in two minutes.
    """
    if not str(store.client.tracking_uri).startswith("http"):
        yield
        return
    take_turn(store.client)
    try:
        yield
    finally:
        # If the server is gone, the next process here sees that this one has ended.
        with suppress(MlflowException, OSError):
            store.client.delete_registered_model(TURN)


def take_turn(client: MlflowClient) -> None:
    """Wait until the name is free, and take it."""
    me = {"host": platform.node(), "process": str(os.getpid())}
    address = hide_password(client.tracking_uri)
    end, waits = time.monotonic() + PATIENCE_SECONDS, False
    while not create(client, me):
        holder = find_holder(client)
        if holder is None or has_ended(client, holder):
            continue
        if holder == me:  # the answer to our own request was lost, and the request repeated
            return
        who = f"process {holder.get('process')} on {holder.get('host')}"
        if time.monotonic() > end:
            raise TrackingError(
                f"{address}: {who} has been writing for {PATIENCE_SECONDS:.0f} s; expected it to finish. Run again "
                f"when it has; if it was killed, delete the registered model {TURN} there first"
            )
        if not waits:
            print(f"waiting for {who}, which writes to {address}", file=sys.stderr)  # noqa: T201
            waits = True
        time.sleep(0.5)


def create(client: MlflowClient, tags: Mapping[str, str]) -> bool:
    """Make the registered model that stands for the turn; False if it is there."""
    try:
        client.create_registered_model(TURN, tags=dict(tags), description="Here while a process writes runs.")
    except MlflowException as error:
        if error.error_code != TAKEN:
            raise
        return False
    return True


def find_holder(client: MlflowClient) -> dict[str, str] | None:
    """Return the host and process of whoever has the turn; None if nobody has."""
    found = client.search_registered_models(f"name = '{TURN}'")
    return dict(found[0].tags) if found else None


def has_ended(client: MlflowClient, holder: Mapping[str, str]) -> bool:
    """Free the turn of a process of this machine that was killed; False if it runs, or nobody can tell from here."""
    if holder.get("host") != platform.node() or is_running(holder["process"]):
        return False
    # Two that notice must not both delete: the second would delete what the first has taken since.
    with (Path(tempfile.gettempdir()) / f"{TURN}-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find_holder(client) == holder:
            with suppress(MlflowException):
                client.delete_registered_model(TURN)
    return True
