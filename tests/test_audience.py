"""The viewers of a task, who are written frames without a look at each, as long as nothing changes."""

import asyncio
import gc
import itertools
import logging
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app.hub import get_hub
from tasks_app.logstream import LogStream
from tasks_app.outlets import HIGH_WATER, CycleOutlet, Framed, Outlet, Write
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report
from tasks_app.stream import Stream
from tasks_app.watch import CALM_CHANGES, Watch
from tests.support.viewers import NOW, CountingViewer, is_idle, make_running, put, read_next, report, until

#: As many changes as it takes until the ways of viewers that stay are known.
LEARNING = CALM_CHANGES


class DirectViewer(CountingViewer):
    """A viewer that has a way; `written` is what was written by it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def find_way(self) -> Write | None:
        return self.written.append


class SearchedViewer(CountingViewer):
    """A viewer that has no way; it counts how often it was asked for one."""

    searches = 0

    def find_way(self) -> None:
        self.searches += 1


class BrokenViewer(DirectViewer):
    """A viewer whose connection is gone, as its way finds out."""

    def find_way(self) -> Write | None:
        return self.fail

    def fail(self, chunk: bytes) -> None:
        raise RuntimeError("the handler is closed")


class Task:
    """A task that changes as often as a test says."""

    def __init__(self, *viewers: CountingViewer) -> None:
        self.watch = Watch("t1")
        self.snapshot = make_running()
        for viewer in viewers:
            self.watch.viewers.add(viewer)

    def change(self, times: int = 1, **meta: Any) -> None:
        for _ in range(times):
            changed = report(self.snapshot, self.snapshot.seq)
            self.show(changed if not meta else changed.reported(Report(meta=meta), now=NOW))

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.watch.apply(snapshot.to_json(), monotonic=0)
        self.watch.viewers.notify(self.watch)

    @property
    def chunk(self) -> bytes:
        return self.watch.view.chunk


# Any viewers


def test_viewers_that_stay_are_written_without_being_asked():
    task = Task(one := DirectViewer(), other := DirectViewer())
    task.change(LEARNING)
    task.change(2)
    assert [len(one.seen), len(one.written)] == [LEARNING, 2]
    assert one.written == other.written
    assert one.written[1] is other.written[1] is task.chunk


def test_viewer_without_a_way_is_asked_beside_those_with_one():
    task = Task(direct := DirectViewer(), asked := CountingViewer())
    task.change(LEARNING + 1)
    assert [len(asked.seen), len(direct.seen), len(direct.written)] == [LEARNING + 1, LEARNING, 1]


def test_newcomer_is_told_of_the_next_change():
    task = Task(DirectViewer())
    task.change(LEARNING + 1)
    task.watch.viewers.add(newcomer := DirectViewer())
    task.change()
    assert len(newcomer.seen) == 1


def test_who_has_left_is_told_nothing_more():
    task = Task(leaver := DirectViewer(), stayer := DirectViewer())
    task.change(LEARNING)
    task.watch.viewers.discard(leaver)
    task.change()
    assert [len(leaver.written), len(leaver.seen), len(stayer.seen)] == [0, LEARNING, LEARNING + 1]


def test_viewers_are_asked_again_once_their_ways_are_forgotten():
    task = Task(viewer := DirectViewer())
    task.change(LEARNING)
    task.watch.viewers.forget_ways()
    task.change()
    assert [len(viewer.seen), len(viewer.written)] == [LEARNING + 1, 0]


def test_ways_that_were_forgotten_are_learned_only_when_viewers_stay_for_a_while():
    task = Task(viewer := SearchedViewer())
    task.change(LEARNING)
    task.watch.viewers.forget_ways()
    task.change(LEARNING - 1)
    assert viewer.searches == 1
    task.change()
    assert viewer.searches == 2


def test_ways_that_are_forgotten_while_they_are_learned_are_not_used():
    class Leaving(DirectViewer):
        def find_way(self) -> Write | None:
            task.watch.viewers.forget_ways()
            return super().find_way()

    task = Task(viewer := Leaving())
    task.change(LEARNING + 1)
    assert [len(viewer.seen), len(viewer.written)] == [LEARNING + 1, 0]


def test_viewers_are_asked_to_take_the_end():
    task = Task(viewer := DirectViewer())
    task.change(LEARNING)
    task.show(task.snapshot.succeeded(now=NOW))
    assert [len(viewer.seen), len(viewer.written)] == [LEARNING + 1, 0]


def test_viewers_are_asked_now_and_then_whether_they_keep_up():
    """Nobody else looks at what waits in their transports."""
    task = Task(viewer := DirectViewer())
    task.change(LEARNING)
    while len(viewer.seen) == LEARNING and task.snapshot.seq < 1000:
        task.change()
    assert HIGH_WATER - len(task.chunk) <= sum(map(len, viewer.written)) <= HIGH_WATER
    task.change()
    assert len(viewer.seen) == LEARNING + 1


def test_frame_that_is_larger_than_what_may_wait_is_not_written_without_a_look():
    task = Task(viewer := DirectViewer())
    task.change(LEARNING)
    task.change(filler="x" * HIGH_WATER)
    assert [len(viewer.seen), len(viewer.written)] == [LEARNING + 1, 0]


def test_viewers_of_whom_none_has_a_way_are_not_searched_for_one_at_each_change():
    task = Task(viewer := SearchedViewer())
    task.change(50, filler="x" * HIGH_WATER)
    assert [viewer.searches, len(viewer.seen)] == [1, 50]


def test_viewer_whose_way_fails_is_asked_and_takes_no_other_along():
    task = Task(first := DirectViewer(), broken := BrokenViewer(), last := DirectViewer())
    task.change(LEARNING + 1)
    assert [len(first.written), len(last.written)] == [1, 1]
    assert [len(first.seen), len(broken.seen), len(last.seen)] == [LEARNING, LEARNING + 1, LEARNING]


def test_ways_are_forgotten_once_one_has_failed():
    task = Task(viewer := DirectViewer(), broken := BrokenViewer())
    task.change(LEARNING + 2)
    assert [len(viewer.seen), len(viewer.written), len(broken.seen)] == [LEARNING + 1, 1, LEARNING + 2]


def test_viewer_that_fails_to_tell_its_way_is_logged_and_takes_no_other_along(caplog):
    class Failing(CountingViewer):
        def find_way(self) -> None:
            raise RuntimeError("no way")

    task = Task(failing := Failing(), direct := DirectViewer())
    task.change(LEARNING + 1)
    assert [len(failing.seen), len(direct.written)] == [LEARNING + 1, 1]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("changes", [LEARNING, LEARNING + 1])
def test_ways_may_be_forgotten_at_any_point_of_a_change(changes):
    """The garbage collector may find a stream anywhere: each of the calls that a change makes stands in for that."""
    for point in itertools.count():
        task = Task(viewer := DirectViewer())
        task.change(changes - 1)
        calls = itertools.count()

        def interrupt(*event: object, task=task, calls=calls, point=point) -> None:
            if next(calls) == point:
                task.watch.viewers.forget_ways()

        sys.setprofile(interrupt)
        try:
            task.change()
        finally:
            sys.setprofile(None)
        assert len(viewer.seen) + len(viewer.written) == changes
        if next(calls) <= point:
            break
    assert point > 10


# Streams


class Connection(Outlet):
    """An outlet whose connection notes what is written, by whatever way."""

    def __init__(self) -> None:
        super().__init__(lambda message: asyncio.sleep(0))
        self.asked: list[bytes] = []
        self.written: list[bytes] = []

    def write(self, framed: Framed) -> bool:
        self.asked.append(framed.frame)
        return True

    def find_way(self) -> Write | None:
        return self.written.append


class Reader:
    """A stream with a connection, that waits for its next frame."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.connection = stream, Connection()
        stream.send_by(self.connection)
        self.waiting: asyncio.Future[bytes] | None = None

    def wait(self) -> "asyncio.Future[bytes]":
        self.waiting = self.stream.__anext__()
        self.waiting.add_done_callback(_take_note)
        return self.waiting

    @property
    def written(self) -> list[bytes]:
        """What was written without a look at the stream."""
        return self.connection.written


