"""Ask tests/warm.py for a fork of it; as a script, stand for that fork, so that this is the `python` of a workspace.

The script uses the standard library alone, to start in some milliseconds. It hands SIGINT and SIGTERM on to its fork,
ends with the fork's exit code, and soon takes the fork with it when it is killed.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def ask(
    address: str,
    command: Sequence[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    files: Sequence[int],
    parent: int,
) -> tuple[socket.socket, int]:
    """Ask for a fork that runs `-m MODULE ARGUMENT…` or `-c SCRIPT ARGUMENT…`.

    files: the descriptors of its stdin, stdout and stderr; parent: the pid that it shall see as its parent's.
    Returns its pid, and the connection on which its exit code arrives; closing that kills it.
    Raises ValueError if the environment has what Python reads when it starts: a fork would ignore it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(address)
    request = {"command": command, "folder": folder, "environment": dict(environment), "parent": parent}
    socket.send_fds(connection, [json.dumps(request).encode()], files)
    answer = connection.recv(1000).decode()
    if not answer.isdecimal():
        connection.close()
        raise ValueError(answer)
    return connection, int(answer)


def main() -> None:
    """Be `python`: a fork where that does the same, else the real one."""
    address, *command = sys.argv[1:]
    try:
        if command[:1] not in (["-m"], ["-c"]):
            raise ValueError(f"{command} is not about a module or a script")
        connection, pid = ask(
            address, command, folder=str(Path.cwd()), environment=os.environ, files=(0, 1, 2), parent=os.getppid()
        )
    except ValueError:
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606

    def hand_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    code = int(connection.recv(100))
    if code < 0:  # minus the signal that ended it
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
