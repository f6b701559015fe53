"""A small study on clusters of several processes, made by the lines of docs/study.md: by hand, over SSH, on SLURM."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT, make_workspace
from tests.end_to_end.conftest import copy_workspace, environment_of, environment_of_dvc, free_port, run_module
from tests.end_to_end.remote_servers import sshd
from tests.end_to_end.slurm import slurm
from tests.end_to_end.test_study import SMALL_STUDY, edit_loop, results_in, stored, wait_until

pytestmark = pytest.mark.slow

PAGE = PROJECT / "docs/study.md"
# The numbers of the page, for a node of two cores.
SMALL_JOBS = {"cores=4": "cores=1", '"8GB"': '"1900MB"', "jobs=10": "jobs=2"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with normalized data, in which no trial ran; not to be changed."""
    folder = tmp_path_factory.mktemp("cluster") / "checkout"
    make_workspace(folder, SMALL_STUDY, params=PROJECT / "tests/params.yaml")
    for stage in ("download", "normalize"):
        assert run_module(stage, folder=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def expected(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the study writes without a cluster, as sha256 by path."""
    folder = copy_workspace(workspace, tmp_path_factory.mktemp("local") / "clone")
    done = run_module("study", folder=folder)
    assert done.returncode == 0, done.stderr
    return results_in(folder)


@pytest.fixture
def checkouts(workspace: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Make a copy of the checkout under a name."""

    def make(name: str) -> Path:
        folder = copy_workspace(workspace, tmp_path / name)
        (folder / ".venv").symlink_to(sys.prefix)
        return folder

    return make


def lines_of_page(start: str) -> list[str]:
    """Return the lines of the page's block that begins with a text, without their comments."""
    for block in re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if block.startswith(start):
            return [re.sub(r" +# .*", "", line) for line in block.splitlines()]
    raise AssertionError(f"docs/study.md: no block begins with {start}")


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put values in place of what stands for them, all of which must be there."""
    for name, value in values.items():
        assert name in text, (name, text)
        text = text.replace(name, str(value))
    return text


@contextmanager
def shell(line: str, folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Type a line in a folder; it and what it started are killed when the block ends. Its output is in FOLDER/*.log."""
    with (folder / f"{free_port()}.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=environment_of_dvc(folder) | environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a shell and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def said_in(folder: Path) -> str:
    """Return all that was said by what was typed in a folder."""
    return "".join(log.read_text() for log in sorted(folder.glob("*.log")))


@contextmanager
def study(folder: Path, address: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the study of a checkout on a cluster, as `make study` does."""
    (line,) = (line for line in lines_of_page("DASK_SCHEDULER_ADDRESS=") if line)
    line = fill(line, {"tcp://HOST:8786": address, "make study": f"{sys.executable} -m dvc repro study/dvc.yaml"})
    with shell(line, folder, **environment) as process:
        yield process


def finish(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Wait for a study that must succeed."""
    process.communicate(timeout=400)
    assert process.returncode == 0, said_in(folder)


def test_by_hand_and_over_ssh_with_a_worker_killed_and_others_refused(
    checkouts: Callable[[str], Path], expected: dict[str, str], tmp_path: Path
) -> None:
    scheduler_line, worker_line = lines_of_page(".venv/bin/dask scheduler")
    login_lines = "\n".join(lines_of_page("for host"))
    address = {"HOST": "127.0.0.1", "8786": free_port()}
    driver, first, remote = checkouts("driver"), checkouts("a first"), checkouts("remote")
    other, elsewhere = checkouts("other"), tmp_path / "elsewhere"
    edit_loop(other, moves_bits=True)
    edit_loop(remote, moves_bits=False)  # which is no reason to refuse it
    elsewhere.mkdir()
    (elsewhere / ".venv").symlink_to(sys.prefix)  # no checkout, as the scheduler needs none
    worker_line = fill(worker_line, address)
    login_lines = fill(login_lines, {"HOST1 HOST2": "127.0.0.1", "/path/to/checkout": remote} | address)
    with ExitStack() as typed:
        scheduler = typed.enter_context(shell(fill(scheduler_line, {"8786": address["8786"]}), elsewhere))
        lost, *rest = [typed.enter_context(shell(worker_line, each)) for each in (first, other, elsewhere)]
        path = typed.enter_context(path_with_ssh(tmp_path))
        login = typed.enter_context(shell(login_lines, driver, PATH=path))
        assert login.wait(60) == 0, said_in(driver)
        with study(driver, fill("tcp://HOST:8786", address)) as running:
            wait_until(lambda: running.poll() is not None or len(stored(driver)) >= 2)
            kill(lost)
            finish(running, driver)
        os.killpg(scheduler.pid, signal.SIGINT)
        assert [worker.wait(60) for worker in rest]  # they end with the scheduler
        wait_until(lambda: "End worker" in (remote / "worker.log").read_text(), seconds=60)
    refused = [line for line in said_in(driver).splitlines() if "is refused" in line]
    assert len(refused) == 2
    assert any("a short training of dense gives other figures than on the driver" in line for line in refused)
    assert any(f"{elsewhere}: No module named 'pipeline'" in line for line in refused)
    assert results_in(driver) == expected
    assert not (other / "study/trials").exists()


@contextmanager
def path_with_ssh(folder: Path) -> Iterator[str]:
    """Run an SSH server until the block ends; a PATH on which `ssh` finds it."""
    with sshd(folder) as (port, key):
        known = {"Port": port, "IdentityFile": key, "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null"}
        (folder / "ssh_config").write_text("".join(f"{name} {value}\n" for name, value in known.items()))
        (folder / "bin").mkdir()
        (folder / "bin/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
        (folder / "bin/ssh").chmod(0o755)
        yield f"{folder}/bin:{environment_of()['PATH']}"


def test_on_slurm_with_a_job_cancelled(
    checkouts: Callable[[str], Path], expected: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: make .venv/dev")
    *_, python = lines_of_page(".venv/bin/pip install dask-jobqueue")
    session_lines = fill("\n".join(lines_of_page("from dask_jobqueue")), SMALL_JOBS)
    checkout = checkouts("checkout")
    with (
        slurm(tmp_path / "slurm") as settings,
        shell(f"{python} -i -u", checkout, **settings) as session,
    ):
        assert session.stdin
        session.stdin.write(f"{session_lines}\n")
        session.stdin.flush()
        wait_until(lambda: "tcp://" in said_in(checkout))
        (address,) = re.findall(r"^.*(tcp://\S+)$", said_in(checkout), re.MULTILINE)
        with study(checkout, address, **settings) as running:
            wait_until(lambda: running.poll() is not None or len(stored(checkout)) >= 2)
            first, *_ = jobs(settings)
            subprocess.run(["scancel", first], env=os.environ | settings, check=True)
            finish(running, checkout)
        session.stdin.write("cluster.close()\n")
        session.stdin.flush()
        wait_until(lambda: not jobs(settings))
    assert results_in(checkout) == expected


def test_on_slurm_a_study_says_why_its_jobs_wait(workspace: Path, tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: make .venv/dev")
    folder = copy_workspace(workspace, tmp_path / "checkout")
    line = f"{sys.executable} -m distributed.cli.dask_scheduler --host 127.0.0.1 --port {(port := free_port())}"
    with slurm(tmp_path / "slurm") as settings, shell(line, folder):
        job = ["sbatch", "--cpus-per-task=8", "--job-name=dask-worker", "--wrap=true"]
        subprocess.run(job, env=os.environ | settings, cwd=folder, check=True, capture_output=True)
        with study(folder, f"tcp://127.0.0.1:{port}", **settings):
            wait_until(lambda: "1 x dask-worker PENDING (PartitionConfig)" in said_in(folder), seconds=120)
    assert not stored(folder)


def jobs(settings: Mapping[str, str]) -> list[str]:
    """List SLURM's jobs, by number."""
    command = ["squeue", "--noheader", "--format=%i"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    return sorted(done.stdout.split(), key=int)


def test_address_that_names_no_scheduler_ends_in_one_line(workspace: Path) -> None:
    address = f"tls://127.0.0.1:{free_port()}"
    done = run_module("study", folder=workspace, DASK_SCHEDULER_ADDRESS=address)
    assert done.returncode == 1
    assert address in done.stderr
    assert len(done.stderr.splitlines()) == 1
