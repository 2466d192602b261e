"""One reader per event loop, whose reads do not grow with the viewers, and which misses nothing."""

import asyncio
import gc
import hashlib
import logging
import os
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import ref

import pytest
from django.core.cache import caches

from tasks_app import task_run, wakeups
from tasks_app.http.idempotency import claim_key
from tasks_app.lifecycle.enqueue import queue
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State
from tasks_app.snapshot.succession import renumber
from tasks_app.store.store import Saved, get_store
from tasks_app.store.store import decode as decode_stored
from tasks_app.streaming.hub import Hub, count_streams, get_hub, get_hubs, get_pause
from tasks_app.streaming.stream import Stream
from tasks_app.streaming.watch import View, Watch
from tasks_app.utils.backoff import Failures
from tests.support.caches import CacheDown, Controls
from tests.support.viewers import (
    NOW,
    CountingViewer,
    decode,
    has_no_viewers,
    is_idle,
    make_running,
    put,
    put_elsewhere,
    put_silently,
    read_next,
    read_rest,
    report,
    save_text,
    tell_changed,
    until,
)
from tests.support.waiting import DEADLINE, wait_until

#: So long that no sweep falls into a test.
NEVER = 3600


@pytest.fixture
def cache(cache, settings) -> Controls:
    """The same, which the hub reads only when it is told to."""
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": NEVER}
    return cache


@pytest.fixture
def remote_cache(cache, monkeypatch) -> Controls:
    """The same, read in another thread, as caches are that answer over a network."""
    monkeypatch.setattr(get_store(), "is_local", False)
    return cache


@dataclass
class Watching:
    """A viewer that counts what it is told, and the hub it watches."""

    hub: Hub
    viewer: CountingViewer
    watches: list[Watch]
    seen: list[tuple[str, str]] = field(default_factory=list)

    @property
    def view(self) -> View | None:
        """What the hub knows of the first task."""
        return self.watches[0].view

    @property
    def text(self) -> str:
        """What was stored of the first task when the hub looked last."""
        return self.watches[0].silence.snapshot.to_json()

    def leave(self) -> None:
        self.hub.leave(self.viewer, self.watches)


async def watch(*task_ids: str, viewer: Any = None) -> Watching:
    """Have a viewer watch these tasks; it counts from then on."""
    hub, viewer = get_hub(), viewer or CountingViewer()
    watches = await hub.watch(viewer, task_ids)
    viewer.seen.clear()
    return Watching(hub, viewer, watches, viewer.seen)


# Reads


async def test_burst_of_changes_is_one_read_whatever_the_viewers(cache):
    tasks = [make_running(f"t{number}") for number in range(50)]
    put(*tasks)
    watching = [await watch(f"t{number % 50}") for number in range(150)]
    cache.take_reads()
    for task in tasks:
        put_elsewhere(report(task, 10))
    await until(lambda: all(one.seen for one in watching), "every viewer was told")
    assert [len(keys) for keys in cache.take_reads()] == [50]


async def test_change_that_this_process_has_stored_is_shown_without_a_read(cache):
    put(make_running())
    watching = await watch("t1")
    cache.take_reads()
    put(report(make_running(), 10))
    await until(lambda: watching.seen == [("t1", "3")], "the viewer was told")
    assert cache.take_reads() == []


async def test_lines_that_nobody_looks_at_cost_no_read(cache):
    put(make_running())
    watching = await watch("t1")
    cache.take_reads()
    put(later := make_running().having_logged(1))
    await until(lambda: watching.watches[0].logged == later.logged, "it was taken over")
    assert (cache.take_reads(), watching.seen) == ([], [])


async def test_loop_that_falls_behind_shows_the_latest_of_what_this_process_has_stored(cache):
    put(make_running())
    watching = await watch("t1")
    for current in (10, 20, 30):  # this thread is that of the loop: it gets no turn in between
        put(later := replace(report(make_running(), current), seq=current))
    await until(lambda: watching.view.snapshot == later, "the last one was shown")
    assert watching.seen == [("t1", "30")]


async def test_streams_that_open_together_share_one_read(cache):
    put(*(make_running(f"t{number}") for number in range(50)))
    await asyncio.gather(*(watch(f"t{number}") for number in range(50)))
    assert [len(keys) for keys in cache.take_reads()] == [50]


