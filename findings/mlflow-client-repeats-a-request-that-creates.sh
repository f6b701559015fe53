#!/usr/bin/env bash
# MLflow 3.17.2 (Python 3.11, Linux).
#
# Behaviour: MLflow's client repeats a request that was answered with a status such as 502, also one that creates
# something. If a proxy gives up while the server behind it succeeds, one call of create_run makes several runs. The
# caller sees one, and no error.
#
# Seen, with a server that makes a run at each request and answers the first two with 502:
#   create_run returned the run 3; the server has made 3 runs
#
# Why it matters: the two others stay RUNNING for ever, without metrics. Whoever counts runs, or takes the newest, finds
# them. Search for the run by a tag of your own before and after you create it, or set
# MLFLOW_HTTP_REQUEST_MAX_RETRIES=0 where runs are created.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2
cd "$folder"
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR=0 MLFLOW_HTTP_REQUEST_BACKOFF_JITTER=0

"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from mlflow import MlflowClient

made = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        made.append(str(len(made) + 1))
        info = {"run_id": made[-1], "run_uuid": made[-1], "experiment_id": "0", "status": "RUNNING"}
        body = json.dumps({"run": {"info": info, "data": {}}}).encode()
        self.send_response(502 if len(made) < 3 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with HTTPServer(("127.0.0.1", 0), Server) as server:
    Thread(target=server.serve_forever, daemon=True).start()
    run = MlflowClient(f"http://127.0.0.1:{server.server_port}").create_run("0")
    print(f"create_run returned the run {run.info.run_id}; the server has made {len(made)} runs")
    server.shutdown()

if run.info.run_id != "3" or len(made) != 3:
    sys.exit("changed: a request that creates a run is no longer repeated")
PYTHON
