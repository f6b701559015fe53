#!/usr/bin/env bash
# MLflow 3.17.2, NumPy 2.4.6 (Python 3.11, Linux).
#
# Behaviour: a model with a signature of uint8 refuses an array of floats in Python: the type is not the expected one.
# The same model behind `mlflow models serve` casts the numbers of a JSON request to uint8 before the signature is
# checked, since JSON has no types. 0.25 and 0.999 become 0, 1.9 becomes 1, and the answer has status 200. Only values out
# of range are refused.
#
# Seen:
#   predict([[0.25, 0.999, 1.9]]) in Python: MlflowException
#   POST {"inputs": [[0.25, 0.999, 1.9]]}: 200, the model got [[0, 0, 1]]
#   POST {"inputs": [[1, 2, 300]]}: 400
#
# Why it matters: pixels that a client has scaled to [0, 1], the most common slip with images, arrive as a black image
# and get a confident class. What a signature forbids in a test is not forbidden in production.
set -euo pipefail

folder=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2 numpy==2.4.6
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true PATH="$folder/venv/bin:$PATH" PYTHONWARNINGS=ignore

cat > echo_model.py <<'PYTHON'
import mlflow


class Echo(mlflow.pyfunc.PythonModel):
    """Give back what arrives."""

    def predict(self, context, model_input):
        return model_input


mlflow.models.set_model(Echo())
PYTHON

python - <<'PYTHON'
import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

signature = ModelSignature(Schema([TensorSpec(np.dtype("uint8"), (-1, 3))]))
mlflow.pyfunc.save_model("model", python_model="echo_model.py", signature=signature, pip_requirements=[])
PYTHON

port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mlflow models serve --model-uri model --env-manager local --port "$port" >server.log 2>&1 &
server=$!

python - "$port" <<'PYTHON'
import json
import sys
import time
import urllib.error
import urllib.request

import mlflow
import numpy as np

ADDRESS = f"http://127.0.0.1:{sys.argv[1]}"


def wait_for_server():
    for _ in range(120):
        try:
            return urllib.request.urlopen(f"{ADDRESS}/ping", timeout=5)
        except OSError:
            time.sleep(0.5)
    sys.exit("the server did not start within a minute")


def post(rows):
    """Return status and predictions."""
    body = json.dumps({"inputs": rows})
    request = urllib.request.Request(f"{ADDRESS}/invocations", body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, got = answer.status, json.load(answer)["predictions"]
        print(f"POST {body}: {status}, the model got {got}")
    except urllib.error.HTTPError as error:
        status, got = error.code, None
        print(f"POST {body}: {status}")
    return status, got


floats = [[0.25, 0.999, 1.9]]
try:
    mlflow.pyfunc.load_model("model").predict(np.array(floats))
    refused = "answered"
except mlflow.MlflowException as error:
    refused = type(error).__name__
print(f"predict({floats}) in Python: {refused}")
wait_for_server()
served = post(floats)
post([[1, 2, 300]])

if refused == "answered" or served != (200, [[0, 0, 1]]):
    sys.exit("changed: Python and the server treat floats alike")
PYTHON