async def test_second_viewer_of_a_task_reads_nothing(cache):
    put(make_running())
    first = await watch("t1")
    cache.take_reads()
    second = await watch("t1")
    assert (second.view, cache.take_reads()) == (first.view, [])


async def test_change_of_a_task_that_nobody_watches_is_not_read(cache):
    put(make_running("t1"), make_running("t2"))
    watching = await watch("t1")
    cache.take_reads()
    put_elsewhere(report(make_running("t2"), 10))
    put_elsewhere(report(make_running("t1"), 10))
    await until(lambda: watching.seen, "the viewer was told")
    assert [len(keys) for keys in cache.take_reads()] == [1]


async def test_all_viewers_of_a_version_get_the_same_bytes_object(cache):
    put(make_running())
    streams = [await Stream.open(["t1"]) for _ in range(3)]
    for stream in streams:
        stream.show_one(None)
        await read_next(stream)
    put(report(make_running(), 10))
    first, second, third = [await read_next(stream) for stream in streams]
    assert first is second is third
    for stream in streams:
        stream.close()


# Nothing is missed


async def test_change_between_the_first_read_and_its_answer_is_not_lost(cache):
    put(make_running())
    cache.after_read = lambda: put(report(make_running(), 10))
    watching = await watch("t1")
    await until(lambda: watching.view.event_id == "3", "the change was seen")


async def test_change_that_is_read_is_seen_though_it_was_stored_while_the_read_before_was_under_way(cache):
    put(make_running())
    watching = await watch("t1")
    first = report(make_running(), 10)
    cache.after_read = lambda: put_elsewhere(report(first, 20))
    put_elsewhere(first)
    await until(lambda: watching.view.snapshot.progress == 20, "the last change was seen")


@pytest.mark.parametrize("change", [lambda one: report(one, 10), lambda one: one.succeeded({"n": 1}, now=NOW)])
async def test_what_is_taken_over_is_shown_as_what_is_read(cache, change):
    put(make_running("t1", owner="7"), make_running("t2", owner="7"))
    taken_over, read = await watch("t1"), await watch("t2")
    put(change(make_running("t1", owner="7")))
    put_elsewhere(change(make_running("t2", owner="7")))
    await until(lambda: taken_over.seen and read.seen, "both were shown")
    for name in ("frame", "end_frame", "data", "end_data"):
        assert getattr(taken_over.view, name) == getattr(read.view, name).replace(b"t2", b"t1")


@pytest.mark.parametrize("put", [put, put_elsewhere], ids=["in this process", "elsewhere"])
async def test_end_is_shown_that_another_process_has_written_with_the_seq_of_what_is_shown(cache, put):
    """A message that is delivered twice has two workers, until the first hears of the second."""
    running = make_running()
    put(report(running, 5))
    watching = await watch("t1")
    failed = running.failed("OSError", now=NOW)
    put(failed)
    await until(lambda: watching.view.is_terminal, "the end is shown")
    assert watching.view.event_id == report(running, 5).event_id


@pytest.mark.parametrize("later", [lambda one: report(one, 10), Snapshot.beating, lambda one: one.having_logged(1)])
async def test_word_that_comes_late_takes_nothing_back(cache, later):
    """A sweep may read what this process has stored before the hub is given what was stored before that."""
    put(make_running())
    watching = await watch("t1")
    earlier = report(make_running(), 5)
    versions = put_silently(earlier)
    put_elsewhere(later(earlier))
    latest = later(earlier).to_json()
    await until(lambda: watching.text == latest, "the later one was read")
    wakeups.publish(versions)
    put(make_running("t2"))
    await watch("t2")  # by then it was heard
    assert (watching.text, watching.seen[-1]) == (latest, ("t1", later(earlier).event_id))


@pytest.mark.parametrize(
    ("known", "stored"),
    [
        (replace(make_running(), seq=50), replace(make_running(), created_at=NOW + timedelta(hours=1))),
        (replace(make_running(), seq=50), replace(make_running(), seq=7, attempt=2)),
        (make_running().lost(now=NOW), report(make_running(), 10)),
    ],
    ids=["the cache was emptied", "another process goes on with the attempt before", "it was taken for lost"],
)
async def test_task_that_this_process_begins_anew_is_shown_though_its_seq_is_no_later(cache, known, stored):
    put_silently(known)
    watching = await watch("t1")
    put(stored)
    await until(lambda: watching.view.snapshot == stored, "what is stored was shown")


