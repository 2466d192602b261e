"""One stream: the latest of each task, the end exactly once, and nothing left behind however it ends."""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async

from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.streaming.hub import Hub, get_hub
from tasks_app.streaming.response import EventStreamResponse
from tasks_app.streaming.stream import Stream
from tasks_app.utils.backoff import draw_around
from tasks_app.utils.clock import parse_time
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
    save_text,
    until,
)
from tests.support.wire import EventDecoder


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    """Whatever a test does to its streams, the hub forgets them."""
    hub = get_hub()
    yield
    gc.collect()
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


async def open_one(task_id: str = "t1", *, last_event_id: str | None = None, **options: bool) -> Stream:
    stream = await Stream.open([task_id], **options)
    stream.show_one(last_event_id)
    return stream


async def open_many(*task_ids: str) -> Stream:
    """Open a multiplexed stream; what is unknown is hidden."""
    stream = await Stream.open(task_ids)
    stream.show_many([watch for watch in stream.watches if watch.view is None])
    return stream


async def tell(stream: Stream, *snapshots: Snapshot) -> None:
    """Store snapshots, and wait until the stream knows of the last."""
    put(*snapshots)
    last = snapshots[-1]

    def is_known() -> bool:
        return any(
            watch.task_id == last.task_id and watch.view is not None and watch.view.event_id == last.event_id
            for watch in stream.watches
        )

    await until(is_known, "the hub has read it")


async def let_run() -> None:
    """Let everything that is ready in the loop run."""
    for _ in range(10):
        await asyncio.sleep(0)


# One task


async def test_first_come_retry_and_the_snapshot_of_now():
    put(report(make_running(), 42))
    stream = await open_one()
    decoder = EventDecoder()
    (event,) = decoder.feed(await read_next(stream))
    stream.close()
    assert (event.type, event.id, event.json()["progress"]) == ("message", "3", 42)
    assert 1000 <= decoder.retry <= 3000


def test_retry_is_drawn_anew_for_each_connection():
    drawn = {draw_around(2000, 0.5) for _ in range(200)}
    assert len(drawn) > 50
    assert min(drawn) >= 1000
    assert max(drawn) <= 3000


async def test_slow_reader_gets_the_latest_and_nothing_between():
    snapshot = make_running()
    put(snapshot)
    stream = await open_one()
    await read_next(stream)
    for current in (10, 20, 30):
        snapshot = report(snapshot, current)
        await tell(stream, snapshot)
    (event,) = decode(await read_next(stream))
    assert event.json()["progress"] == 30
    stream.close()


async def test_slow_reader_of_an_ended_task_gets_its_end_alone():
    snapshot = make_running()
    put(snapshot)
    stream = await open_one()
    await read_next(stream)
    await tell(stream, report(snapshot, 10))
    put(report(snapshot, 10).succeeded({"rows": 3}, now=NOW))
    await until(lambda: stream.watches[0].view.snapshot.is_terminal, "the hub has read the end")
    events = await read_events(stream)
    assert [(event.type, event.json()["progress"]) for event in events] == [("message", 100), ("end", 100)]
    assert events[0].data == events[1].data


@pytest.mark.parametrize(
    ("end", "progress"),
    [
        (lambda snapshot: snapshot.succeeded(now=NOW), 100),
        (lambda snapshot: snapshot.failed("OSError", now=NOW), 37),
        (lambda snapshot: snapshot.cancelled(now=NOW), 37),
        (lambda snapshot: snapshot.lost(now=NOW), 37),
    ],
    ids=["succeeded", "failed", "cancelled", "lost"],
)
async def test_stream_tells_the_end_once_and_ends(end, progress):
    snapshot = report(make_running(), 37)
    put(snapshot)
    stream = await open_one()
    first = await read_next(stream)
    put(end(snapshot))
    put(end(snapshot))
    events = decode(first, await read_rest(stream))
    assert [event.type for event in events] == ["message", "message", "end"]
    assert [event.json()["progress"] for event in events] == [37, progress, progress]


async def test_stream_of_an_ended_task_is_its_snapshot_and_the_end():
    put(make_running().succeeded(now=NOW))
    events = await read_events(await open_one())
    assert [(event.type, event.id) for event in events] == [("message", "3"), ("end", "3")]


