"""Real server processes for the tests: each on a port of its own, and each gone when its block ends."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent

_LISTENING = re.compile(r"(?:Listening on TCP address |running on http://)127\.0\.0\.1:(\d+)")


@dataclass
class Server:
    """A server process that listens; `output` is what it has printed so far."""

    process: "subprocess.Popen[str]"
    url: str = ""
    output: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def run_daphne(
    application: str = "tests.support.asgi:application",
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    port: int = 0,
    options: Sequence[str] = (),
    backlog: int = 50,
) -> Iterator[Server]:
    """Run `daphne <options> <application>`, with `env` on top of the environment, in `cwd`.

    Args:
        port: 0 is any.
        backlog: how many connections may wait to be accepted; Twisted's default is Daphne's.
    """
    endpoint = f"tcp:port={port}:interface=127.0.0.1:backlog={backlog}"
    command = [sys.executable, "-m", "daphne", "--endpoint", endpoint, *options, application]
    with _run_on_any_port(command, env, cwd) as server:
        yield server


@contextmanager
def run_uvicorn(
    application: str = "tests.support.asgi:application",
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    port: int = 0,
    parser: str = "auto",
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """Run `uvicorn <options> <application>`; port 0 is any."""
    options = ["--port", str(port), "--http", parser, *options]
    with _run_on_any_port([sys.executable, "-m", "uvicorn", *options, application], env, cwd) as server:
        yield server


#: Other servers, and how each is told where to listen.
SERVERS = {
    "granian": ["granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"],
    "gunicorn": ["gunicorn", "--worker-class", "asgi", "--bind", "127.0.0.1:{port}"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}"],
}


@contextmanager
def run_other(
    name: str, application: str = "tests.support.asgi:application", *, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run one of SERVERS."""
    port = find_free_port()
    options = [item.format(port=port) for item in SERVERS[name]]
    with _run([sys.executable, "-m", *options, application], env, ROOT) as server:
        server.url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_answering(server.url), f"{name} answers; it printed {server.output}")
        yield server


@contextmanager
def run_runserver(
    *, env: Mapping[str, str] | None = None, cwd: Path = ROOT, reloads: bool = False
) -> Iterator[Server]:
    """Run `manage.py runserver` in the folder `cwd`, autoreload off unless it `reloads`."""
    address = f"127.0.0.1:{find_free_port()}"
    options = [] if reloads else ["--noreload"]
    with _run([sys.executable, "manage.py", "runserver", *options, address], env, cwd) as server:
        server.url = f"http://{address}"
        wait_until(lambda: is_answering(server.url), f"runserver answers; it printed {server.output}")
        yield server


@contextmanager
def run_command(command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Iterator[Server]:
    """Run any other command, which need not listen."""
    with _run(command, env, cwd) as server:
        yield server


@contextmanager
def run_celery(
    *options: str, env: Mapping[str, str], app: str = "tests.support.celery_app", cwd: Path = ROOT
) -> Iterator[Server]:
    """Run a worker of a Celery app, as root too, which Celery warns of."""
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", app, "worker"]
    command += ["--loglevel=INFO", "--without-mingle", "--without-gossip", *options]
    with run_command(command, env=env, cwd=cwd) as server:
        wait_until(lambda: any(" ready." in line for line in server.output), "the worker is ready")
        yield server


#: Ports that the system gives to nobody by itself: what is free among them stays so while a server is away. Each
#: process of the tests begins somewhere else.
_PORTS = cycle(random.sample(range(10_000, 32_000), 2_000))


def find_free_port() -> int:
    """Return a port at which nobody listens, and which no other connection is given."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def is_listening(port: int) -> bool:
    """Return whether a server takes connections at this port."""
    try:
        socket.create_connection(("127.0.0.1", port), DEADLINE).close()
    except OSError:
        return False
    return True


def is_answering(url: str) -> bool:
    """Return whether an HTTP server answers there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=DEADLINE).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def _run_on_any_port(command: list[str], env: Mapping[str, str] | None, cwd: Path) -> Iterator[Server]:
    with _run(command, env, cwd) as server:
        wait_until(lambda: _find_port(server), f"the server listens; it printed {server.output}")
        server.url = f"http://127.0.0.1:{_find_port(server)}"
        yield server


@contextmanager
def _run(command: list[str], env: Mapping[str, str] | None, cwd: Path) -> Iterator[Server]:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = Server(process)
    reader = threading.Thread(target=_collect, args=(server,), daemon=True)
    reader.start()
    try:
        yield server
    finally:
        _end(process)
        reader.join(DEADLINE)


def _collect(server: Server) -> None:
    assert server.process.stdout is not None
    with server.process.stdout as lines:
        for line in lines:
            server.output.append(line)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)
        raise


def _find_port(server: Server) -> str | None:
    assert server.process.poll() is None, f"the server ended: {server.output}"
    found = _LISTENING.search("".join(server.output))
    return found.group(1) if found else None
