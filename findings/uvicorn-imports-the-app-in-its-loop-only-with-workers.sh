#!/usr/bin/env bash
# uvicorn 0.54.0 (Python 3.11, Linux).
#
# Behaviour: with one worker, uvicorn imports the application before its event loop runs; with two, each worker imports
# it while the loop runs. So asyncio.get_running_loop() at import raises RuntimeError in the first case, and gives the
# server's loop in the second. A lifespan function runs in the loop in both.
#
# Seen:
#   1 worker: imported without a loop
#   2 workers: imported in a loop
#
# Why it matters: code that runs at import, such as loading a model, can set up the loop (its default executor, which
# has four threads more than cores, or a task) and be tested with two workers, where it works. With one, a RuntimeError
# ends the start, or, where it is suppressed for processes that serve nothing, the server quietly keeps asyncio's few
# threads. Use a lifespan function.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uvicorn==0.54.0
cd "$folder"

cat > served.py <<'PYTHON'
"""An application that says, when it is imported, whether an event loop runs."""

import asyncio

try:
    asyncio.get_running_loop()
    print("imported in a loop", flush=True)
except RuntimeError:
    print("imported without a loop", flush=True)


async def app(scope, receive, send):
    """Answer nothing."""
PYTHON

for workers in 1 2; do
    "$folder/venv/bin/uvicorn" served:app --port 0 --workers "$workers" > "said-$workers" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        grep -q imported "said-$workers" && break
        sleep 0.2
    done
    kill -INT "$server"
    wait "$server" || true
done
one=$(grep imported said-1 | sort -u) two=$(grep imported said-2 | sort -u)
printf '1 worker: %s\n2 workers: %s\n' "$one" "$two"

if [ "$one" != "imported without a loop" ] || [ "$two" != "imported in a loop" ]; then
    echo "changed: one worker and two import the application in the same place" >&2
    exit 1
fi
