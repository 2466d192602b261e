"""`tasks_app.asgi.wrap()`: what it lets pass, and the threads that requests share."""

import asyncio
import gc
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import Context
from typing import Any
from weakref import WeakSet

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async

from tasks_app.asgi import wrap
from tasks_app.servers import request_threads as threads_module
from tasks_app.servers.request_threads import LentThread, RequestThreads
from tasks_app.utils.server import release_request_thread
from tests.support import wire
from tests.support.servers import ROOT, run_daphne, run_uvicorn
from tests.support.viewers import until
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site, find_errors
from tests.support.wrapped import WRAPPED, run_wrapped

LIMIT = 4

#: Requests that come at once in some tests.
MANY = 40

#: See tests/wire/test_shutdown.py.
CLEAN = (0,) if sys.version_info >= (3, 12) else (0, -signal.SIGSEGV)


# What is passed on


async def accept(scope: Any, receive: Any, send: Any) -> None:
    scope["seen"] = (receive, send)
    scope["context"] = SyncToAsync.thread_sensitive_context.get(None)


async def ignore(*args: object) -> None:
    raise AssertionError("it is not called")


@pytest.mark.parametrize("kind", ["websocket", "unheard-of"])
async def test_what_is_not_http_is_passed_on_as_it_is(kind):
    scope: dict[str, Any] = {"type": kind}
    await wrap(accept)(scope, ignore, ignore)
    assert scope == {"type": kind, "seen": (ignore, ignore), "context": None}


async def test_send_of_a_server_that_is_not_daphne_is_passed_on_as_it_is():
    scope: dict[str, Any] = {"type": "http", "path": "/"}
    await wrap(accept)(scope, ignore, ignore)
    assert scope["seen"] == (ignore, ignore)


async def test_missing_guard_is_told_once_at_debug_level(caplog):
    caplog.set_level(logging.DEBUG, "tasks_app")
    wrapped = wrap(accept)
    for _ in range(2):
        await wrapped({"type": "http", "path": "/"}, ignore, ignore)
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "streams are not guarded" in record.message
    assert "ignore" in record.message


@pytest.mark.parametrize("threads", ["4", 4.0, None, True])
def test_threads_that_are_no_whole_number_are_named(threads):
    with pytest.raises(TypeError, match=rf"threads is {re.escape(repr(threads))}; .* whole number of at least 1"):
        wrap(accept, threads=threads)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_that_are_too_few_are_named(threads):
    with pytest.raises(ValueError, match=rf"threads is {threads}; .* at least 1"):
        wrap(accept, threads=threads)


def test_what_is_no_application_is_named():
    with pytest.raises(TypeError, match="application is None"):
        wrap(None)


# Threads


class Request:
    """A request in an asyncio task of its own, which runs what a test tells it to."""

    def __init__(self, threads: RequestThreads) -> None:
        self._orders: asyncio.Queue[Any] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self._serve(threads), context=Context())

    async def get_thread(self) -> threading.Thread:
        return await self.run(sync_to_async(threading.current_thread)())

    async def run(self, order: Coroutine[Any, Any, Any]) -> Any:
        self._orders.put_nowait(order)
        return await self.answer()

    async def answer(self) -> Any:
        return await self._answers.get()

    def start(self, order: Coroutine[Any, Any, Any]) -> None:
        self._orders.put_nowait(order)

    async def let_start(self) -> None:
        """Let the loop come to the order that was given last."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self._orders.put_nowait(None)
        await self.task

    async def _serve(self, threads: RequestThreads) -> None:
        async with threads.lend():
            while (order := await self._orders.get()) is not None:
                self._answers.put_nowait(await order)


async def release() -> None:
    release_request_thread()


class Gate:
    """Sync code that blocks its thread until the test lets it go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    def block(self) -> None:
        self.entered.set()
        self._opened.wait(DEADLINE)

    async def wait_entered(self) -> None:
        await until(self.entered.is_set, "the thread is blocked")


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


async def test_call_waits_for_the_first_thread_that_is_free(gate):
    threads = RequestThreads(2)
    first, second = Gate(), Gate()
    requests = [Request(threads) for _ in range(3)]
    requests[0].start(sync_to_async(first.block)())
    await first.wait_entered()
    requests[1].start(sync_to_async(second.block)())
    await second.wait_entered()
    requests[2].start(sync_to_async(gate.block)())
    await requests[2].let_start()
    assert not gate.entered.is_set()
    second.open()
    await gate.wait_entered()
    for item in (first, gate):
        item.open()
    for request in requests:
        await request.end()


