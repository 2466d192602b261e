"""Streams that are held while their readers are behind, and go on with the latest."""

import asyncio

import pytest

from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.stream import Stream
from tests.support.viewers import NOW, decode, find_states, has_no_viewers, make_running, put, read_next, report, until


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    hub = get_hub()
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


@pytest.fixture
async def stream():
    """A stream whose caller has the first snapshot, and waits for the next."""
    put(make_running())
    stream = await Stream.open(["t1"])
    stream.show_one(None)
    await read_next(stream)
    yield stream
    stream.close()


async def test_stream_that_is_held_gives_the_latest_when_it_goes_on(stream):
    waiting = stream.__anext__()
    stream.hold()
    snapshot = make_running()
    for current in (10, 20, 30):
        put(snapshot := report(snapshot, current))
        await asyncio.sleep(0)
    assert not waiting.done()
    stream.go_on()
    (event,) = decode(await waiting)
    assert event.json()["current"] == 30


async def test_stream_that_is_held_ends_at_once_when_it_is_closed(stream):
    waiting = stream.__anext__()
    stream.hold()
    stream.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 10)


async def test_stream_that_is_held_ends_at_once_when_the_server_stops(stream):
    waiting = stream.__anext__()
    stream.hold()
    stream.expire()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 10)


async def test_end_that_came_while_a_stream_was_held_is_told(stream):
    waiting = stream.__anext__()
    stream.hold()
    put(make_running().succeeded(now=NOW))
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.go_on()
    assert find_states(decode(await waiting)) == ["succeeded"]


async def test_stream_whose_caller_does_not_wait_is_not_held(stream):
    stream.hold()
    assert stream.held is None


async def test_keep_alive_waits_while_a_stream_is_held(stream):
    waiting = stream.__anext__()
    stream.hold()
    stream.tick()
    stream.tick()
    assert not waiting.done()
    stream.go_on()
    assert await waiting == b": keep-alive\n"
