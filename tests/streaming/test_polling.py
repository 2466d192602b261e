"""Who asks for a task again and again learns that it is silent, as those who stream it do."""

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import AsyncClient

from tasks_app import TaskAlreadyEnded, cancel, get_snapshot, task_run, wakeups
from tasks_app.lifecycle.enqueue import queue
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State
from tasks_app.store.store import Saved, get_store
from tasks_app.streaming import polling
from tasks_app.streaming.polling import Observer, aobserve, get_observer, observe
from tests.support.caches import CONTROLLED_CACHES, CacheDown, controls
from tests.support.viewers import NOW, make_running, put, report, save_text

LOGGER = "tasks_app"


class Watch:
    """The clock by which silence is judged; it moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Watch:
    """The clock of an observer that has seen nothing yet."""
    clock = Watch()
    monkeypatch.setattr(polling, "time", clock)
    polling.get_observer.cache_clear()
    return clock


def look_every(clock: Watch, seconds: float, *, times: int, task_id: str = "t1") -> Snapshot | None:
    """Look at a task now and then; return what was seen last."""
    for _ in range(times):
        seen = observe(task_id)
        clock.now += seconds
    return seen


def test_silent_task_is_stalled_after_stalled_after(clock):
    put(make_running())
    assert look_every(clock, 5, times=4).stalled is False
    assert observe("t1") == make_running().as_stalled()


def test_silent_task_is_lost_after_lost_after(clock):
    put(make_running())
    assert look_every(clock, 5, times=13).state is State.RUNNING
    assert observe("t1").state is State.LOST


def test_task_that_gives_signs_of_life_is_never_stalled(clock):
    snapshot = make_running()
    for _ in range(30):
        put(snapshot := snapshot.beating())
        assert observe("t1").stalled is False
        clock.now += 5


def test_task_that_stalled_and_gives_a_sign_of_life_stalls_no_more(clock):
    put(make_running())
    look_every(clock, 5, times=5)
    put(make_running().beating())
    assert observe("t1").stalled is False


def test_one_look_after_a_long_time_tells_nothing(clock):
    put(make_running())
    assert look_every(clock, 10_000, times=1).stalled is False
    assert observe("t1").stalled is False


def test_looks_far_apart_add_up(clock):
    put(make_running())
    states = [look_every(clock, 3600, times=1) for _ in range(6)]
    assert [snapshot.stalled for snapshot in states] == [False, False, True, True, True, False]
    assert states[-1].state is State.LOST


def test_lost_task_is_stored_as_lost(clock):
    put(make_running())
    lost = look_every(clock, 5, times=14)
    assert get_store().read(["t1"]) == {"t1": lost.to_json()}


def test_those_who_stream_a_lost_task_are_told(clock):
    put(make_running())
    heard: list[str] = []
    wakeups.listen(heard.extend)
    try:
        look_every(clock, 5, times=14)
    finally:
        wakeups.ignore(heard.extend)
    assert heard == ["t1"]


def test_lost_task_is_logged_with_its_id(clock, caplog):
    put(make_running())
    with caplog.at_level(logging.WARNING, LOGGER):
        look_every(clock, 5, times=20)
    assert [record.getMessage() for record in caplog.records] == [
        "no sign of life from tasks ['t1']; declaring them lost"
    ]


@pytest.fixture
def broken(settings):
    """A cache that refuses writes while it answers reads; `break_down` and `repair` it."""
    settings.CACHES = CONTROLLED_CACHES
    controls.reset()
    yield controls
    controls.reset()


def test_task_that_is_silent_while_the_cache_refuses_writes_stays_stalled(clock, broken):
    put(make_running())
    broken.break_down("set_many")
    seen = look_every(clock, 5, times=40)
    assert (seen.state, seen.stalled) == (State.RUNNING, True)


def test_task_has_lost_after_to_write_once_the_cache_takes_writes_again(clock, broken):
    put(make_running())
    broken.break_down("set_many")
    look_every(clock, 5, times=40)
    broken.repair()
    assert look_every(clock, 5, times=12).state is State.RUNNING
    assert observe("t1").state is State.LOST


def test_task_that_expired_stays_queued_while_the_cache_refuses_writes(clock, broken):
    task = Snapshot.queued("t1", "demo", now=NOW, expires_at=NOW)  # long ago
    get_store().add(task)
    broken.break_down("set_many")
    assert observe("t1") == task
    broken.repair()
    assert (observe("t1").state, observe("t1").status) == (State.CANCELLED, "Expired before it began")


def test_refused_declaration_restarts_the_silence(clock, monkeypatch):
    put(make_running())
    look_every(clock, 5, times=13)
    with monkeypatch.context() as patch:
        patch.setattr(type(get_store()), "save", lambda self, snapshots: Saved({}, {"t1"}))
        assert observe("t1") == make_running().as_stalled()
    assert look_every(clock, 5, times=13) == make_running().as_stalled()
    assert observe("t1").state is State.LOST


def test_declaration_that_raises_restarts_the_silence_of_every_task(clock, monkeypatch):
    put(make_running(), make_running("t2"))
    look_every(clock, 5, times=3, task_id="t2")
    look_every(clock, 5, times=13)
    with monkeypatch.context() as patch:
        patch.setattr(type(get_store()), "save", fail)
        assert observe("t1").state is State.RUNNING
    assert observe("t2").state is State.RUNNING
    assert [look_every(clock, 5, times=12, task_id=task_id).state for task_id in ("t1", "t2")] == [State.RUNNING] * 2


def fail(*args, **kwargs):
    raise CacheDown("no")


def test_task_that_changed_after_it_was_read_is_not_declared_lost(clock):
    put(make_running())
    text = make_running().to_json()
    look_every(clock, 5, times=13)
    put(ended := make_running().succeeded(now=NOW))
    polling.observe_texts(["t1"], {"t1": text})
    assert get_store().get("t1") == ended


@pytest.mark.parametrize("seconds", [5, 40, 3600])
def test_silence_that_is_read_from_a_replica_that_has_stopped_means_nothing(clock, monkeypatch, seconds):
    put(ended := make_running().succeeded(now=NOW))
    replica = {"tasks_app:task:t1": make_running().to_json()}
    with monkeypatch.context() as patch:
        patch.setattr(
            get_store().cache, "get_many", lambda keys: {key: replica[key] for key in keys if key in replica}
        )
        assert look_every(clock, seconds, times=40) == make_running().as_stalled()
    assert get_store().get("t1") == ended


def test_queued_task_that_nobody_beats_for_is_never_stalled(clock):
    put(Snapshot.queued("t1", "demo", now=NOW))
    assert look_every(clock, 5, times=50) == Snapshot.queued("t1", "demo", now=NOW)


def test_queued_task_that_the_cache_has_lost_is_unknown_then_lost(clock, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "QUEUED_LOST_AFTER": 100}
    put(queued := Snapshot.queued("t1", "demo", now=NOW))
    observe("t1")
    get_store().cache.clear()
    status = "Unknown: the cache has lost it, but it may still begin"
    assert look_every(clock, 5, times=20) == replace(queued, stalled=True, status=status)
    assert look_every(clock, 5, times=2).state is State.LOST


def test_queued_task_that_the_cache_has_lost_is_not_known_to_who_did_not_watch_it(clock):
    put(Snapshot.queued("t1", "demo", now=NOW))
    look_every(clock, 16, times=1)
    get_store().cache.clear()
    assert observe("t1") is None


def test_task_that_ended_and_was_kept_for_retention_is_not_taken_for_queued(clock, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 4}
    put(Snapshot.queued("t1", "demo", now=NOW))
    look_every(clock, 5, times=1)
    get_store().cache.clear()
    assert observe("t1") is None


def test_queued_task_that_the_cache_has_lost_and_that_has_expired_is_cancelled(clock):
    text = Snapshot.queued("t1", "demo", now=NOW, expires_at=NOW).to_json()
    get_observer().look("t1", text, max_gap=15, monotonic=clock.now)
    assert look_every(clock, 5, times=12).state is State.QUEUED
    look_every(clock, 5, times=1)
    assert (observe("t1").state, observe("t1").status) == (State.CANCELLED, "Expired before it began")


def test_waiting_task_that_this_process_has_sent_is_known_right_after_the_cache_was_emptied(clock):
    sent, _ = queue("t1", "demo", runner="elsewhere")
    get_store().cache.clear()
    assert observe("t1") == sent


def test_task_that_runs_in_this_process_is_known_right_after_the_cache_was_emptied(clock):
    with task_run("demo", owner=7) as task:
        get_flusher().flush()
        get_store().cache.clear()
        seen = observe(task.task_id)
    assert (seen.state, seen.owner) == (State.RUNNING, "7")


def test_task_that_ended_in_this_process_is_known_right_after_the_cache_was_emptied(clock, settings, tmp_path):
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    with task_run("demo", owner=7) as task:
        pass
    assert get_flusher().drain(10)
    get_store().cache.clear()
    seen = observe(task.task_id)
    assert (seen.state, seen.owner) == (State.SUCCEEDED, "7")


def test_task_that_vanished_is_not_known(clock):
    put(make_running())
    look_every(clock, 5, times=2)
    get_store().cache.clear()
    assert observe("t1") is None


def test_task_that_comes_back_is_judged_anew(clock):
    put(make_running())
    look_every(clock, 5, times=10)
    get_store().cache.clear()
    observe("t1")
    put(make_running())
    assert observe("t1").stalled is False


@pytest.mark.parametrize("text", ["garbage", "null", "[]"])
def test_garbage_in_the_cache_is_logged_each_time_and_as_good_as_none(clock, text, caplog):
    save_text("t1", text)
    assert [observe("t1"), observe("t1")] == [None, None]
    assert [record.getMessage() for record in caplog.records] == ["task t1: its stored snapshot can't be decoded"] * 2


def test_garbage_after_a_snapshot_is_as_good_as_none(clock):
    put(make_running())
    assert observe("t1") is not None
    save_text("t1", "garbage")
    assert observe("t1") is None


def look_at(observer: Observer, snapshot: Snapshot, *, monotonic: float = 0.0) -> float:
    """Return for how long a task has been silent by what an observer remembers."""
    return observer.look(snapshot.task_id, snapshot.to_json(), max_gap=15, monotonic=monotonic).spell.length


def test_ended_task_is_not_remembered():
    observer, first, second, third = Observer(limit=2), *map(make_running, ("t1", "t2", "t3"))
    for snapshot in (first, second, second.succeeded(now=NOW), third):
        look_at(observer, snapshot)
    assert look_at(observer, first, monotonic=10) == 10, "it had to make room for one that ended"


def test_task_that_was_not_asked_for_the_longest_is_forgotten_first():
    observer, first, second, third = Observer(limit=2), *map(make_running, ("t1", "t2", "t3"))
    for snapshot in (first, second, first, third):
        look_at(observer, snapshot)
    assert [look_at(observer, snapshot, monotonic=10) for snapshot in (first, third, second)] == [10, 10, 0]


def make_aged(seconds: float, task_id: str = "t1") -> Snapshot:
    """Return a running task whose process wrote it so many seconds ago, by a clock that may be wrong."""
    return make_running(task_id).written(now=datetime.now(UTC) - timedelta(seconds=seconds))


def test_first_look_at_a_task_that_fell_silent_long_ago_finds_it_stalled(clock):
    put(make_aged(120))
    assert observe("t1").stalled is True


async def test_get_snapshot_list_and_endpoint_say_the_same_at_the_first_look(clock):
    put(*(make_aged(120, task_id) for task_id in ("t1", "t2", "t3")))
    assert get_snapshot("t1").stalled is True
    assert (await AsyncClient().get("/tasks/t2")).json()["stalled"] is True
    assert [snapshot.stalled for snapshot in polling.observe_many(["t3"])] == [True]


@pytest.mark.parametrize(
    "seconds",
    [70, 0, -3600, 90_000],
    ids=[
        "within the slack",
        "just now",
        "by a clock that is ahead",
        "by a clock that is behind by more than ACTIVE_TTL",
    ],
)
def test_first_look_at_a_task_that_may_be_alive_finds_it_running(clock, seconds):
    put(make_aged(seconds))
    assert observe("t1").stalled is False


def test_task_that_fell_silent_long_ago_is_lost_once_it_was_watched_for_stalled_after(clock):
    put(make_aged(600))
    assert look_every(clock, 5, times=4).state is State.RUNNING
    assert observe("t1").state is State.LOST


def test_first_look_at_a_task_that_is_hardly_older_than_the_slack_counts_the_rest_alone(clock):
    put(make_aged(80))
    assert look_every(clock, 5, times=8).state is State.RUNNING


def test_living_task_of_a_writer_whose_clock_is_an_hour_behind_is_never_lost(clock):
    snapshot = make_aged(3600)
    for _ in range(40):
        put(snapshot := snapshot.beating().written(now=datetime.now(UTC) - timedelta(hours=1)))
        assert observe("t1").state is State.RUNNING
        clock.now += 5
    assert observe("t1").stalled is False


def test_living_task_of_a_writer_whose_clock_is_an_hour_behind_is_stalled_at_no_second_look(clock):
    put(make_aged(3600))
    assert look_every(clock, 40, times=1).stalled is True
    put(make_aged(3600).beating())
    assert observe("t1").stalled is False


def test_look_long_after_a_task_was_seen_alive_finds_it_stalled(clock):
    put(make_running().written(now=datetime.now(UTC) + timedelta(hours=1)))
    assert look_every(clock, 7200, times=1).stalled is False
    put(make_aged(3600).beating())
    assert observe("t1").stalled is True


def test_queued_task_that_nobody_beats_for_is_not_stalled_by_its_age(clock):
    put(Snapshot.queued("t1", "demo", now=NOW).written(now=NOW))
    assert look_every(clock, 5, times=10).stalled is False


def test_many_threads_may_look_at_once(clock):
    put(report(make_running(), 50))
    seen: list[Snapshot | None] = []
    threads = [threading.Thread(target=lambda: seen.append(observe("t1"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [report(make_running(), 50)] * 20


async def test_async_twin_does_the_same(clock):
    put(make_running())
    assert await aobserve("t1") == make_running()
    assert await aobserve("t2") is None


def test_get_snapshot_tells_of_the_silence(clock):
    put(make_running())
    look_every(clock, 5, times=4)
    assert get_snapshot("t1").stalled is True


def test_task_that_turns_out_to_be_lost_can_not_be_cancelled(clock):
    put(make_running())
    look_every(clock, 5, times=13)
    with pytest.raises(TaskAlreadyEnded, match="lost"):
        cancel("t1")


async def test_polling_client_sees_stalled_and_then_lost(clock):
    put(make_running())
    client, seen = AsyncClient(), []
    for _ in range(14):
        seen.append((await client.get("/tasks/t1")).json())
        clock.now += 5
    assert [data["stalled"] for data in seen] == [False] * 4 + [True] * 9 + [False]
    assert [data["state"] for data in seen[-2:]] == ["running", "lost"]


async def test_polling_client_gets_another_etag_when_the_task_stalls(clock):
    put(make_running())
    client, etags = AsyncClient(), []
    for _ in range(5):
        etags.append((await client.get("/tasks/t1"))["ETag"])
        clock.now += 5
    assert etags == ['"2"'] * 4 + ['"2-stalled"']
