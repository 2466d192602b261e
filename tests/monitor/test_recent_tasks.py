"""The recent tasks are read once for all who ask, at most once a second, and in a thread."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from django.test import override_settings

from tasks_app.monitor.recent_tasks import RecentReader, get_recent_reader
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report
from tasks_app.store.store import get_store
from tasks_app.streaming import polling
from tests.support.caches import CacheDown, Controls
from tests.support.doubles import FakeTime, controlled_cache
from tests.support.viewers import NOW, make_running, put, put_silently, save_text


@pytest.fixture
def cache() -> Iterator[Controls]:
    with controlled_cache() as controls:
        get_store().cache.clear()
        yield controls


@pytest.fixture
def reader(time: FakeTime) -> RecentReader:
    """A reader whose seconds pass when the test says so."""
    return RecentReader(get_monotonic=time.clock.monotonic)


def list_tasks(*snapshots: Snapshot) -> None:
    put(*snapshots)
    get_store().list_as_recent(snapshots)


def make_ended(number: int) -> Snapshot:
    return make_running(f"t{number}").succeeded(number, now=NOW)


async def read_ids(reader: RecentReader) -> list[str]:
    return [snapshot.task_id for snapshot in (await reader.aread()).snapshots]


def count_reads(cache: Controls) -> int:
    """Return how often the list of recent tasks was read."""
    return sum(any("recent" in key for key in keys) for keys in cache.take_reads())


async def test_nothing_is_an_empty_list(reader):
    assert (await reader.aread()).snapshots == []


async def test_tasks_of_several_batches_keep_their_order(reader):
    numbers = range(450)
    snapshots = [Snapshot.queued(f"t{number:03}", "demo", now=NOW) for number in numbers]
    list_tasks(*snapshots)
    assert await read_ids(reader) == [f"t{number:03}" for number in reversed(numbers)]


async def test_what_was_read_is_good_for_a_second(reader, cache, time):
    list_tasks(make_running("t1"))
    await reader.aread()
    cache.take_reads()
    list_tasks(make_running("t2"))
    time.move(0.9)
    assert (await read_ids(reader), count_reads(cache)) == (["t1"], 0)
    time.move(0.1)
    assert (sorted(await read_ids(reader)), count_reads(cache)) == (["t1", "t2"], 1)


async def test_all_who_ask_at_once_share_one_read(reader, cache):
    list_tasks(make_running())
    cache.take_reads()
    found = await asyncio.gather(*(reader.aread() for _ in range(20)))
    assert all(item is found[0] for item in found)
    assert count_reads(cache) == 1


async def test_those_in_other_event_loops_share_it_too(reader, cache):
    list_tasks(make_running())
    cache.take_reads()
    found = await asyncio.gather(*(asyncio.to_thread(asyncio.run, reader.aread()) for _ in range(5)), reader.aread())
    assert all(item is found[0] for item in found)
    assert count_reads(cache) == 1


async def test_reading_leaves_the_event_loop_free(reader, cache):
    list_tasks(make_running())
    readers = []
    cache.after_read = lambda: readers.append(threading.current_thread())
    await reader.aread()
    assert readers != [threading.current_thread()]


async def test_one_who_goes_takes_it_from_nobody(reader):
    list_tasks(make_running())
    gate = threading.Event()
    for _ in range(4):  # so that what is to be read waits for a thread
        get_store().submit(gate.wait)
    first, second = asyncio.create_task(reader.aread()), asyncio.create_task(reader.aread())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert len((await second).snapshots) == 1
    assert first.cancelled()


async def test_failure_is_not_kept(reader, cache, time):
    await reader.aread()
    list_tasks(make_running())
    time.move(1)
    cache.break_down("get_many")
    with pytest.raises(CacheDown):
        await reader.aread()
    cache.repair()
    assert await read_ids(reader) == ["t1"]


async def test_what_may_be_large_is_not_kept(reader):
    list_tasks(make_running().reported(Report(meta={"a": 1}), now=NOW).succeeded({"b": 2}, now=NOW))
    (snapshot,) = (await reader.aread()).snapshots
    assert (snapshot.meta, snapshot.result, snapshot.state) == ({}, None, "succeeded")


async def test_task_that_ended_is_decoded_once(reader, time, monkeypatch):
    list_tasks(make_ended(1), make_running("t2"))
    before = (await reader.aread()).snapshots
    monkeypatch.setattr(Snapshot, "from_json", lambda text: pytest.fail(f"decoded again: {text}"))
    time.move(1)
    assert (await reader.aread()).snapshots == before


async def test_task_that_changed_is_decoded_anew(reader, time):
    list_tasks(make_ended(1), make_running("t2"))
    await reader.aread()
    put(make_ended(1).begun(now=NOW), make_ended(2))
    time.move(1)
    assert {item.task_id: item.state for item in (await reader.aread()).snapshots} == {
        "t1": "running",
        "t2": "succeeded",
    }


async def test_task_that_is_gone_is_left_out(reader, time):
    list_tasks(make_ended(1), make_ended(2))
    await reader.aread()
    get_store().cache.delete("tasks_app:task:t1")
    time.move(1)
    assert await read_ids(reader) == ["t2"]


async def test_garbage_is_logged_and_left_out(reader, caplog):
    list_tasks(make_ended(1), make_ended(2))
    save_text("t1", "garbage")
    assert await read_ids(reader) == ["t2"]
    assert "task t1" in caplog.text


async def test_silent_task_is_stalled_then_lost_until_its_worker_comes_back(reader, time, monkeypatch):
    monkeypatch.setattr(polling, "time", time.clock)
    polling.get_observer.cache_clear()
    running = make_running()
    list_tasks(running)
    states = []
    for _ in range(6):
        (snapshot,) = (await reader.aread()).snapshots
        states.append("stalled" if snapshot.stalled else snapshot.state)
        time.move(14)
    put_silently(running.beating())
    states.append((await reader.aread()).snapshots[0].state)
    assert states == ["running", "running", "stalled", "stalled", "stalled", "lost", "running"]


async def test_other_cache_is_read_at_once():
    list_tasks(make_running())
    await get_recent_reader().aread()
    other = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "another"}
    with override_settings(CACHES={"default": other}):
        assert (await get_recent_reader().aread()).snapshots == []
    assert await read_ids(get_recent_reader()) == ["t1"]
