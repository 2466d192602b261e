"""Streams that write their frames past the task that serves it."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app.servers.uvicorn import HIGH_WATER, CycleOutlet
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.streaming.hub import Hub, get_hub
from tasks_app.streaming.outlet import Framed, Outlet
from tasks_app.streaming.stream import Stream
from tests.support.viewers import NOW, is_idle, make_running, put, report, until


class Connection(Outlet):
    """An outlet that notes what is written."""

    def __init__(self) -> None:
        super().__init__(lambda message: asyncio.sleep(0))
        self.written: list[bytes] = []

    def write(self, framed: Framed) -> bool:
        self.written.append(framed.frame)
        return True


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
        await anext(stream)
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

    async def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        put(snapshot)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_stream_that_waits_is_written_each_frame(open_reader):
    task, reader = Live(), await open_reader()
    await task.change(2)
    assert [chunk.count(b"data: ") for chunk in reader.written] == [1, 1]
    assert task.snapshot.event_id.encode() in reader.written[-1]
    assert not reader.waiting.done()


async def test_stream_that_was_written_frames_is_given_the_retry_when_a_right_ends(open_reader):
    task, reader = Live(), await open_reader()
    await task.change()
    reader.stream.end_in(0)
    assert (await reader.waiting).startswith(b"retry: ")
    await task.change()
    assert len(reader.written) == 1
    with pytest.raises(StopAsyncIteration):
        await reader.wait()


async def test_stream_that_was_written_frames_is_given_the_end(open_reader):
    task, reader = Live(), await open_reader()
    await task.change()
    await task.show(task.snapshot.succeeded(now=NOW))
    assert b"event: end" in await reader.waiting


async def test_stream_that_is_closed_is_written_nothing_more(open_reader):
    task, reader = Live(), await open_reader()
    await task.change()
    watch = reader.stream.watches[0]
    reader.stream.close()
    await task.change()
    watch.notify()
    assert len(reader.written) == 1


async def test_stream_that_nobody_refers_to_is_written_nothing_more(open_reader):
    task, reader = Live(), await open_reader()
    await task.change()
    watch = reader.stream.watches[0]
    del reader.stream, reader.waiting
    await asyncio.sleep(0)
    await task.change()
    watch.notify()
    assert len(reader.written) == 1


async def test_stream_goes_on_after_a_part_of_its_response(open_reader):
    task, reader = Live(), await open_reader()
    await task.change()
    await reader.connection({"type": "http.response.body", "body": b"more", "more_body": True})
    await task.change()
    assert len(reader.written) == 2


async def test_stream_that_does_not_wait_yet_gets_the_latest_when_it_does(open_reader):
    task = Live()
    reader, other = await open_reader(), await open_reader(waits=False)
    await task.change(2)
    assert task.snapshot.event_id.encode() in await other.wait()
    assert [len(reader.written), other.written] == [2, []]


async def test_stream_that_was_written_a_frame_needs_no_sign_of_life(open_reader):
    task, reader, hub = Live(), await open_reader(), get_hub()
    for _ in range(3):
        await task.change()
        tick(hub)
    assert not reader.waiting.done()
    tick(hub)
    assert await reader.waiting == b": keep-alive\n"


def tick(hub: Hub) -> None:
    """Do what the hub does when half a KEEPALIVE has passed."""
    for viewer in list(hub.viewers):
        viewer.tick()


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
    stuck.send_by(CycleOutlet(lambda message: asyncio.sleep(0), cycle))
    await anext(stuck)
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
