"""Mirror the results into MLflow: models, reports, the study, dvc.lock -> runs in the store, tracking/receipt.json.

Every run is made from files and marked with a fingerprint of what made it, so each is in the store once. The only DVC
output is the receipt. MLFLOW_TRACKING_URI may name a server; otherwise the store is the folder tracking/.
"""

from collections.abc import Sequence

from fashion_mnist.sources.known import registered_name
from pipeline.bytes.formats import write_json
from pipeline.runtime.command import parse_arguments, run, say
from pipeline.runtime.parameters import read_params
from pipeline.runtime.paths import RECEIPT
from pipeline.store.connection import open_store
from pipeline.store.projection import project
from pipeline.store.runs import STATE, close_live_runs
from pipeline.store.state import read_state
from pipeline.store.study_runs import fingerprint_study, project_study
from pipeline.study.tables import find_study


def main(argv: Sequence[str] | None = None) -> None:
    """Project the present state and study into the store, and leave a receipt that says which runs belong to them."""
    parse_arguments(argv, description=__doc__)
    params = read_params()
    name, state = registered_name(params.download), read_state(params)
    study = find_study(params, state.data)
    receipt = {STATE: state.fingerprint, "runs": {name: state.fingerprint_of(name) for name in state.scores}}
    with open_store(name) as store:
        close_live_runs(store)
        say(project(store, state, params.gate))
    if study:
        with open_store(name, study=True) as store:
            say(project_study(store, study, state.data))
        receipt["study"] = fingerprint_study(study)
    write_json(receipt, RECEIPT)


if __name__ == "__main__":
    run(main)