async def test_stream_that_ended_stays_ended():
    put(make_running().succeeded(now=NOW))
    stream = await open_one()
    await read_rest(stream)
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


# Reconnecting


async def test_client_that_has_the_current_snapshot_is_not_told_it_again(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "KEEPALIVE": 0.1}
    put(make_running())
    stream = await open_one(last_event_id="2")
    assert decode(await read_next(stream)) == []
    put(report(make_running(), 10))
    (event,) = decode(await read_next(stream))
    stream.close()
    assert event.id == "3"


@pytest.mark.parametrize("last_event_id", ["1", "3", "2-stalled", "", "0", "-1", "x", "2 ", "٢", "9" * 5000, "2\n2"])
async def test_client_with_any_other_id_is_told_the_current_snapshot(last_event_id):
    put(make_running())
    stream = await open_one(last_event_id=last_event_id)
    (event,) = decode(await read_next(stream))
    stream.close()
    assert event.id == "2"


async def test_client_that_has_the_terminal_snapshot_is_told_the_end_alone():
    """It ended between the answer's status and the first frame."""
    put(make_running().succeeded(now=NOW))
    events = await read_events(await open_one(last_event_id="3"))
    assert [event.type for event in events] == ["end"]


# Signs of life


async def test_idle_stream_sends_a_comment_every_second_tick():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    chunks = []
    for _ in range(3):
        reading = asyncio.ensure_future(anext(stream))
        stream.tick()
        await let_run()
        assert not reading.done()
        stream.tick()
        chunks.append(await reading)
    stream.close()
    assert chunks == [b": keep-alive\n"] * 3


async def test_stream_that_was_just_read_needs_no_sign_of_life():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    stream.tick()
    await tell(stream, report(make_running(), 10))
    await read_next(stream)
    stream.tick()
    reading = asyncio.ensure_future(anext(stream))
    await let_run()
    assert not reading.done()
    stream.close()
    with pytest.raises(StopAsyncIteration):
        await reading


async def test_overdue_sign_of_life_gives_way_to_a_snapshot():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    stream.tick()
    stream.tick()
    await tell(stream, report(make_running(), 10))
    assert await read_next(stream) == stream.watches[0].view.frame
    stream.close()


async def test_heartbeat_is_an_event_for_clients_that_ask():
    put(make_running())
    stream = await open_one(uses_heartbeat_events=True)
    await read_next(stream)
    stream.tick()
    stream.tick()
    (event,) = decode(await read_next(stream))
    stream.close()
    assert (event.type, event.json()) == ("heartbeat", {})


async def test_client_that_asks_for_heartbeats_is_told_the_time_of_the_server_at_once():
    put(make_running())
    before = datetime.now(UTC)
    stream = await open_one(uses_heartbeat_events=True)
    snapshot, time = decode(await read_next(stream))
    stream.close()
    assert (snapshot.type, time.type) == ("message", "time")
    assert before - timedelta(milliseconds=1) <= parse_time(time.json()["server_time"]) <= datetime.now(UTC)


async def test_heartbeat_leaves_the_last_event_id_alone():
    put(make_running())
    stream = await open_one(uses_heartbeat_events=True)
    decoder = EventDecoder()
    decoder.feed(await read_next(stream))
    stream.tick()
    stream.tick()
    decoder.feed(await read_next(stream))
    stream.close()
    assert decoder.last_event_id == "2"


async def test_hub_ticks_often_enough_for_keepalive(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "KEEPALIVE": 0.02}
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    assert [await read_next(stream) for _ in range(3)] == [b": keep-alive\n"] * 3
    stream.close()