def _take_note(waiting: "asyncio.Future[bytes]") -> None:
    """Not every test awaits the end of a stream."""
    if not waiting.cancelled():
        waiting.exception()


@pytest.fixture
async def open_reader() -> AsyncIterator[Callable[..., Any]]:
    """Open a stream of the task t1; at the end the hub has let go of all."""
    hub, opened = get_hub(), []

    async def open_reader(kind: type[Stream] = Stream, *, waits: bool = True) -> Reader:
        stream = await kind.open(["t1"])
        stream.show_one(None)
        reader = Reader(stream)
        await read_next(stream)
        if waits:
            reader.wait()
        opened.append(reader)
        return reader

    yield open_reader
    for reader in opened:
        if hasattr(reader, "stream"):
            reader.stream.close()
    opened.clear()
    await until(lambda: is_idle(hub), "the hub let go of everything")


class Live:
    """A task of which this process stores one version after the other."""

    def __init__(self) -> None:
        self.snapshot = make_running()
        put(self.snapshot)

    async def change(self, times: int = 1) -> None:
        for _ in range(times):
            await self.show(report(self.snapshot, self.snapshot.seq))

    async def change_until_known(self, reader: Reader) -> None:
        """Change until the way to a reader is known, and all changes after that are written to it."""
        await self.change(LEARNING + 1)
        assert reader.written
        reader.written.clear()

    async def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        put(snapshot)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_stream_that_waits_is_written_without_being_asked(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    await task.change(2)
    assert [chunk.count(b"data: ") for chunk in reader.written] == [1, 1]
    assert task.snapshot.event_id.encode() in reader.written[-1]
    assert not reader.waiting.done()


async def test_stream_that_was_written_without_being_asked_is_given_the_end(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    await task.show(task.snapshot.succeeded(now=NOW))
    assert b"event: end" in await reader.waiting


async def test_stream_whose_wait_is_cancelled_is_written_nothing_more(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    reader.waiting.cancel()
    await asyncio.sleep(0)
    await task.change()
    assert reader.written == []


async def test_stream_whose_wait_was_cancelled_before_has_no_way(open_reader):
    task = Live()
    cancelled, other = await open_reader(), await open_reader()
    cancelled.waiting.cancel()
    await task.change_until_known(other)
    assert cancelled.written == []


async def test_stream_that_is_closed_is_written_nothing_more_at_once(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    watch = reader.stream.watches[0]
    reader.stream.close()
    for _ in range(LEARNING + 1):
        watch.viewers.notify(watch)
    assert reader.written == []


async def test_stream_that_nobody_refers_to_any_more_is_written_nothing_more_at_once(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    watch = reader.stream.watches[0]
    del reader.stream, reader.waiting
    watch.viewers.notify(watch)
    assert reader.written == []


async def test_stream_whose_response_somebody_else_ends_is_written_nothing_more(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    before = len(reader.connection.asked)
    sending = reader.connection({"type": "http.response.body", "body": b"too long"})
    watch = reader.stream.watches[0]
    watch.viewers.notify(watch)
    await sending
    await task.change()
    assert [len(reader.connection.asked) - before, reader.written] == [0, []]


async def test_stream_goes_on_after_a_part_of_its_response(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    await reader.connection({"type": "http.response.body", "body": b"more", "more_body": True})
    await task.change()
    assert len(reader.written) == 1


async def test_stream_that_does_not_wait_yet_gets_the_latest_when_it_does(open_reader):
    task = Live()
    reader, other = await open_reader(), await open_reader(waits=False)
    await task.change_until_known(reader)
    await task.change(2)
    assert task.snapshot.event_id.encode() in await other.wait()
    assert [len(reader.written), other.written] == [2, []]


async def test_stream_that_was_written_without_being_asked_needs_no_sign_of_life(open_reader):
    task, reader, hub = Live(), await open_reader(), get_hub()
    for _ in range(3):
        await task.change_until_known(reader)
        await task.change()
        tick(hub)
        reader.written.clear()
    assert not reader.waiting.done()
    tick(hub)
    assert await reader.waiting == b": keep-alive\n\n"


def tick(hub: Any) -> None:
    """Let half a KEEPALIVE pass."""
    hub._ticker.cancel()
    hub._tick()


async def test_wait_of_hours_gathers_nothing(open_reader):
    task, reader = Live(), await open_reader()
    await task.change_until_known(reader)
    before = len(reader.waiting._callbacks)
    for _ in range(5):
        tick(get_hub())
        await task.change_until_known(reader)
    assert len(reader.waiting._callbacks) == before


async def test_stream_with_a_log_has_no_way(open_reader):
    task, reader = Live(), await open_reader(LogStream)
    for _ in range(LEARNING + 2):
        await task.change()
        assert task.snapshot.event_id.encode() in await reader.waiting
        assert not reader.wait().done()
        assert reader.stream.find_way() is None
    assert reader.written == []


async def test_stream_of_many_tasks_has_no_way():
    task = Live()
    reader = Reader(await Stream.open(["t1"]))
    reader.stream.show_many([])
    await read_next(reader.stream)
    reader.wait()
    await task.change(LEARNING + 1)
    assert [len(reader.connection.asked), reader.written] == [LEARNING + 1, []]
    reader.stream.close()


# uvicorn's transports


async def test_transport_of_a_reader_that_does_not_read_holds_little(caplog):
    """Each frame is a few hundred bytes: only a look now and then keeps them from gathering without end."""
    accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
    client.transport.pause_reading()
    writer = await accepted
    cycle = SimpleNamespace(transport=writer.transport, chunked_encoding=True)
    task, stuck = Live(), await Stream.open(["t1"])
    stuck.show_one(None)
    stuck.outlet = CycleOutlet(lambda message: asyncio.sleep(0), cycle)
    await read_next(stuck)
    waiting = stuck.__anext__()
    written = 0
    while not waiting.done() and written < 100_000:
        await task.change()
        written += 1
    frame = len(stuck.watches[0].view.chunk)
    assert written * frame > 4 * HIGH_WATER
    assert writer.transport.get_write_buffer_size() <= 2 * HIGH_WATER + frame
    stuck.close()
    writer.transport.abort()
    client.transport.abort()
    server.close()
    await server.wait_closed()
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
