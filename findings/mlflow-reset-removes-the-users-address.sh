#!/usr/bin/env bash
# MLflow 3.17.2 (Python 3.11, Linux).
#
# Behaviour: mlflow.set_tracking_uri writes its address into os.environ, over the value that the user has set in
# MLFLOW_TRACKING_URI. set_tracking_uri(None), the call that goes back to the default, deletes the variable. So a
# function that sets an address for itself and resets it afterwards does not give the user's address back: from then on
# this process and all its children write to a local store.
#
# Seen:
#   the user's address: sqlite:///USERS.db
#   a child of the process, after set_tracking_uri: sqlite:///OTHER.db
#   after set_tracking_uri(None), the variable is: None
#   get_tracking_uri no longer gives the user's address
#
# Why it matters: a test, a plug-in or a helper that sets and resets the address moves all later runs from the server to
# a file, without a word. Code that asks the environment for the user's wish must do so before the first such call.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI=sqlite:///USERS.db

"$folder/venv/bin/python" - <<'PYTHON'
import os
import subprocess
import sys

import mlflow

NAME, USERS = "MLFLOW_TRACKING_URI", os.environ["MLFLOW_TRACKING_URI"]
print("the user's address:", USERS)

mlflow.set_tracking_uri("sqlite:///OTHER.db")
ask = [sys.executable, "-c", "import mlflow; print(mlflow.get_tracking_uri())"]
child = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
print("a child of the process, after set_tracking_uri:", child)

mlflow.set_tracking_uri(None)
print("after set_tracking_uri(None), the variable is:", os.environ.get(NAME))
forgotten = mlflow.get_tracking_uri() != USERS
print("get_tracking_uri", "no longer gives" if forgotten else "gives", "the user's address")

if child == USERS or NAME in os.environ or not forgotten:
    sys.exit("changed: the user's address outlives the call")
PYTHON
