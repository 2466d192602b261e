"""The end of a stream because a right to see its tasks ends: with a `retry`, once, and nothing left behind."""

import asyncio
import gc

import pytest

from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.stream import Stream
from tests.support.viewers import (
    NOW,
    decode,
    find_states,
    has_no_viewers,
    is_idle,
    make_running,
    put,
    read_events,
    read_next,
    read_rest,
    report,
    until,
)
from tests.support.wire import EventDecoder


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    """However a stream ends, the hub forgets it."""
    hub = get_hub()
    yield
    gc.collect()
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


async def open_one(seconds: float, **options: bool) -> Stream:
    stream = await Stream.open(["t1"], **options)
    stream.end_in(seconds)
    stream.show_one(None)
    return stream


async def outlast(seconds: float) -> None:
    """Wait until a timer has gone off that was set after the stream's, for as long: so that one has, too."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def test_last_event_is_a_snapshot_that_the_client_knows_and_carries_the_retry():
    put(report(make_running(), 42))
    stream = await open_one(0.05)
    first = await read_next(stream)
    decoder = EventDecoder()
    (event,) = decoder.feed(await read_rest(stream))
    assert event.data == decode(first)[0].data
    assert 1000 <= decoder.retry <= 3000


async def test_last_event_leaves_the_event_id_of_the_client_as_it_is():
    put(make_running())
    stream = await open_one(0.05)
    await read_next(stream)
    assert b"id:" not in await read_rest(stream)


async def test_stream_of_which_nothing_was_read_yet_ends_with_whole_events():
    put(make_running())
    stream = await open_one(0)
    await outlast(0)
    decoder = EventDecoder()
    assert [event.type for event in decoder.feed(await read_rest(stream))] == ["message"]
    assert decoder.retry is not None


async def test_what_is_hidden_is_not_told_at_the_end_either():
    put(make_running("t1", owner="7"), make_running("t2"))
    stream = await Stream.open(["t1", "t2"])
    stream.end_in(0.05)
    stream.show_many([stream.watches[0]])
    events = await read_events(stream)
    assert [(event.type, event.json()["task_id"]) for event in events] == [
        ("missing", "t1"),
        ("message", "t2"),
        ("message", "t2"),
    ]


async def test_log_comes_with_its_last_snapshot_without_an_id():
    put(make_running())
    stream = await open_one(0.05, with_log=True)
    first, last = decode(await read_rest(stream))
    assert (last.type, last.id) == ("message", first.id)


async def test_first_of_several_rights_ends_the_stream():
    put(make_running())
    stream = await open_one(3600)
    stream.end_in(0.05)
    stream.end_in(3600)
    assert len(await read_events(stream)) == 2


async def test_task_that_ends_before_needs_no_retry():
    put(make_running())
    stream = await open_one(3600)
    await read_next(stream)
    put(make_running().succeeded(now=NOW))
    events = await read_events(stream)
    assert (find_states(events), events[-1].type) == (["succeeded"], "end")


async def test_end_that_the_reader_has_not_taken_yet_is_no_last_event():
    put(make_running())
    stream = await open_one(0.05)
    await read_next(stream)
    put(make_running().succeeded(now=NOW))
    await until(lambda: stream.watches[0].view.is_terminal, "the hub has read the end")
    await outlast(0.05)
    assert await read_rest(stream) == b""


async def test_right_keeps_no_stream_alive_that_nobody_closes():
    put(make_running())
    stream = await open_one(3600)
    hub = get_hub()
    del stream
    gc.collect()
    await until(lambda: is_idle(hub), "the hub let go of everything")
