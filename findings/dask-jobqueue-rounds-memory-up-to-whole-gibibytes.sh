#!/usr/bin/env bash
# dask-jobqueue 0.9.0, distributed 2026.8.0 (Python 3.11, Linux). Needs no SLURM: the job script is only printed.
#
# Behaviour: SLURMCluster turns memory= into SLURM's --mem by rounding up to a whole number of the largest unit that
# fits, in powers of 1024. From one gibibyte on, that is whole gibibytes: 1.1GB asks for 2 GiB. The worker itself keeps to
# what was written, so the rest is reserved and never used.
#
# Seen:
#   memory=1000MB: --mem=954M, the worker uses up to 954 MiB
#   memory=1100MB: --mem=2G, the worker uses up to 1049 MiB
#   memory=1900MB: --mem=2G, the worker uses up to 1812 MiB
#   memory=4.3GB: --mem=5G, the worker uses up to 4101 MiB
#   memory=1100MB, job_mem=1050M: --mem=1050M, the worker uses up to 1049 MiB
#
# Why it matters: a node that offers 1,900 MB never starts a job of memory="1900MB", and a node of 4 GB takes two
# workers of 1.1 GB instead of three. job_mem= says what SLURM shall be asked for, to the letter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dask-jobqueue==0.9.0 distributed==2026.8.0 dask==2026.8.0
cd "$folder"

"$folder/venv/bin/python" - <<'PYTHON'
import re
import sys

from dask.utils import parse_bytes
from dask_jobqueue.slurm import SLURMJob


def ask(memory, **options):
    """Return what a job asks SLURM for."""
    job = SLURMJob("tcp://127.0.0.1:8786", "worker", cores=1, memory=memory, walltime="00:10:00", **options)
    asked = re.findall(r"--mem=(\w+)", job.job_script())
    more = "".join(f", {name}={value}" for name, value in options.items())
    limit = parse_bytes(memory) / 2**20
    print(f"memory={memory}{more}: --mem={asked[0]}, the worker uses up to {limit:.0f} MiB")
    return asked


seen = [ask(memory) for memory in ("1000MB", "1100MB", "1900MB", "4.3GB")]
exact = ask("1100MB", job_mem="1050M")

if seen != [["954M"], ["2G"], ["2G"], ["5G"]] or exact != ["1050M"]:
    sys.exit("changed: memory is rounded in another way")
PYTHON
