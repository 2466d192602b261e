"""The site of `wrapped_settings` in a server process, and clients of it that read slowly or not at all."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.support import wire
from tests.support.servers import Server, run_daphne
from tests.support.waiting import DEADLINE
from tests.support.wire_site import Site, find_errors

WRAPPED = "tests.support.asgi_wrapped:application"
PLAIN = "tests.support.asgi:application"


@contextmanager
def run_wrapped(
    application: str = WRAPPED,
    *,
    run: Callable[..., AbstractContextManager[Server]] = run_daphne,
    env: Mapping[str, str] | None = None,
    **tasks_app: Any,
) -> Iterator[Site]:
    """Run an application with these values in TASKS_APP; at the end it holds no stream and has logged no error."""
    with run_unjudged(application, run=run, env=env, **tasks_app) as site:
        yield site
    assert find_errors(site.log) == []
    assert "Twisted failed" not in site.log


@contextmanager
def run_unjudged(
    application: str,
    *,
    run: Callable[..., AbstractContextManager[Server]] = run_daphne,
    env: Mapping[str, str] | None = None,
    **tasks_app: Any,
) -> Iterator[Site]:
    """Do what `run_wrapped` does, whatever is logged."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.wrapped_settings", "WIRE_TASKS_APP": json.dumps(tasks_app)}
    with run(application, env={**settings, **(env or {})}) as server:
        site = Site(server)
        yield site
        site.wait_until_free()


@contextmanager
def open_narrow(
    site: Site, *targets: str, receive_buffer: int = 4096, headers: wire.Headers | None = None
) -> Iterator[socket.socket]:
    """Ask for all targets at once on a socket whose receive buffer is small, and read nothing."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", site.port))
        client.sendall(b"".join(wire.encode_request("GET", target, headers) for target in targets))
        yield client
