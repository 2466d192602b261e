"""Clients that keep a server busy by how they connect: slowly, by halves, by thousands, without a goodbye."""

import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import cycle, islice
from typing import Any

import pytest

from tasks_app import make_token
from tests.support import wire
from tests.support.servers import Server, run_daphne, run_uvicorn
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site
from tests.support.wrapped import PLAIN, WRAPPED, run_unjudged, run_wrapped

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows and limits what a process holds like this"),
]

run_large_daphne = partial(run_daphne, backlog=1024)

SERVERS = {
    "daphne": partial(run_wrapped, WRAPPED, run=run_large_daphne),
    "plain daphne": partial(run_wrapped, PLAIN, run=run_large_daphne),
    "uvicorn": partial(run_wrapped, WRAPPED, run=run_uvicorn),
}
on_each_server = pytest.mark.parametrize("run", SERVERS.values(), ids=SERVERS)

#: The main thread, a task, the flusher, and a handful that come and go with requests.
FEW_THREADS = 12


def find_targets(task_id: str) -> list[str]:
    """Return both ways into the stream of a task: Django's, and below it for who bears a token."""
    return [f"/task-progress/{task_id}", f"/task-progress/{task_id}?token={make_token(task_id)}"]


def hold(site: Site) -> dict[str, int]:
    """Return how much the process holds of what each connection could take."""
    return {name: site.get_stats()[name] for name in ("descriptors", "coroutines", "native_threads", "viewers")}


def wait_until_it_holds_no_more_than(before: dict[str, int], site: Site) -> None:
    def is_back() -> bool:
        return all(now <= before[name] for name, now in hold(site).items())

    wait_until(is_back, f"the process holds what it held, {before}")
    assert site.get_stats()["watches"] == []


# Slow ones


def send_half_a_head(connection: wire.Connection) -> None:
    connection.send(b"GET /task-progress/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")