async def test_read_that_was_under_way_takes_back_nothing_that_this_process_has_stored(remote_cache):
    put(make_running())
    watching = await watch("t1")
    failed = make_running().failed("ValueError", now=NOW)
    remote_cache.after_read = lambda: put(failed.begun(now=NOW))
    put_elsewhere(failed)
    await until(lambda: watching.seen, "the viewer was told")
    put_elsewhere(make_running("t2"))
    await watch("t2")  # by then the read has ended
    assert watching.seen == [("t1", "4")]


async def test_read_from_a_replica_that_lags_takes_back_nothing_that_this_process_has_stored(cache):
    earlier = report(replace(make_running(), created_at=NOW + timedelta(microseconds=1)), 10)
    put(earlier)
    watching = await watch("t1")
    put(report(earlier, 20))
    await until(lambda: watching.seen == [("t1", "4")], "the viewer was told")
    put_elsewhere(earlier)
    await until(lambda: watching.text == earlier.to_json(), "the earlier one was read")
    assert (watching.seen, watching.view.snapshot.progress) == ([("t1", "4")], 20)


async def test_end_that_is_read_is_shown_though_it_came_of_an_earlier_version(cache):
    """The cache server has started with an old dump, and nobody wrote the task any more."""
    put(replace(make_running(), seq=50))
    watching = await watch("t1")
    put_elsewhere(lost := make_running().lost(now=NOW))
    await until(lambda: watching.seen == [("t1", lost.event_id)], "the end was shown")


async def test_read_that_was_not_used_is_made_up_for_by_the_next_sweep(cache, settings, monkeypatch):
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 0.5}
    monkeypatch.setattr(get_store(), "is_local", False)
    put(make_running())
    watching = await watch("t1")
    cache.take_reads()
    await until(lambda: cache.reads, "a sweep has read the task")
    earlier = report(make_running(), 10)
    versions = put_silently(earlier)

    def be_late() -> None:
        wakeups.publish(versions)
        wait_until(lambda: watching.seen == [("t1", "3")], "the late word was heard")

    cache.after_read = be_late
    put_elsewhere(report(earlier, 20))
    put_elsewhere(make_running("t2"))
    await until(lambda: len(watching.seen) == 2, "the viewer was told of both")
    assert watching.seen == [("t1", "3"), ("t1", "4")]


async def test_viewer_that_fails_does_not_keep_the_news_from_others(cache, caplog):
    class Failing(CountingViewer):
        def notify(self, watch: Watch) -> None:
            super().notify(watch)
            raise RuntimeError("no")

    put(make_running())
    watching = [await watch("t1", viewer=Failing()) for _ in range(3)]
    caplog.clear()
    put(report(make_running(), 10))
    await until(lambda: all(one.seen for one in watching), "every viewer was told")
    await until(lambda: caplog.text.count("task t1: a viewer could not be notified") == 3, "all three were logged")


async def test_change_from_another_thread_is_seen_without_a_sweep(cache):
    put(make_running())
    watching = await watch("t1")
    await asyncio.to_thread(put, report(make_running(), 10))
    await until(lambda: watching.seen == [("t1", "3")], "the change was seen")


async def test_change_in_another_process_is_seen_at_the_next_sweep():
    put(make_running())
    watching = await watch("t1")
    put_silently(report(make_running(), 10))
    await until(lambda: watching.seen == [("t1", "3")], "the change was seen")


async def test_heartbeats_tell_viewers_nothing(cache):
    snapshot = make_running()
    put(snapshot)
    watching = await watch("t1")
    shown = watching.view
    put_elsewhere(snapshot.beating())
    put(snapshot.beating().beating())
    await until(
        lambda: watching.text == snapshot.beating().beating().to_json(),
        "the last heartbeat was read",
    )
    assert (watching.seen, watching.view) == ([], shown)


# Leaving


async def test_hub_that_nobody_watches_is_let_go_of():
    put(make_running())
    watching = await watch("t1", "unknown")
    hub = ref(watching.hub)
    watching.leave()
    del watching

    def is_gone() -> bool:
        gc.collect()
        return hub() is None

    await until(is_gone, "no task, timer, listener nor anything else holds the hub")


