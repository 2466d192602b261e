"""A real nginx in front of the processes of a test, with the configuration that the demo site gives."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import ROOT, find_free_port, is_answering, run_command
from tests.support.waiting import wait_until

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")

needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="no nginx on this machine; 'apt-get install nginx-light'")

CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx, and the folder of its logs."""

    url: str
    folder: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def read_requests(self) -> list[str]:
        """Return a line for each request that has ended."""
        return (self.folder / "access.log").read_text().splitlines()


@contextmanager
def run_nginx(folder: Path, first: int, second: int) -> Iterator[Proxy]:
    """Run nginx in front of the servers on these two ports, with its files in `folder`."""
    site = (ROOT / "progress_site" / "nginx.conf").read_text()
    with run_configuration(folder, site, {":8001": f":{first}", ":8002": f":{second}"}) as proxy:
        yield proxy


@contextmanager
def run_configuration(folder: Path, site: str, places: Mapping[str, str]) -> Iterator[Proxy]:
    """Run nginx with this text in its `http` block, once the places of this machine are put in for those in it."""
    port = find_free_port()
    for old, new in {**places, "listen 80;": f"listen 127.0.0.1:{port};"}.items():
        assert old in site
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, user=user))
    with run_command([str(PROGRAM), "-p", str(folder), "-c", str(folder / "nginx.conf")]) as server:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_answering(url), f"nginx answers; it printed {server.output}")
        yield Proxy(url, folder)