async def test_requests_have_threads_of_their_own_up_to_the_limit():
    threads = RequestThreads(2)
    requests = [Request(threads) for _ in range(6)]
    used = {await request.get_thread() for request in requests}
    assert len(used) == 2
    for request in requests:
        await request.end()


async def test_request_runs_all_its_sync_code_in_one_thread():
    threads = RequestThreads(3)
    requests = [Request(threads) for _ in range(3)]
    first = [await request.get_thread() for request in requests]
    assert [await request.get_thread() for request in requests] == first
    for request in requests:
        await request.end()


async def test_thread_of_a_request_that_has_ended_is_used_again():
    threads = RequestThreads(4)
    used = set()
    for _ in range(3):
        request = Request(threads)
        used.add(await request.get_thread())
        await request.end()
    assert len(used) == 1


async def test_request_makes_no_thread_where_there_are_enough(monkeypatch):
    threads = RequestThreads(1)
    async with threads.lend():
        thread = await sync_to_async(threading.current_thread)()
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread was started"))
    async with threads.lend():
        assert await sync_to_async(threading.current_thread)() is thread


def test_threads_are_shared_also_after_an_event_loop_was_closed():
    async def share(wait: bool) -> None:
        requests = [Request(threads) for _ in range(2)]
        await requests[0].get_thread()
        requests[1].start(sync_to_async(threading.current_thread)())
        await requests[1].let_start()
        if wait:
            await asyncio.wait_for(requests[1].answer(), 10)
            for request in requests:
                await request.end()

    threads = RequestThreads(1)
    asyncio.run(share(wait=False))
    assert asyncio.run(share(wait=True)) is None


async def test_request_without_sync_code_takes_no_thread():
    threads = RequestThreads(2)
    idle = Request(threads)
    await idle.run(asyncio.sleep(0))
    requests = [Request(threads) for _ in range(2)]
    assert len({await request.get_thread() for request in requests}) == 2
    for request in [idle, *requests]:
        await request.end()


async def test_request_gets_a_thread_where_nothing_runs_rather_than_one_that_is_blocked(gate):
    threads = RequestThreads(2)
    blocked, idle = Request(threads), Request(threads)
    await blocked.get_thread()
    free = await idle.get_thread()
    others = [Request(threads) for _ in range(3)]  # more than the blocked one has
    blocked.start(sync_to_async(gate.block)())
    await gate.wait_entered()
    for other in others:
        assert await asyncio.wait_for(other.get_thread(), 5) is free
    gate.open()
    for request in [blocked, idle, *others]:
        await request.end()


@pytest.fixture
def _unshared(monkeypatch) -> None:
    """No thread is shared as long as it is lent."""
    monkeypatch.setattr(threads_module, "SHARE_AFTER", 10 * DEADLINE)


@pytest.mark.usefixtures("_unshared")
async def test_request_has_its_thread_alone_while_it_runs_sync_code():
    threads, called = RequestThreads(1), []
    first, second = Request(threads), Request(threads)
    await first.get_thread()
    waiting = asyncio.create_task(second.run(sync_to_async(called.append)(2)))
    for _ in range(5):
        await first.run(sync_to_async(called.append)(1))
    await first.end()
    await asyncio.wait_for(waiting, DEADLINE)
    assert called == [1] * 5 + [2]
    await second.end()


@pytest.mark.usefixtures("_unshared")
async def test_stream_gives_its_thread_back_before_it_ends():
    threads = RequestThreads(1)
    stream, other = Request(threads), Request(threads)
    thread = await stream.get_thread()
    await stream.run(release())
    assert await asyncio.wait_for(other.get_thread(), DEADLINE) is thread
    await other.end()
    await stream.end()


@pytest.mark.usefixtures("_unshared")
async def test_sync_code_after_the_release_runs_and_its_thread_is_given_back_too():
    threads = RequestThreads(1)
    stream, other = Request(threads), Request(threads)
    thread = await stream.get_thread()
    await stream.run(release())
    await stream.run(release())
    assert await stream.get_thread() is thread
    waiting = asyncio.create_task(other.get_thread())
    assert await stream.get_thread() is thread
    assert not waiting.done()
    await stream.end()
    assert await asyncio.wait_for(waiting, DEADLINE) is thread
    await other.end()


@pytest.mark.usefixtures("_unshared")
async def test_request_that_fails_gives_its_thread_back():
    threads = RequestThreads(1)
    with pytest.raises(ZeroDivisionError):
        async with threads.lend():
            await sync_to_async(lambda: 1 / 0)()
    await check_free(threads)


async def check_free(threads: RequestThreads) -> None:
    """Check that the only thread is lent to nobody."""
    request = Request(threads)
    assert await asyncio.wait_for(request.get_thread(), DEADLINE)
    await request.end()