async def test_viewer_that_comes_after_the_reader_ended_is_served():
    put(make_running())
    early = await watch("t1")
    early.leave()
    await until(lambda: is_idle(early.hub), "the reader ended")
    late = await watch("t1")
    put(report(make_running(), 10))
    await until(lambda: late.seen == [("t1", "3")], "the late viewer was told")


async def test_viewer_that_leaves_twice_takes_no_other_viewer_along():
    put(make_running())
    leaving, staying = await watch("t1"), await watch("t1")
    leaving.leave()
    leaving.leave()
    put(report(make_running(), 10))
    await until(lambda: staying.seen == [("t1", "3")], "the other viewer was told")
    assert leaving.seen == []


async def test_watch_that_is_cancelled_leaves_nothing_behind(cache):
    hub, viewer = get_hub(), CountingViewer()
    watching = asyncio.ensure_future(hub.watch(viewer, ["t1"]))
    asyncio.get_running_loop().call_soon(watching.cancel)
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert has_no_viewers(hub)


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts how often somebody tells it something from outside."""

    told = 0

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:
        self.told += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def close_in_a_hurry(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop, which leaves the reader of its hub no time to end."""
    loop.set_exception_handler(lambda loop, context: None)  # asyncio tells of tasks that did not end
    loop.close()


def test_event_loop_that_is_closed_is_forgotten():
    put(make_running())
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        hub = runner.run(watch("t1")).hub
    told = hub.loop.told
    put(report(make_running(), 10))
    assert (hub in get_hubs(), hub.loop.told) == (False, told)


def test_event_loop_that_is_closed_in_a_hurry_is_told_of_changes_no_more(cache):
    running = make_running()
    put(running)
    loop = CountingLoop()
    hub = loop.run_until_complete(watch("t1")).hub
    close_in_a_hurry(loop)
    told = loop.told
    for current in (1, 2, 3):
        put(report(running, current))
    assert (hub in get_hubs(), loop.told) == (False, told + 1)


def test_event_loop_that_is_closed_in_a_hurry_is_forgotten_with_the_next_one():
    put(make_running())
    loop = CountingLoop()
    hub = loop.run_until_complete(watch("t1")).hub
    close_in_a_hurry(loop)
    told = loop.told

    async def look() -> Hub:
        return get_hub()

    assert asyncio.run(look()) is not hub
    put(report(make_running(), 10))
    assert (hub in get_hubs(), loop.told) == (False, told)


# A cache that fails


async def test_streams_survive_a_cache_failure_and_resume(cache, caplog):
    put(make_running())
    stream = await Stream.open(["t1"])
    stream.show_one(None)
    await read_next(stream)
    cache.break_down("get_many")
    put_elsewhere(report(make_running(), 10))
    await until(lambda: "reading tasks failed" in caplog.text, "the failure was logged")
    cache.repair()
    assert b'"progress":10,' in await read_next(stream)
    stream.close()


@pytest.fixture
def _without_pause(monkeypatch) -> None:
    """The hub reads again at once after a failure."""
    monkeypatch.setattr("tasks_app.streaming.hub.MAX_READ_PAUSE", 0)


@pytest.mark.usefixtures("_without_pause")
async def test_lasting_failure_is_logged_ever_less_often(cache, caplog):
    put(make_running())
    _viewer = await watch("t1")
    cache.take_reads()
    cache.break_down("get_many")
    tell_changed("t1")
    await until(lambda: len(cache.reads) > 20, "reading failed many times")
    cache.repair()
    said = [record.args[0] for record in caplog.records if record.msg.startswith("reading tasks failed")]
    assert said[:5] == [1, 2, 4, 8, 16]


def test_pause_between_failed_reads_grows_and_is_bounded():
    failures, pauses = Failures(), []
    for _ in range(50):
        pauses.append(get_pause(failures))
        failures.note()
    assert (pauses[:4], pauses[-1]) == ([0, 0.2, 0.4, 0.8], 5.0)


async def test_new_viewer_is_told_that_the_cache_fails(cache):
    hub, viewer = get_hub(), CountingViewer()
    cache.break_down("get_many")
    with pytest.raises(CacheDown):
        await hub.watch(viewer, ["t1"])
    assert has_no_viewers(hub)


