"""A fork is what a real process would be: its folder's code, its environment, its exit code, the same bits."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import PROJECT, Process, folder_of_python, run_python

pytestmark = pytest.mark.slow

CODE = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'src'}", "PATH": ""}


def run_as(
    python: str, *command: str, folder: Path, environment: dict[str, str] = CODE
) -> "subprocess.CompletedProcess[str]":
    """Run a command by a `python`."""
    return subprocess.run(
        [python, *command], cwd=folder, env=environment, input="in\n", capture_output=True, text=True, check=False
    )


def both(*command: str, folder: Path, environment: dict[str, str]) -> list["subprocess.CompletedProcess[str]"]:
    """Run a command as a real process and as a fork."""
    real = run_as(sys.executable, *command, folder=folder, environment=environment)
    return [real, run_python(*command, folder=folder, environment=environment)]


@pytest.fixture(scope="module")
def shim() -> str:
    """The `python` that asks for a fork."""
    return str(folder_of_python() / "python")


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "sys.exit('error: no')", "1 / 0", "os.kill(os.getpid(), 9)"])
def test_python_that_is_a_fork_reads_says_and_ends_as_the_real_one(end: str, shim: str, tmp_path: Path) -> None:
    script = f"import os, sys; print(input(), os.getcwd(), sys.argv, flush=True); {end}"
    real, fork = (run_as(python, "-c", script, "one", folder=tmp_path) for python in (sys.executable, shim))
    assert (fork.returncode, fork.stdout) == (real.returncode, real.stdout)
    assert fork.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_python_that_is_a_fork_is_the_real_one_where_a_fork_would_differ(shim: str, tmp_path: Path) -> None:
    script = "import os, sys; print('tensorflow' in sys.modules, os.environ.get('PYTHONHASHSEED'))"
    (tmp_path / "script.py").write_text(script)
    assert run_as(shim, "-c", script, folder=tmp_path).stdout == "True None\n"
    seeded = CODE | {"PYTHONHASHSEED": "7"}
    assert run_as(shim, "-c", script, folder=tmp_path, environment=seeded).stdout == "False 7\n"
    assert run_as(shim, "script.py", folder=tmp_path).stdout == "False None\n"


def test_who_connects_and_is_gone_before_it_asks_harms_nobody(shim: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(Path(shim).with_name("socket")))
    assert run_as(shim, "-c", "print('in', input())", folder=tmp_path).stdout == "in in\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_python_that_is_a_fork_hands_signals_on(number: signal.Signals, shim: str, tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5)); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([shim, "-c", script], cwd=tmp_path, env=CODE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) == 5


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_python_that_is_a_fork_takes_the_fork_with_it(end: signal.Signals, shim: str, tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(
        [shim, "-c", script], cwd=tmp_path, env=CODE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(end)
        assert process.wait(30) == -end
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_fork_has_imported_what_takes_long(tmp_path: Path) -> None:
    script = "import sys; print({'dvc', 'keras', 'mlflow', 'tensorflow'} <= set(sys.modules))"
    assert run_python("-c", script, folder=tmp_path, environment=CODE).stdout == "True\n"


def test_fork_has_the_folder_the_environment_the_arguments_and_the_path_of_a_real_process(tmp_path: Path) -> None:
    script = (
        "import os, sys; ours = {'fashion_mnist', 'pipeline', 'tests'} & set(sys.modules)\n"
        "print(os.getcwd(), dict(os.environ), sys.argv, sys.path[1:3], __name__, ours)\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    real, fork = both(
        "-c", script, "one", "two", folder=tmp_path, environment=CODE | {"LC_ALL": "C.UTF-8", "MINE": "1"}
    )
    assert "'MINE': '1'" in fork.stdout
    assert (fork.returncode, fork.stdout, fork.stderr) == (real.returncode, real.stdout, real.stderr)


@pytest.mark.parametrize("end", ["sys.exit(3)", "sys.exit('error: no')", "raise SystemExit", "1 / 0", "os._exit(4)"])
def test_fork_ends_with_the_code_of_a_real_process(end: str, tmp_path: Path) -> None:
    real, fork = both("-c", f"import os, sys; print('said'); {end}", folder=tmp_path, environment=CODE)
    assert fork.returncode == real.returncode
    assert fork.stdout == ("" if "_exit" in end else "said\n")
    assert fork.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_fork_runs_the_copy_of_the_code_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").write_text("")
    (tmp_path / "pipeline/track.py").write_text("print('a copy', __name__)")
    environment = CODE | {"PYTHONPATH": ""}
    assert run_python("-m", "pipeline.track", folder=tmp_path, environment=environment).stdout == "a copy __main__\n"


def test_fork_computes_the_bits_of_a_real_process(tmp_path: Path) -> None:
    script = (
        "import pipeline, os\n"
        "from pipeline.bytes.numerics import choose_instructions\n"
        "choose_instructions(os.environ, 'avx2')\n"
        "from fashion_mnist.training.determinism import configure_tensorflow\n"
        "configure_tensorflow(seed=1, workers=2)\n"
        "import keras\n"
        "layer = keras.layers.Dense(300, activation='softmax')\n"
        "print(layer(keras.random.normal((32, 700))).numpy().tobytes().hex()[:4000])\n"
    )
    real, fork = both("-c", script, folder=tmp_path, environment=CODE)
    assert len(fork.stdout) > 4000
    assert fork.stdout == real.stdout


def test_fork_may_start_processes_of_its_own(tmp_path: Path) -> None:
    script = (
        "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=print, args=('a child',))\n"
        "child.start(); child.join(); print(child.exitcode)\n"
    )
    assert run_python("-c", script, folder=tmp_path, environment=CODE).stdout == "a child\n0\n"


def test_fork_is_killed_and_interrupted_like_a_real_process(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = Process(["-c", script], folder=tmp_path, environment=CODE)
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.01)
        ready.unlink()
        process.send_signal(end)
        assert process.wait(30) == -end


def test_variables_that_python_reads_when_it_starts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PYTHONHASHSEED"):
        run_python("-c", "", folder=tmp_path, environment=CODE | {"PYTHONHASHSEED": "7"})
