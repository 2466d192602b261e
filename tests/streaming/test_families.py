"""A stream of a parent: the sum of its children, made once for all viewers."""

import asyncio
import gc

import pytest

from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import add_children
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.stream import Stream
from tests.support.viewers import (
    NOW,
    decode,
    find_states,
    has_no_viewers,
    make_running,
    put,
    put_elsewhere,
    put_silently,
    read_events,
    read_next,
    report,
    until,
)


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    hub = get_hub()
    yield
    gc.collect()
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


def make_batch(task_id: str, *children: str, parent: str | None = None) -> Snapshot:
    """Store a batch of these children, and return its own record."""
    own = Snapshot.queued(task_id, "batch", now=NOW, runner=BATCH, parent=parent)
    put(own := expect_children(own, len(children), now=NOW))
    add_children(task_id, dict.fromkeys(children, 1))
    return own


def make_child(task_id: str, parent: str = "b") -> Snapshot:
    return Snapshot.queued(task_id, "demo", now=NOW, parent=parent).begun(now=NOW)


async def open_one(task_id: str = "b") -> Stream:
    stream = await Stream.open([task_id])
    stream.show_one(None)
    return stream


async def test_stream_begins_with_the_sum():
    make_batch("b", "c1", "c2")
    put(make_child("c1").succeeded(now=NOW))
    stream = await open_one()
    (event,) = decode(await read_next(stream))
    assert (event.json()["progress"], event.json()["status"]) == (50, "1 of 2 done")
    assert event.json()["children"]["queued"] == 1
    stream.close()


@pytest.mark.parametrize("parent", [None, "others"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_stream_counts_no_task_of_another_parent_whose_id_it_was_told(parent: str | None, is_known: bool):
    foreign = Snapshot.queued("foreign", "demo", now=NOW, parent=parent).begun(now=NOW)
    make_batch("b", "c1", "foreign")
    if is_known:
        put(foreign)
    stream = await open_one()
    put(foreign.succeeded(now=NOW))
    put(make_child("c1").succeeded(now=NOW))
    (event,) = decode(await read_next(stream))
    while event.json()["children"]["succeeded"] == 0:
        (event,) = decode(await read_next(stream))
    assert event.json()["children"]["queued"] == 1
    stream.close()


@pytest.mark.parametrize("store", [put, put_elsewhere, put_silently])
async def test_stream_follows_the_children_and_ends_once(store):
    make_batch("b", "c1", "c2")
    stream = await open_one()
    events = asyncio.create_task(read_events(stream))
    child = make_child("c1")
    store(report(child, 50))
    store(child.succeeded(now=NOW))
    store(make_child("c2").failed("E", now=NOW))
    found = await events
    assert find_states(found)[-1] == "failed"
    assert [event.type for event in found].count("end") == 1
    assert found[-1].json()["status"] == "1 of 2 done, 1 failed"


async def test_progress_never_goes_back_when_a_child_begins_once_more():
    make_batch("b", "c1")
    child = report(make_child("c1"), 80)
    put(child)
    stream = await open_one()
    put(child.requeued(now=NOW).begun(now=NOW))
    events = asyncio.create_task(read_events(stream))
    put(child.requeued(now=NOW).begun(now=NOW).succeeded(now=NOW))
    progress = [event.json()["progress"] for event in await events if event.type == "message"]
    assert progress == sorted(progress)


async def test_parents_of_parents_are_summed_up():
    make_batch("b", "inner")
    make_batch("inner", "c1", "c2", parent="b")
    put(make_child("c1", "inner").succeeded(now=NOW))
    stream = await open_one()
    assert decode(await read_next(stream))[0].json()["progress"] == 50
    events = asyncio.create_task(read_events(stream))
    put(make_child("c2", "inner").succeeded(now=NOW))
    assert find_states(await events)[-1] == "succeeded"


async def test_circle_is_not_closed():
    make_batch("b", "c")
    make_batch("c", "b", parent="b")
    stream = await open_one()
    assert decode(await read_next(stream))[0].json()["children"]["total"] == 1
    stream.close()


async def test_children_that_have_ended_are_watched_no_more():
    make_batch("b", "c1", "c2")
    put(make_child("c1"), make_child("c2"))
    stream = await open_one()
    assert get_hub().watched == {"b", "c1", "c2"}
    put(make_child("c1").succeeded(now=NOW))
    hub = get_hub()
    await until(lambda: hub.watched == {"b", "c2"}, "the child that has ended is watched no more")
    stream.close()


async def test_reads_do_not_grow_with_viewers(cache):
    make_batch("b", *(f"c{number}" for number in range(50)))
    streams = [await open_one()]
    cache.take_reads()
    streams += [await open_one() for _ in range(20)]
    assert cache.take_reads() == []
    for stream in streams:
        stream.close()


async def test_children_that_are_added_are_found():
    make_batch("b", "c1")
    stream = await open_one()
    await read_next(stream)
    add_children("b", {"c2": 1})
    put_silently(make_child("c2"))
    hub = get_hub()
    await until(lambda: "c2" in hub.watched, "the child that was added is watched")
    stream.close()


async def test_single_task_has_no_family():
    put(make_running())
    stream = await open_one("t1")
    assert decode(await read_next(stream))[0].json()["children"] is None
    stream.close()


async def test_stream_ends_with_a_parent_whose_sender_fell_silent(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.1, "STALLED_AFTER": 0.2, "LOST_AFTER": 0.5}
    put(make_batch("b", "c1", "c2").beating())
    put(make_child("c1").succeeded(now=NOW))
    events = await read_events(await open_one())
    assert find_states(events)[0] == "running"
    assert (events[-1].json()["state"], events[-1].json()["children"]["lost"]) == ("lost", 1)