async def test_streams_that_are_open_survive_one_that_fails_to_open(cache):
    put(make_running("t1"), make_running("t2"))
    watching = await watch("t1")
    cache.break_down("get_many")
    with pytest.raises(CacheDown):
        await watch("t2")
    cache.repair()
    put(report(make_running("t1"), 10))
    await until(lambda: watching.seen == [("t1", "3")], "the open one was told")


@pytest.mark.parametrize(
    "garbage",
    ["", "not JSON", "{}", "[]", "null", '{"state":"odd"}', 1, b"\xff", "[" * 100_000],
    ids=["empty", "text", "object", "array", "null", "odd state", "number", "bytes", "deep"],
)
async def test_garbage_in_the_cache_is_logged_and_survived(cache, caplog, garbage):
    put(make_running("t1"), make_running("t2"))
    watching = await watch("t1", "t2")
    save_text("t1", garbage)
    put(report(make_running("t2"), 10))
    tell_changed("t1")
    await until(lambda: "t1: its stored snapshot can't be decoded" in caplog.text, "the garbage was logged")
    put(report(make_running("t1"), 20))
    await until(lambda: set(watching.seen) == {("t1", "3"), ("t2", "3")}, "both tasks went on")
    assert "reading tasks failed" not in caplog.text


async def test_task_that_is_garbage_from_the_start_is_as_good_as_unknown(cache):
    save_text("t1", "not JSON")
    assert (await watch("t1")).view is None


async def test_streams_of_a_closed_event_loop_are_not_counted():
    put(make_running())
    kept = []

    async def leave_open() -> None:
        kept.append(await Stream.open(["t1"]))

    await asyncio.to_thread(asyncio.run, leave_open())
    assert count_streams() == 0
    kept.pop().close()


async def test_forked_child_counts_no_stream_of_its_parent():
    put(make_running())
    here = await Stream.open(["t1"])
    child = os.fork()
    if child == 0:
        os._exit(count_streams())
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    here.close()
    assert os.waitstatus_to_exitcode(status) == 0


async def test_streams_of_all_event_loops_of_the_process_are_counted():
    put(make_running())
    here = await Stream.open(["t1"])

    async def count_with_another() -> int:
        there, hub = await Stream.open(["t1"]), get_hub()
        count = count_streams()
        there.close()
        await until(lambda: is_idle(hub), "the other loop let go of everything")
        return count

    assert await asyncio.to_thread(asyncio.run, count_with_another()) == 2
    here.close()
    await until(lambda: count_streams() == 0, "all streams are closed")


@pytest.mark.parametrize("task_id", ["t1:cancel", "cancel:t1", "task:t1", ":t1", "t1:", "start:{claim}"])
async def test_no_id_leads_to_anything_but_a_snapshot(cache, caplog, task_id):
    put(make_running())
    get_store().request_cancel("t1")
    claim_key("someone:key", '{"body": "x"}')
    claim = hashlib.sha256(b"someone:key").hexdigest()
    assert (await watch(task_id.format(claim=claim))).view is None
    assert caplog.text == ""


async def test_exception_of_a_viewer_does_not_stop_the_reader(cache, caplog):
    class BrokenViewer(CountingViewer):
        def notify(self, watch: Watch) -> None:
            if self.seen == ["ready"]:
                self.seen.append("broken")
                raise RuntimeError("a viewer broke")

    put(make_running("t1"), make_running("t2"))
    broken, watching = await watch("t1", viewer=BrokenViewer()), await watch("t2")
    broken.seen.append("ready")
    put(report(make_running("t1"), 10))
    await until(lambda: "a viewer broke" in caplog.text, "it was logged")
    put(report(make_running("t2"), 10))
    await until(lambda: watching.seen == [("t2", "3")], "the other viewer was told")


# Silence