@pytest.mark.usefixtures("_unshared")
async def test_cancelled_request_that_waits_for_a_thread_leaves_nothing_behind(gate):
    threads, called = RequestThreads(1), []
    blocked, cancelled = Request(threads), Request(threads)
    blocked.start(sync_to_async(gate.block)())
    await gate.wait_entered()
    cancelled.start(sync_to_async(called.append)(1))
    await cancelled.let_start()
    cancelled.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled.task
    gate.open()
    await blocked.get_thread()
    await blocked.end()
    await check_free(threads)
    assert called == []


class CountingThreads(RequestThreads):
    """Threads that know which requests are remembered somewhere."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.lent: WeakSet[LentThread] = WeakSet()

    def lend(self) -> LentThread:
        lent = super().lend()
        self.lent.add(lent)
        return lent


async def give_up(request: Request, gate: Gate) -> None:
    """Have a request wait for a thread, and then be cancelled."""
    request.start(sync_to_async(gate.block)())
    await request.let_start()
    request.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.task


@pytest.mark.usefixtures("_unshared")
async def test_requests_that_gave_up_keep_nobody_waiting_in_line(gate):
    threads = CountingThreads(1)
    first = Request(threads)
    await first.get_thread()
    for _ in range(3):
        await give_up(Request(threads), gate)

    def is_forgotten() -> bool:
        gc.collect()
        return len(threads.lent) == 1

    await until(is_forgotten, "nothing is left of those who gave up")
    await first.end()


async def test_call_of_a_task_that_waits_when_its_request_ends_is_made(gate):
    threads = RequestThreads(1)
    blocked = Request(threads)
    blocked.start(sync_to_async(gate.block)())
    await gate.wait_entered()
    async with threads.lend():
        task = asyncio.create_task(sync_to_async(threading.current_thread)())
        await blocked.let_start()
    gate.open()
    assert (await asyncio.wait_for(task, DEADLINE)).name.startswith("tasks_app-request-")
    await blocked.answer()
    await blocked.end()


async def test_sync_code_that_raises_what_no_future_can_is_told_so():
    async with RequestThreads(1).lend():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await sync_to_async(next)(iter([]))


async def test_task_that_outlives_its_request_can_still_run_sync_code():
    ended = asyncio.Event()

    async def outlive() -> threading.Thread:
        await ended.wait()
        return await sync_to_async(threading.current_thread)()

    async with RequestThreads(1).lend():
        thread = await sync_to_async(threading.current_thread)()
        task = asyncio.create_task(outlive())
    ended.set()
    assert await task is not thread


async def test_context_that_somebody_has_entered_is_left_alone():
    async with ThreadSensitiveContext():
        thread = await sync_to_async(threading.current_thread)()
        async with RequestThreads(1).lend():
            assert await sync_to_async(threading.current_thread)() is thread


async def test_thread_that_somebody_else_lent_is_not_taken_from_them():
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with ThreadSensitiveContext() as context:
            context._executor = executor  # as `ThreadSensitiveContext(executor=...)` does, which older asgiref has not
            SyncToAsync.context_to_thread_executor[context] = executor
            thread = await sync_to_async(threading.current_thread)()
            release_request_thread()
            assert await sync_to_async(threading.current_thread)() is thread
            del SyncToAsync.context_to_thread_executor[context]


async def test_threads_are_named_and_keep_no_process_alive():
    async with RequestThreads(1).lend():
        thread = await sync_to_async(threading.current_thread)()
    assert re.fullmatch(r"tasks_app-request-\d+", thread.name)
    assert thread.daemon


FORK = """
import asyncio, os
from asgiref.sync import sync_to_async
from tasks_app.servers.request_threads import RequestThreads

threads = RequestThreads(1)

async def run():
    async with threads.lend():
        return await asyncio.wait_for(sync_to_async(os.getpid)(), 10)

assert asyncio.run(run()) == os.getpid()
child = os.fork()
if child == 0:
    os._exit(0 if asyncio.run(run()) == os.getpid() else 1)
