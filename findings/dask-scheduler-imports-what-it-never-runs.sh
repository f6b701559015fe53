#!/usr/bin/env bash
# distributed 2026.8.0, dask 2026.8.0 (Python 3.11, Linux).
#
# Behaviour: the scheduler unpickles every task graph, so it must be able to import the modules of functions that only
# workers run. Client.run goes past the task graph: the usual question whether the workers have a module and can call
# it is answered with yes, and the first submitted task fails.
#
# Seen, with a scheduler that cannot import the module, and a worker and a client that can:
#   Client.run(work.double, 21): [42]
#   Client.submit(work.double, 21): RuntimeError: Error during deserialization of the task graph.
#   Client.submit of a function of the script that imports work when it runs: 42
#
# Why it matters: a scheduler in a small image of its own, or started in another folder, looks healthy in every check of
# the workers. Let the check submit a task; or submit a function that is pickled by value and imports within.
set -euo pipefail

folder=$(mktemp -d)
started=()
trap 'exec 2>/dev/null; kill -KILL "${started[@]}" || true; wait || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet distributed==2026.8.0 dask==2026.8.0
cd "$folder"
mkdir modules
cat > modules/work.py <<'PYTHON'
def double(number):
    return 2 * number
PYTHON

export PATH="$folder/venv/bin:$PATH" DASK_LOGGING__DISTRIBUTED=error
dask scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file scheduler.json >scheduler.log 2>&1 &
started+=($!)
PYTHONPATH="$folder/modules" dask worker --scheduler-file scheduler.json --nthreads 1 --no-nanny --no-dashboard \
    --local-directory "$folder/scratch" >worker.log 2>&1 &
started+=($!)

PYTHONPATH="$folder/modules" python - <<'PYTHON'
import logging
import sys

import work
from distributed import Client


def import_and_double(number):
    import work

    return work.double(number)


logging.disable()
with Client(scheduler_file="scheduler.json", timeout=60) as client:
    client.wait_for_workers(1, timeout=60)
    ran = list(client.run(work.double, 21).values())
    print("Client.run(work.double, 21):", ran)
    try:
        submitted = client.submit(work.double, 21).result(timeout=60)
        print("Client.submit(work.double, 21):", submitted)
    except RuntimeError as error:
        submitted = None
        print(f"Client.submit(work.double, 21): RuntimeError: {str(error).split('.')[0]}.")
    within = client.submit(import_and_double, 21).result(timeout=60)
    print("Client.submit of a function of the script that imports work when it runs:", within)

if ran != [42] or submitted is not None or within != 42:
    sys.exit("changed: the scheduler no longer needs the module, or Client.run does")
PYTHON
