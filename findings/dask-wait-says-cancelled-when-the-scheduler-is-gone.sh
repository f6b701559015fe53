#!/usr/bin/env bash
# distributed 2026.8.0, dask 2026.8.0 (Python 3.11, Linux).
#
# Behaviour: when the scheduler dies, what a client raises depends on what it is doing. A question to the scheduler
# raises an OSError, as connections do. wait() on futures raises FuturesCancelledError, a
# concurrent.futures.CancelledError, though nobody has cancelled anything; it is no OSError.
#
# Seen, after the scheduler was killed:
#   nthreads(): OSError
#   wait(): FuturesCancelledError, an OSError: False
#
# Why it matters: a driver that catches OSError around its loop, to say that the scheduler is gone, ends in a traceback
# whenever it was waiting, which is nearly always. Catch CancelledError, too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet distributed==2026.8.0 dask==2026.8.0
cd "$folder"

cat > driver.py <<'PYTHON'
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from threading import Timer

from distributed import Client, wait

logging.disable()
command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]


def lose(name, ask):
    """Connect to a scheduler of its own, kill that, and return what the question raises."""
    file = f"{name}.json"
    with open(os.devnull, "w") as nowhere:
        scheduler = subprocess.Popen([*command, "--scheduler-file", file], stdout=nowhere, stderr=nowhere)
    while not os.path.exists(file):
        time.sleep(0.1)
    client = Client(scheduler_file=file, timeout=30)
    future = client.submit(int)  # no worker comes
    kill = Timer(1, scheduler.send_signal, [signal.SIGKILL])
    kill.start()
    try:
        return ask(client, future, kill)
    except (OSError, CancelledError) as error:
        return error
    finally:
        scheduler.wait()
        client.close(timeout=1)


def question(client, _future, kill):
    kill.join()
    time.sleep(1)
    return client.nthreads()


asked = lose("asked", question)
waited = lose("waited", lambda _client, future, _kill: wait([future], timeout=60))
kind = "OSError" if isinstance(asked, OSError) else type(asked).__name__
print(f"nthreads(): {kind}")
print(f"wait(): {type(waited).__name__}, an OSError: {isinstance(waited, OSError)}")
sys.stdout.flush()
is_same = isinstance(asked, OSError) and isinstance(waited, CancelledError) and not isinstance(waited, OSError)
os._exit(0 if is_same else 1)
PYTHON
"$folder/venv/bin/python" driver.py || { echo "changed: both raise the same kind of error now"; exit 1; }