assert os.waitpid(child, 0)[1] == 0
assert asyncio.run(run()) == os.getpid()
"""


def test_forked_process_has_threads_of_its_own():
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", FORK], env=env, cwd=ROOT, check=True, timeout=DEADLINE)


# Behind real servers


@pytest.fixture(params=[run_daphne, run_uvicorn])
def site(request) -> Iterator[Site]:
    with run_wrapped(run=request.param, env={"REQUEST_THREADS": str(LIMIT)}) as site:
        yield site


def ask_at_once(site: Site, target: str) -> list[list[str]]:
    """Make MANY requests at once, and return which threads each of them answers."""
    with open_connections(site, MANY) as connections:
        for connection in connections:
            connection.send(wire.encode_request("GET", target))
        return [read_threads(connection) for connection in connections]


@contextmanager
def open_connections(site: Site, count: int) -> Iterator[list[wire.Connection]]:
    with ExitStack() as opened:
        yield [opened.enter_context(wire.Connection(site.port)) for _ in range(count)]


def read_threads(connection: wire.Connection) -> list[str]:
    return wire.Response(connection.read_head(), connection.read_body()).json()["threads"]


def test_many_requests_share_a_few_threads(site):
    names = {name for names in ask_at_once(site, "/thread") for name in names}
    assert 1 < len(names) <= LIMIT
    assert all(name.startswith("tasks_app-request-") for name in names)
    running = [name for name in site.get_stats()["threads"] if name.startswith("tasks_app-request-")]
    assert len(running) <= LIMIT


def test_async_view_has_one_thread_for_all_its_sync_code(site):
    assert {len(set(names)) for names in ask_at_once(site, "/async-threads")} == {1}


def test_blocked_requests_hold_no_others_up_while_threads_are_free(site):
    with open_connections(site, LIMIT - 1) as blocked:
        for place, connection in enumerate(blocked):
            connection.send(wire.encode_request("GET", f"/block/{place}"))
            wait_until(lambda place=place: place in show_blocked(site), "its thread is blocked")
        others = {name for names in ask_at_once(site, "/thread") for name in names}
        for place in range(LIMIT - 1):
            wire.send(site.port, "GET", f"/unblock/{place}")
        held = {name for connection in blocked for name in read_threads(connection)}
    assert len(others) == 1
    assert len(held) == LIMIT - 1
    assert not held & others


def show_blocked(site: Site) -> list[int]:
    return [int(name) for name in wire.send(site.port, "GET", "/blocked").json()["names"]]


def test_open_streams_leave_the_threads_to_other_requests(site):
    target = f"/task-progress/{site.start_puppet('few')}"
    with wire.open_streams(site.port, [target] * MANY):
        names = {name for names in ask_at_once(site, "/thread") for name in names}
        assert 1 < len(names) <= LIMIT
        assert site.get_stats()["viewers"] == MANY
        site.order_return("few")


def test_task_of_a_view_that_outlives_its_request_runs_sync_code(site):
    wire.send(site.port, "GET", "/outlive")
    wait_until(lambda: wire.send(site.port, "GET", "/outlived").json()["threads"], "it has run")


@pytest.fixture
def open_database(tmp_path) -> Callable[..., Any]:
    """Run the site with a database in a file; CONN_MAX_AGE is given in seconds."""

    def run(max_age: int) -> Any:
        env = {"WIRE_DATABASE": str(tmp_path / "db.sqlite3"), "WIRE_CONN_MAX_AGE": str(max_age)}
        return run_wrapped(env={**env, "REQUEST_THREADS": "1"}, POLICY="tests.support.wrapped_site.QueryingPolicy")

    return run


def test_open_stream_holds_no_database_connection(open_database, tmp_path):
    with open_database(0) as site:
        target = f"/task-progress/{site.start_puppet('db')}"
        with wire.open_streams(site.port, [target]):
            wait_until(lambda: not site.count_connections(tmp_path / "db.sqlite3"), "the connection was closed")
            assert site.get_stats()["viewers"] == 1
        site.order_return("db")


def test_stream_leaves_the_thread_the_connection_that_conn_max_age_keeps(open_database, tmp_path):
    with open_database(600) as site:
        target = f"/task-progress/{site.start_puppet('db')}"
        made = wire.send(site.port, "GET", "/query").json()
        with wire.open_streams(site.port, [target] * 5):
            assert site.count_connections(tmp_path / "db.sqlite3") == 1
            assert wire.send(site.port, "GET", "/query").json() == made
        site.order_return("db")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_stops_and_waits_for_neither_blocked_threads_nor_open_streams(number):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.wrapped_settings", "REQUEST_THREADS": str(LIMIT)}
    with run_daphne(WRAPPED, env=env) as server:
        site = Site(server)
        targets = [f"/task-progress/{site.start_puppet('sync')}"] * 20
        with wire.open_streams(site.port, targets), open_connections(site, LIMIT - 1) as blocked:
            for place, connection in enumerate(blocked):
                connection.send(wire.encode_request("GET", f"/block/{place}"))
            # The last thread is left for this question.
            wait_until(lambda: len(show_blocked(site)) == LIMIT - 1, "the threads are blocked")
            server.process.send_signal(number)
            assert server.process.wait(DEADLINE) in CLEAN  # the threads are blocked for much longer
    assert find_errors(site.log) == []
