"""One client that asks for much at once, and another that asks for one thing after it."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import pytest

from tasks_app.servers.lines import FREE_TURNS
from tests.support import wire
from tests.support.floods import ADDRESS
from tests.support.servers import Server, run_daphne, run_uvicorn
from tests.support.wire_site import Site
from tests.support.wrapped import WRAPPED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has further addresses of this machine ready"),
]

#: How many requests of the one are there when the other comes, and how many of them at most are answered before.
MANY, FEW = 100, 20

#: How many requests the other makes, one after the other.
VISITS = 30

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.hostile_settings"}
SERVERS = {"daphne": partial(run_daphne, backlog=1024), "uvicorn": run_uvicorn}


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Have the server find all that is sent in a block at once."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def read_time(connection: wire.Connection) -> str:
    """Return when the server has made its answer."""
    head = connection.read_head()
    assert head.status == 200, head
    return str(head.get("Server-Time"))


def read_times(connection: wire.Connection) -> list[str]:
    """Return when the server has made each of the answers on a connection."""
    received = b"".join(iter(lambda: connection.socket.recv(1 << 16), b""))
    times = re.findall(r"(?i)^server-time: (\S+)\r$", received.decode(), re.MULTILINE)
    assert len(times) == VISITS, received
    return times


@pytest.mark.parametrize("run", SERVERS.values(), ids=SERVERS)
def test_client_does_not_wait_for_all_that_another_has_asked_for(
    run: Callable[..., AbstractContextManager[Server]],
):
    with run(WRAPPED, env=SETTINGS) as server, ExitStack() as stack:
        request = wire.encode_request("GET", f"/tasks/{Site(server).start('count')}")
        with stopped(server):
            crowd = [stack.enter_context(wire.Connection(server.port, ADDRESS)) for _ in range(MANY)]
            visitor = stack.enter_context(wire.Connection(server.port))
            for connection in (*crowd, visitor):
                connection.send(request)
        mine = read_time(visitor)
        assert sum(read_time(connection) < mine for connection in crowd) <= FEW


@pytest.mark.parametrize("run", SERVERS.values(), ids=SERVERS)
def test_client_waits_for_one_request_of_a_crowd_with_each_of_its_own(
    run: Callable[..., AbstractContextManager[Server]],
):
    with run(WRAPPED, env=SETTINGS) as server, ExitStack() as stack:
        target = f"/tasks/{Site(server).start('count')}"
        request, last = (wire.encode_request("GET", target, headers) for headers in ([], [("Connection", "close")]))
        with stopped(server):
            crowd = [stack.enter_context(wire.Connection(server.port, ADDRESS)) for _ in range(MANY)]
            visitor = stack.enter_context(wire.Connection(server.port))
            for connection in crowd:
                connection.send(request)
            visitor.send(request * (VISITS - 1) + last)
        mine = read_times(visitor)
        assert sum(read_time(connection) < mine[-1] for connection in crowd) <= FREE_TURNS + VISITS + 2
