"""Log a training's epochs to the run store while it runs; started by `live`, which writes them to stdin."""

import json
import os
import sys
from collections.abc import Sequence

from fashion_mnist.sources.known import registered_name
from pipeline.runtime.command import parse_arguments, run
from pipeline.runtime.parameters import read_params
from pipeline.store.connection import open_store
from pipeline.store.runs import LIVE, PROCESS, Content, Measure, fill_run, start_run


def main(argv: Sequence[str] | None = None) -> None:
    """Open a run, log each epoch as it arrives, and close the run when the pipe ends."""
    model = parse_arguments(argv, description=__doc__, model="the model in training").model
    status = "KILLED"
    experiment = os.environ.get("DVC_EXP_NAME")
    tags = {LIVE: "true", "model": model, PROCESS: str(os.getppid())}
    with open_store(registered_name(read_params().download), exclusive=False) as store:
        run_id = start_run(store, name=f"{experiment}: {model}" if experiment else model, tags=tags)
        for line in sys.stdin:
            message = json.loads(line)
            if "finished" in message:
                status = "FINISHED"
            else:
                epoch = int(message["epoch"].pop("epoch"))
                measures = [Measure(f"epoch_{key}", value, epoch) for key, value in message["epoch"].items()]
                fill_run(store, run_id, Content({}, measures))
        store.client.set_terminated(run_id, status)


if __name__ == "__main__":
    run(main)
