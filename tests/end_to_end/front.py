"""nginx in front of a served model, with the configuration that docs/serving.md shows."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.tools.demo import PROJECT
from tests.end_to_end.conftest import free_port
from tests.end_to_end.remote_servers import started

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
# What Debian's nginx.conf says around it, in folders of the test.
AROUND = """
{user}
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


def documented() -> str:
    """Return the configuration in the documentation."""
    found = re.findall(r"^```nginx\n(.*?)^```", (PROJECT / "docs/serving.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@contextmanager
def nginx(folder: Path, model: str, *, timeout: str = r"\1") -> Iterator[str]:
    """Run nginx in front of a model; yields its address. timeout: for every time-out, in place of those written."""
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed: apt-get install nginx")
    port, server = free_port(), documented()
    for written, here in (
        (r"listen 8080;", f"listen 127.0.0.1:{port};"),
        (r"http://127\.0\.0\.1:5001", model),
        (r"(?<=_timeout )(\d+s)(?=;)", timeout),
    ):
        server, count = re.subn(written, here, server)
        assert count, f"the documented configuration has no {written}"
    # A server's workers belong to another user, who cannot enter a folder of a test.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, server=server, user=user))
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]
    with started(command, folder, port):
        yield f"http://127.0.0.1:{port}"
