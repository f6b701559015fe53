"""Servers on loopback that hold a DVC remote: SSH, S3 and plain HTTP; and a wire to them that can be cut."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import free_port

# DVC with what it needs for SSH and S3, whose packages do not fit the project's own environment.
REMOTES = PROJECT / ".venv-remotes/bin/python"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
S3_KEYS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(24),
    "AWS_DEFAULT_REGION": "us-east-1",
}
# Turns one byte of an object over, and does so again to mend it.
FLIP = """
import sys, boto3
address, name = sys.argv[1:]
client = boto3.client("s3", endpoint_url=address)
content = bytearray(client.get_object(Bucket="bucket", Key=name)["Body"].read())
content[len(content) // 2] ^= 255
client.put_object(Bucket="bucket", Key=name, Body=bytes(content))
"""


class Server(NamedTuple):
    """A server that holds a remote.

    settings: what `dvc remote add` and `modify` are told of it.
    flip: changes one byte of an object, by its path within the remote; done twice, the object is as before.
    secret: what nobody may be told.
    """

    port: int
    settings: dict[str, str]
    python: Path
    environment: dict[str, str]
    flip: Callable[[str], None]
    secret: str | None = None


@contextmanager
def ssh_server(folder: Path) -> Iterator[Server]:
    """Run OpenSSH's server, behind which a remote lies."""
    require_remotes()
    with sshd(folder) as (port, user_key):
        settings = {"url": f"ssh://127.0.0.1{folder}/storage", "port": str(port), "keyfile": str(user_key)}
        settings["user"] = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        secret = user_key.read_text().splitlines()[1]
        yield Server(port, settings, REMOTES, {}, lambda path: flip_file(folder / "storage" / path), secret)


@contextmanager
def sshd(folder: Path) -> Iterator[tuple[int, Path]]:
    """Run OpenSSH's server with a host key and a user's key made for it; yields its port and the user's key."""
    if not Path(SSHD).exists():
        pytest.skip("OpenSSH's server is not installed: apt-get install openssh-server")
    port, host_key, user_key = free_port(), folder / "host_key", folder / "user_key"
    for key in (host_key, user_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shutil.copy(user_key.with_suffix(".pub"), folder / "authorized_keys")
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": host_key,
        "AuthorizedKeysFile": folder / "authorized_keys",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with started([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], folder, port):
        yield port, user_key


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """Run moto's server, which speaks S3, with one bucket."""
    require_remotes()
    port = free_port()
    address, environment = f"http://127.0.0.1:{port}", os.environ | S3_KEYS
    with started([str(REMOTES), "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)], folder, port):
        requests.put(f"{address}/bucket", timeout=30).raise_for_status()

        def flip(path: str) -> None:
            subprocess.run([REMOTES, "-c", FLIP, address, f"storage/{path}"], check=True, env=environment)

        settings = {"url": "s3://bucket/storage", "endpointurl": address}
        # A server that is gone stays gone; by default, half a minute passes with tries.
        once = S3_KEYS | {"AWS_MAX_ATTEMPTS": "1"}
        yield Server(port, settings, REMOTES, once, flip, S3_KEYS["AWS_SECRET_ACCESS_KEY"])


@contextmanager
def http_server(folder: Path) -> Iterator[Server]:
    """Run Python's file server, which only reads, on a folder that a remote was pushed to."""
    port, storage = free_port(), folder / "storage"
    storage.mkdir()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(storage), str(port)]
    with started(command, folder, port):
        settings = {"url": f"http://127.0.0.1:{port}"}
        yield Server(port, settings, Path(sys.executable), {}, lambda path: flip_file(storage / path))


def require_remotes() -> None:
    if not REMOTES.exists():
        pytest.skip("DVC's plug-ins for SSH and S3 are not installed: make .venv-remotes/ready")


def flip_file(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.chmod(0o644)
    path.write_bytes(content)


@contextmanager
def started(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """Run a server until the block ends, once its port answers."""
    with (folder / "server.log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(240):
                assert process.poll() is None, log.seek(0) or log.read()
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.25)
            else:
                raise AssertionError(f"{command[0]} does not listen on port {port}")
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def wire(port: int, *, cut_after: int) -> Iterator[int]:
    """Listen on another port and pass everything on, until so many bytes came back; then nobody listens any more."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = [listener]
    left, lock = [cut_after], threading.Lock()

    def cut() -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def pass_on(source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        try:
            while content := source.recv(1 << 14):
                if counted:
                    with lock:
                        left[0] -= len(content)
                    if left[0] < 0:
                        return cut()
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return None

    def listen() -> None:
        try:
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                threading.Thread(target=pass_on, args=(near, far), kwargs={"counted": False}, daemon=True).start()
                threading.Thread(target=pass_on, args=(far, near), kwargs={"counted": True}, daemon=True).start()
        except OSError:
            return

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        cut()