class HubTime:
    """The clock by which hubs judge silence; it moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sweeps = 0

    def monotonic(self) -> float:
        return self.now

    def begin_sweep(self) -> bool:
        """Stand for `Server.is_stopping`, which a hub asks at the beginning of each sweep."""
        self._sweeps += 1
        return False

    async def pass_by(self, seconds: int) -> None:
        """Let seconds pass, five at a time, and have the hub judge at each step."""
        for _ in range(0, seconds, 5):
            self.now += 5
            next_one = self._sweeps + 1
            await until(lambda next_one=next_one: self._sweeps > next_one, "a sweep began and ended")


@pytest.fixture
def clock(monkeypatch, settings) -> HubTime:
    """The clock of hubs that sweep all the time."""
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 0.01}
    clock = HubTime()
    monkeypatch.setattr("tasks_app.streaming.hub.time", clock)
    monkeypatch.setattr("tasks_app.streaming.silences.time", clock)
    monkeypatch.setattr("tasks_app.streaming.hub.Server.is_stopping", lambda server: clock.begin_sweep())
    return clock


def get_state(task_id: str) -> State:
    """Return the state that is stored of a task."""
    return get_store().get(task_id).state


async def test_silent_task_stalls_and_is_then_lost(clock):
    put(make_running())
    watching = await watch("t1")
    await clock.pass_by(15)
    assert watching.seen == []
    await clock.pass_by(5)
    assert watching.seen == [("t1", "2-stalled")]
    assert (watching.view.snapshot.stalled, watching.view.snapshot.state) == (True, State.RUNNING)
    await clock.pass_by(40)
    assert watching.seen == [("t1", "2-stalled")]
    await clock.pass_by(5)
    assert watching.seen == [("t1", "2-stalled"), ("t1", "3-lost")]
    assert (watching.view.snapshot.stalled, watching.view.snapshot.state) == (False, State.LOST)


async def test_task_is_declared_lost_once(clock):
    put(make_running())
    watching = await watch("t1")
    await clock.pass_by(200)
    assert [event_id for _, event_id in watching.seen].count("3-lost") == 1
    assert watching.view.event_id == "3-lost"


async def test_stream_of_a_lost_task_ends_with_one_terminal_snapshot(clock):
    put(make_running())
    stream = await Stream.open(["t1"])
    stream.show_one(None)
    chunks = [await read_next(stream)]
    await clock.pass_by(65)
    chunks.append(await read_rest(stream))
    events = decode(*chunks)
    assert [(event.type, event.json()["state"]) for event in events] == [
        ("message", "running"),
        ("message", "lost"),
        ("end", "lost"),
    ]


async def test_lost_task_is_stored_as_lost(clock):
    put(report(make_running(), 40))
    _viewer = await watch("t1")
    await clock.pass_by(65)
    stored = get_store().get("t1")
    assert (stored.state, stored.status, stored.progress, stored.stalled) == (
        State.LOST,
        "Lost: the worker stopped responding",
        40,
        False,
    )
    assert stored.finished_at is not None


async def test_task_that_beats_again_stalls_no_more(clock):
    put(make_running())
    watching = await watch("t1")
    await clock.pass_by(20)
    put(make_running().beating())
    await until(lambda: watching.seen == [("t1", "2-stalled"), ("t1", "2")], "it was shown alive")
    await clock.pass_by(45)
    assert get_state("t1") is State.RUNNING


async def test_queued_task_that_nobody_beats_for_is_never_lost(clock):
    put(Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    await clock.pass_by(200)
    assert (watching.seen, get_state("t1")) == ([], State.QUEUED)


async def test_queued_task_that_beat_once_is_lost_when_silent(clock):
    put(Snapshot.queued("t1", "demo", now=NOW).beating())
    _viewer = await watch("t1")
    await clock.pass_by(65)
    assert get_state("t1") is State.LOST


async def test_task_whose_entry_vanished_ends_as_lost(clock):
    put(make_running())
    watching = await watch("t1")
    get_store().cache.clear()
    await clock.pass_by(65)
    assert watching.view.snapshot.state is State.LOST


async def test_ended_task_is_never_lost(clock):
    put(make_running().succeeded(now=NOW))
    watching = await watch("t1")
    await clock.pass_by(200)
    assert (watching.seen, get_state("t1")) == ([], State.SUCCEEDED)


@pytest.mark.usefixtures("_without_pause")
async def test_outage_longer_than_lost_after_is_no_silence_of_the_task(cache, clock):
    """No sign of life could be read, so the task must get the time to give one."""
    put(make_running())
    watching = await watch("t1")
    cache.take_reads()
    cache.break_down("get_many")
    await until(lambda: len(cache.reads) > 3, "reading failed")
    clock.now += 61
    cache.repair()
    await clock.pass_by(5)
    assert (watching.seen, get_state("t1")) == ([], State.RUNNING)
    await clock.pass_by(65)
    assert get_state("t1") is State.LOST


async def test_task_that_is_silent_while_the_cache_refuses_writes_stays_stalled(cache, clock):
    put(make_running())
    watching = await watch("t1")
    cache.break_down("set_many")
    await clock.pass_by(150)
    assert (watching.seen, get_state("t1")) == ([("t1", "2-stalled")], State.RUNNING)


async def test_task_has_lost_after_to_write_once_the_cache_takes_writes_again(cache, clock):
    put(make_running())
    _viewer = await watch("t1")
    cache.break_down("set_many")
    await clock.pass_by(70)
    cache.repair()
    await clock.pass_by(55)
    assert get_state("t1") is State.RUNNING
    await clock.pass_by(15)
    assert get_state("t1") is State.LOST


async def test_cache_that_refuses_writes_is_logged_and_goes_on_being_read(cache, clock, caplog):
    put(make_running())
    watching = await watch("t1")
    cache.break_down("set_many")
    await clock.pass_by(65)
    assert "the cache takes no writes, so no task is declared lost" in caplog.text
    assert "reading tasks failed" not in caplog.text
    cache.repair()
    put(report(make_running(), 10))
    await until(lambda: watching.seen[-1] == ("t1", "3"), "the change was seen")


async def test_refused_declaration_restarts_the_silence(clock, monkeypatch):
    put(make_running())
    _viewer = await watch("t1")
    await clock.pass_by(60)
    with monkeypatch.context() as patch:
        patch.setattr(get_store(), "save", lambda snapshots: Saved({}, {"t1"}))
        await clock.pass_by(5)
    await clock.pass_by(55)
    assert get_state("t1") is State.RUNNING
    await clock.pass_by(15)
    assert get_state("t1") is State.LOST


async def test_write_that_hangs_keeps_no_news_from_viewers_and_declares_nothing(cache, clock, monkeypatch):
    monkeypatch.setattr(get_store(), "is_local", False)
    put(make_running())
    watching, gate = await watch("t1"), threading.Event()
    monkeypatch.setattr(get_store().cache, "set_many", lambda *args: gate.wait(DEADLINE))
    try:
        await clock.pass_by(100)
        put_elsewhere(report(make_running(), 10))
        await until(lambda: watching.seen == [("t1", "2-stalled"), ("t1", "3")], "the change was seen")
    finally:
        gate.set()
    assert get_state("t1") is State.RUNNING


def make_aged(seconds: float) -> Snapshot:
    return make_running().written(now=datetime.now(UTC) - timedelta(seconds=seconds))


async def test_stream_of_a_task_that_fell_silent_long_ago_begins_with_it_stalled(clock):
    put(make_aged(600))
    watching = await watch("t1")
    assert watching.view.event_id == "2-stalled"


async def test_task_that_fell_silent_long_ago_is_lost_once_it_was_watched_for_stalled_after(clock):
    put(make_aged(600))
    _viewer = await watch("t1")
    await clock.pass_by(15)
    assert get_state("t1") is State.RUNNING
    await clock.pass_by(5)
    assert get_state("t1") is State.LOST


async def test_living_task_of_a_writer_whose_clock_is_an_hour_behind_is_shown_alive(clock):
    put(make_aged(3600))
    watching = await watch("t1")
    put_elsewhere(make_aged(3600).beating())
    await until(lambda: watching.view.event_id == "2", "it was shown alive")
    await clock.pass_by(10)
    assert watching.seen == [("t1", "2")]


async def test_silent_task_that_this_process_has_stored_is_lost(clock):
    """What it stored has times to the microsecond; the store keeps milliseconds."""
    put(make_running())
    _viewer = await watch("t1")
    put(replace(report(make_running(), 10), updated_at=NOW + timedelta(microseconds=1)))
    await clock.pass_by(75)
    assert get_state("t1") is State.LOST


async def test_viewers_of_a_task_that_was_lost_see_it_taken_back(clock):
    put(make_running())
    watching = await watch("t1")
    await clock.pass_by(65)
    put_elsewhere(report(make_running(), 10))
    await until(lambda: watching.seen[-1] == ("t1", "3"), "it was shown alive")


async def test_lost_task_is_logged_with_its_id(clock, caplog):
    put(make_running())
    _viewer = await watch("t1")
    await clock.pass_by(65)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["no sign of life from tasks ['t1']; declaring them lost"]


async def test_worker_that_wakes_after_it_was_declared_lost_is_shown_to_new_viewers(clock):
    put(make_running())
    watching = await watch("t1")
    await clock.pass_by(65)
    watching.leave()
    put(report(make_running(), 50))
    assert (await watch("t1")).view.snapshot.progress == 50


async def test_queued_task_that_the_cache_has_lost_is_shown_as_unknown(clock):
    put(queued := Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    get_store().cache.clear()
    await clock.pass_by(200)
    assert watching.seen == [("t1", "1-stalled")]
    status = "Unknown: the cache has lost it, but it may still begin"
    assert watching.view.snapshot == replace(queued, stalled=True, status=status)


async def test_viewers_see_an_unknown_task_begin_and_end(clock):
    put(queued := Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    get_store().cache.clear()
    await clock.pass_by(200)
    put_elsewhere(running := renumber(queued, now=NOW).begun(now=NOW))
    await until(lambda: watching.view.snapshot == running, "it was shown running")
    put_elsewhere(running.succeeded(42, now=NOW))
    await until(lambda: watching.view.snapshot.result == 42, "its end was shown")


async def test_unknown_task_that_is_stored_again_is_shown_as_before(clock):
    put(queued := Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    get_store().cache.clear()
    await clock.pass_by(25)
    put_elsewhere(queued)
    await until(lambda: watching.view.snapshot == queued, "it was shown as queued")
    assert watching.seen == [("t1", "1-stalled"), ("t1", "1")]


@pytest.fixture
def short_wait(settings) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "QUEUED_LOST_AFTER": 100}


@pytest.mark.usefixtures("short_wait")
async def test_unknown_task_is_lost_after_queued_lost_after(clock):
    put(Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    await clock.pass_by(200)
    get_store().cache.clear()
    await clock.pass_by(95)
    assert watching.view.snapshot.state is State.QUEUED
    await clock.pass_by(15)
    assert watching.view.snapshot.state is State.LOST


@pytest.mark.usefixtures("short_wait")
async def test_unknown_task_that_waits_on_purpose_is_not_lost_before_its_time(clock):
    put(Snapshot.queued("t1", "demo", now=NOW, not_before=datetime.now(UTC) + timedelta(hours=1)))
    watching = await watch("t1")
    get_store().cache.clear()
    await clock.pass_by(200)
    assert (watching.view.snapshot.state, watching.view.snapshot.stalled) == (State.QUEUED, True)


async def test_waiting_task_that_this_process_has_sent_is_known_right_after_the_cache_was_emptied():
    queue("t1", "demo", runner="elsewhere")
    get_store().cache.clear()
    assert (await watch("t1")).view.snapshot.state is State.QUEUED


async def test_task_that_runs_in_this_process_is_known_right_after_the_cache_was_emptied():
    async with task_run("demo") as task:
        get_flusher().flush()
        get_store().cache.clear()
        assert (await watch(task.task_id)).view.snapshot.state is State.RUNNING


async def test_entry_that_comes_back_in_time_is_not_lost(clock):
    put(snapshot := Snapshot.queued("t1", "demo", now=NOW))
    watching = await watch("t1")
    caches["default"].clear()
    await clock.pass_by(40)
    put(snapshot)
    await clock.pass_by(200)
    assert watching.view.snapshot.state is State.QUEUED


async def test_others_have_turns_while_a_hub_decodes_many_tasks(cache, monkeypatch):
    """Else a thousand large tasks that change at once would hold up every stream for seconds."""
    put(*(make_running(f"t{number}") for number in range(20)))
    turns, seen = 0, []

    def note(task_id: str, text: str) -> Snapshot | None:
        seen.append(turns)
        return decode_stored(task_id, text)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr("tasks_app.utils.turns.TURN_SECONDS", 0)
    monkeypatch.setattr("tasks_app.streaming.watch.decode", note)
    other = asyncio.create_task(count())
    stream = await Stream.open([f"t{number}" for number in range(20)])
    other.cancel()
    stream.close()
    assert len(set(seen)) == 20