def send_half_a_body(connection: wire.Connection) -> None:
    connection.send(b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    connection.send(b'Content-Length: 1000\r\n\r\n{"task": ')


def send_nothing(connection: wire.Connection) -> None:
    pass


@on_each_server
@pytest.mark.parametrize("begin", [send_half_a_head, send_half_a_body, send_nothing])
def test_requests_that_never_end_take_no_thread_and_hold_up_nobody(run, begin: Callable[[wire.Connection], None]):
    with run() as site, ExitStack() as slow:
        site.wait_for(site.start("count"), "succeeded")
        before = hold(site)
        for _ in range(200):
            begin(slow.enter_context(wire.Connection(site.port)))
        task_id = site.start("count")
        for target in find_targets(task_id):
            with wire.EventStream(site.port, target) as stream:
                assert stream.read_all()[-1].json()["state"] == "succeeded"
        wait_until(lambda: site.get_stats()["native_threads"] <= FEW_THREADS, "the slow ones hold no thread")
        slow.close()
        wait_until_it_holds_no_more_than({**before, "native_threads": FEW_THREADS}, site)


# Those that vanish

TCP_REPAIR = 19


def vanish(client: socket.socket) -> None:
    """Close a connection without a word to the other end, as a machine does whose cable is pulled."""
    try:
        client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("this process may close no connection without a goodbye; it needs CAP_NET_ADMIN")
    client.close()


@on_each_server
def test_streams_whose_clients_vanished_are_let_go_of_with_the_next_keep_alive(run):
    with run(KEEPALIVE=0.5) as site:
        targets = find_targets(site.start_puppet("half-open"))
        before = hold(site)
        streams = [wire.EventStream(site.port, target) for target in targets * 10]
        for stream in streams:
            assert stream.next() is not None
        for stream in streams:
            vanish(stream.socket)
        site.wait_until_free()
        wait_until_it_holds_no_more_than({**before, "native_threads": FEW_THREADS}, site)
        site.order_return("half-open")


# Those that come and go

#: How many of them, where it takes seconds.
MANY, SOME = 2_000, 500


def leave_at_once(connection: wire.Connection, request: bytes) -> None:
    pass


def leave_in_the_request(connection: wire.Connection, request: bytes) -> None:
    connection.send(request[: len(request) // 2])


def leave_before_the_answer(connection: wire.Connection, request: bytes) -> None:
    connection.send(request)


def leave_in_the_stream(connection: wire.Connection, request: bytes) -> None:
    connection.send(request)
    assert connection.read_head().status == 200
    assert connection.read_some()


def leave_by_halves(connection: wire.Connection, request: bytes) -> None:
    connection.send(request)
    connection.socket.shutdown(socket.SHUT_WR)


MOMENTS = [leave_at_once, leave_in_the_request, leave_before_the_answer, leave_in_the_stream, leave_by_halves]


def connect_and_leave(site: Site, target: str, times: int) -> None:
    """Connect so often, and leave at each of MOMENTS in turn: twice with a goodbye, then twice without."""
    request = wire.encode_request("GET", target)
    for number, leave in enumerate(islice(cycle(MOMENTS), times)):
        with wire.Connection(site.port) as connection:
            leave(connection, request)
            if number % 4 > 1:
                connection.reset()


@pytest.mark.parametrize("name", SERVERS)
def test_thousands_of_clients_that_leave_at_any_moment_leave_nothing(name: str):
    with SERVERS[name]() as site:
        targets = find_targets(site.start_puppet("busy"))
        for target in targets:
            connect_and_leave(site, target, 50)
        site.wait_until_free()
        before = hold(site)
        for target in targets:
            connect_and_leave(site, target, (MANY if name == "daphne" else SOME) // len(targets))
        wait_until_it_holds_no_more_than({**before, "native_threads": FEW_THREADS}, site)
        site.order_return("busy")


# More than the process may have open


#: asyncio tries so many times a second to accept a connection, and logs each time that it can't: with uvicorn's own
#: 2,048 the loop is busy for minutes.
run_small_uvicorn = partial(run_uvicorn, options=["--backlog", "16"])


@pytest.fixture(params=[run_large_daphne, run_small_uvicorn], ids=["daphne", "uvicorn"])
def small_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site that may have 256 files open."""
    run: Callable[..., AbstractContextManager[Server]] = request.param
    with run_unjudged(WRAPPED, run=run) as site:
        site.wait_for(site.start("count"), "succeeded")
        _, most = resource.prlimit(site.server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(site.server.process.pid, resource.RLIMIT_NOFILE, (256, most))
        yield site


def open_until_refused(site: Site, targets: list[str], streams: ExitStack) -> list[wire.EventStream]:
    """Open streams until the process has no descriptor left."""
    opened: list[wire.EventStream] = []
    for target in islice(cycle(targets), 300):
        connection = streams.enter_context(wire.Connection(site.port))
        connection.socket.settimeout(2)
        try:
            connection.send(wire.encode_request("GET", target))
            connection.read_head()
        except (AssertionError, OSError):
            connection.socket.close()
            return opened
        connection.socket.settimeout(DEADLINE)
        opened.append(connection)
    pytest.fail("the process opened more than it may")


def test_process_without_descriptors_refuses_new_streams_keeps_its_own_and_recovers(small_site):
    site, name = small_site, "full"
    with ExitStack() as streams, wire.Connection(site.port) as lasting:
        task_id = site.start_puppet(name)
        opened = open_until_refused(site, find_targets(task_id), streams)
        assert len(opened) > 100
        answers = [ask(lasting, "/start-task") for _ in range(5)]
        assert [head.status for head in answers if head.get("retry-after") is None] == [202] * len(answers)
        assert ask(lasting, f"/orders/{name}", b'{"status": "still here"}').status == 200
        for stream in opened:
            assert b"still here" in read_until(stream, b"still here")
        for stream in opened[:100]:
            stream.socket.close()
        wait_until(lambda: can_open(site, f"/task-progress/{task_id}"), "there is room again")
        site.order_return(name)
        for stream in opened[100:]:
            assert b"event: end" in read_until(stream, b"event: end")


def ask(connection: wire.Connection, target: str, body: bytes = b"") -> wire.Head:
    """Post on a connection that is open already, and return the head of the answer."""
    connection.send(wire.encode_request("POST", target, body=body))
    head = connection.read_head()
    connection._rest = connection.read_body()[int(head.get("content-length") or 0) :]
    return head


def read_until(stream: Any, text: bytes) -> bytes:
    received = b""
    while text not in received:
        part = stream.read_some()
        assert part is not None, f"the stream ended after {received!r}"
        received += part
    return received


def can_open(site: Site, target: str) -> bool:
    try:
        return wire.send(site.port, "HEAD", target).status == 200
    except (AssertionError, OSError):
        return False


# More of them than a stop may wait for


@pytest.mark.parametrize("run", [run_large_daphne, run_uvicorn], ids=["daphne", "uvicorn"])
def test_server_with_hundreds_of_open_streams_stops_and_leaves_nobody_hanging(run):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.wrapped_settings"}
    with run(WRAPPED, env=env) as server:
        site = Site(server)
        targets = find_targets(site.start_puppet("stopped"))
        with wire.open_streams(site.port, islice(cycle(targets), 500)) as streams:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(DEADLINE)
            for stream in streams:
                assert not is_hanging(stream)


def is_hanging(stream: wire.EventStream) -> bool:
    """Return whether neither an end of the stream nor one of the connection comes."""
    try:
        stream.read_all()
    except (AssertionError, ConnectionError):  # no last chunk: the client comes back
        return False
    except TimeoutError:
        return True
    return False