async def test_stream_ends_cleanly_after_max_stream_seconds(settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAM_SECONDS": 0.1}
    put(make_running())
    events = await read_events(await open_one())
    assert [event.type for event in events] == ["message"]
    assert caplog.text == ""


async def test_lifetime_is_drawn_around_max_stream_seconds(settings, monkeypatch):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAM_SECONDS": 1000}
    loop, delays = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def record(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        delays.append(delay)
        return call_later(delay, *args, **kwargs)

    monkeypatch.setattr(loop, "call_later", record)
    put(make_running())
    streams = [await open_one() for _ in range(50)]
    for stream in streams:
        stream.close()
    lifetimes = [delay for delay in delays if delay > 100]
    assert len(lifetimes) == 50
    assert 800 <= min(lifetimes) < 900 < 1100 < max(lifetimes) <= 1200


# Ending


async def test_close_from_another_thread_ends_a_stream_that_waits():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    reading = asyncio.ensure_future(anext(stream))
    await let_run()
    await asyncio.to_thread(stream.close)
    with pytest.raises(StopAsyncIteration):
        await reading


async def test_close_is_idempotent_and_takes_no_other_stream_along():
    put(make_running())
    closing, staying = await open_one(), await open_one()
    for stream in (closing, staying):
        await read_next(stream)
    await closing.aclose()
    threads = [threading.Thread(target=closing.close) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    put(report(make_running(), 10))
    assert decode(await read_next(staying))[0].id == "3"
    staying.close()


async def test_stream_that_was_closed_before_it_was_read_says_nothing():
    put(make_running())
    stream = await open_one()
    stream.close()
    assert await read_rest(stream) == b""


async def test_stream_that_is_cancelled_while_it_waits_passes_the_cancel_on():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    reading = asyncio.ensure_future(anext(stream))
    await let_run()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await read_rest(stream) == b""


@pytest.mark.parametrize("lifetime", [None, 3600])
async def test_stream_that_nobody_closes_is_let_go_of_with_its_last_reference(settings, lifetime):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAM_SECONDS": lifetime}
    put(make_running())
    stream = await open_one()
    hub = get_hub()
    del stream
    gc.collect()
    await until(lambda: is_idle(hub), "the hub let go of everything")


async def test_text_that_is_no_snapshot_is_logged_and_leaves_the_stream_open(caplog):
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    save_text("t1", report(make_running(), 10).to_json().replace('"result":null', '"result":Infinity'))
    await until(lambda: caplog.records, "it was logged")
    assert caplog.records[0].getMessage() == "task t1: its stored snapshot can't be decoded"
    put(make_running().succeeded(now=NOW))
    assert find_states(await read_events(stream)) == ["succeeded"]


async def test_exception_inside_ends_the_stream_and_is_logged(caplog, monkeypatch):
    monkeypatch.setattr("tasks_app.streaming.stream.encode_all_ended", None)
    put(make_running("t1").succeeded(now=NOW))
    stream = await open_many("t1")
    assert await read_events(stream) == []
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "a stream failed; tasks ['t1']"
    assert record.exc_info is not None


def test_close_after_its_loop_was_closed_is_harmless_to_one_who_waits():
    async def open_and_wait() -> Stream:
        put(make_running())
        stream = await open_one()
        await read_next(stream)
        asyncio.ensure_future(asyncio.shield(anext(stream)))  # noqa: RUF006 - the loop ends before it does
        await let_run()
        return stream

    stream = asyncio.run(open_and_wait())
    stream.close()


async def test_second_reader_is_refused_and_the_first_goes_on_reading():
    put(make_running())
    stream = await open_one()
    await read_next(stream)
    reading = asyncio.ensure_future(read_next(stream))
    await let_run()
    with pytest.raises(RuntimeError, match="another"):
        await anext(stream)
    put(report(make_running(), 10))
    (event,) = decode(await reading)
    assert event.json()["progress"] == 10
    stream.close()


def test_close_after_its_loop_was_closed_is_harmless():
    put(make_running())

    async def look() -> tuple[Stream, Hub]:
        return await open_one(), get_hub()

    stream, hub = asyncio.run(look())
    stream.close()
    stream.close()
    assert not hub.viewers


# Many tasks


async def test_multiplexed_stream_sends_each_task_and_ends_with_counts():
    put(make_running("t1"), make_running("t2"), make_running("t3"))
    stream = await open_many("t1", "t2", "t3")
    first = decode(await read_next(stream))
    assert [event.json()["task_id"] for event in first] == ["t1", "t2", "t3"]
    put(make_running("t1").succeeded(now=NOW), make_running("t2").failed("OSError", now=NOW))
    await until(lambda: all(watch.view.is_terminal for watch in stream.watches[:2]), "both ends were read")
    second = decode(await read_next(stream))
    assert {event.json()["task_id"] for event in second} == {"t1", "t2"}
    put(make_running("t3").succeeded(now=NOW))
    third, end = await read_events(stream)
    assert (third.json()["task_id"], third.type) == ("t3", "message")
    assert (end.type, end.id) == ("end", "end")
    assert end.json() == {"progress": 66, "status": "All tasks ended", "states": {"succeeded": 2, "failed": 1}}


async def test_multiplexed_stream_sends_what_changed_alone():
    put(make_running("t1"), make_running("t2"))
    stream = await open_many("t1", "t2")
    await read_next(stream)
    await tell(stream, report(make_running("t2"), 10))
    (event,) = decode(await read_next(stream))
    stream.close()
    assert (event.json()["task_id"], event.json()["progress"]) == ("t2", 10)


async def test_unknown_task_is_missing_once_and_breaks_no_other():
    put(make_running("t1"))
    stream = await open_many("unknown", "t1")
    missing, shown = decode(await read_next(stream))
    assert (missing.type, missing.json(), missing.id) == ("missing", {"task_id": "unknown"}, "")
    assert shown.json()["task_id"] == "t1"
    put(make_running("t1").succeeded(now=NOW))
    events = await read_events(stream)
    assert [event.type for event in events] == ["message", "end"]
    assert events[-1].json()["states"] == {"missing": 1, "succeeded": 1}


async def test_stream_of_unknown_tasks_alone_ends_at_once():
    events = await read_events(await open_many("a", "b"))
    assert [event.type for event in events] == ["missing", "missing", "end"]
    assert events[-1].json() == {"progress": 0, "status": "All tasks ended", "states": {"missing": 2}}


async def test_progress_of_the_end_is_100_only_if_all_succeeded():
    put(make_running("t1").succeeded(now=NOW), make_running("t2").succeeded(now=NOW))
    events = await read_events(await open_many("t1", "t2"))
    assert find_states(events) == ["succeeded", "succeeded"]
    assert events[-1].json()["progress"] == 100


async def test_hidden_task_that_changes_is_not_shown():
    put(make_running("t1"), make_running("secret"))
    stream = await Stream.open(["t1", "secret"])
    stream.show_many([stream.watches[1]])
    shown = decode(await read_next(stream))
    assert [event.type for event in shown] == ["missing", "message"]
    put(report(make_running("secret"), 10))
    put(make_running("t1").succeeded(now=NOW), make_running("secret").succeeded(now=NOW))
    assert b"secret" not in await read_rest(stream)


# The response


async def test_response_hands_over_the_stream_itself():
    put(make_running())
    stream = await open_one()
    response = EventStreamResponse(stream)
    assert aiter(response) is stream
    response.close()


async def test_response_honours_a_middleware_that_wraps_its_content():
    put(make_running().succeeded(now=NOW))
    response = EventStreamResponse(await open_one())

    async def shout(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk.upper()

    response.streaming_content = shout(response.streaming_content)
    content = await read_rest(response)
    assert b'"STATE":"SUCCEEDED"' in content
    response.close()


async def test_closing_the_response_closes_the_stream():
    put(make_running())
    stream = await open_one()
    response = EventStreamResponse(stream)
    await asyncio.to_thread(response.close)
    assert await read_rest(stream) == b""


async def test_response_has_the_headers_of_a_stream():
    put(make_running())
    response = EventStreamResponse(await open_one())
    response.close()
    assert dict(response.headers) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "private, no-cache, no-transform",
        "X-Accel-Buffering": "no",
        "Content-Encoding": "identity",
    }


async def test_stream_lets_go_of_the_request_thread_before_its_first_frame():
    put(make_running())
    async with ThreadSensitiveContext():
        thread = await sync_to_async(threading.current_thread)()
        stream = await open_one()
        assert thread.is_alive()
        await read_next(stream)
        await until(lambda: not thread.is_alive(), "the thread of the request ended")
        assert await sync_to_async(threading.current_thread)() is not thread
    stream.close()
