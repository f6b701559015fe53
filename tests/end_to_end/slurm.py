"""SLURM on this machine, for this user: its daemons, their settings and their logs lie in a scratch folder."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.conftest import free_port

DAEMONS = ("munged", "slurmctld", "slurmd")
CORES = 2
# No control groups, no accounts; a node that was lost serves again as soon as it is back.
SETTINGS = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={control_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4000
PartitionName=all Nodes=ALL Default=YES
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Run SLURM with one node of two cores until the block ends; yields what its commands need in the environment."""
    found = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in DAEMONS}
    if not all(found.values()):
        pytest.skip("SLURM is not installed: apt-get install slurm-wlm munge")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    settings = SETTINGS.format(
        host=socket.gethostname().partition(".")[0],
        user=getpass.getuser(),
        control_port=free_port(),
        node_port=free_port(),
        folder=folder,
        cores=CORES,
    )
    (folder / "slurm.conf").write_text(settings)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key"]
    munged += [f"--{name}-file={folder}/munged.{name}" for name in ("log", "pid", "seed")]
    with ExitStack() as daemons:
        for name, *options in (munged, ["slurmctld", "-D"], ["slurmd", "-D"]):
            daemons.enter_context(daemon([str(found[name]), *options], folder / f"{name}.log", environment))
            wait_for_munge(folder)
        wait_for_node(folder, environment)
        yield {"SLURM_CONF": environment["SLURM_CONF"]}


@contextmanager
def daemon(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a daemon until the block ends."""
    with log.open("w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_munge(folder: Path) -> None:
    for _ in range(100):
        if (folder / "munge.socket").exists():
            return
        time.sleep(0.1)
    raise AssertionError((folder / "munged.log").read_text())


def wait_for_node(folder: Path, environment: dict[str, str]) -> None:
    for _ in range(120):
        done = subprocess.run(["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    logs = (folder / f"{name}.log" for name in DAEMONS)
    raise AssertionError(done.stdout + done.stderr + "".join(log.read_text()[-2000:] for log in logs))
