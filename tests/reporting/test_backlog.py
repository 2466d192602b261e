"""What is still owed to the cache: new tasks are listed, and ends outlive a cache server that loses all it has."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import override_settings

from tasks_app import start, task_run, wakeups
from tasks_app.exceptions import StoreUnavailable
from tasks_app.reporting.backlog import BATCH, Backlog, NewTasks, TerminalSnapshots
from tasks_app.reporting.flusher import Flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.version import Version
from tasks_app.store.recent import RECENT_TASKS
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.caches import HANGING_CACHES, REFUSING_CACHES, CacheDown, gate
from tests.support.doubles import begin, controlled_cache, read
from tests.support.viewers import NOW
from tests.support.waiting import DEADLINE, wait_until

# --- new tasks ---


def make(number: int = 1) -> Snapshot:
    return Snapshot.queued(f"t{number}", "demo", now=NOW)


def wait_for_listing(task_id: str) -> None:
    wait_until(lambda: task_id in get_store().find_recent(), "the task is listed")


def test_started_task_is_listed():
    wait_for_listing(start(jobs.add, 1))


def test_tracked_code_is_listed():
    with task_run("nightly") as progress:
        wait_for_listing(progress.task_id)


@pytest.mark.parametrize("backend", ["ImmediateBackend", "DummyBackend"])
def test_task_of_another_backend_is_listed(backend):
    home = type(jobs.add).__module__.removesuffix(".base")
    with override_settings(TASKS={"default": {"BACKEND": f"{home}.backends.{backend[:-7].lower()}.{backend}"}}):
        wait_for_listing(jobs.add.enqueue(1).id)


def test_task_is_listed_once():
    arrivals = NewTasks()
    arrivals.add(make())
    arrivals.list_all()
    assert not arrivals
    arrivals.list_all()
    assert get_store().find_recent() == ["t1"]


def test_task_that_could_not_be_stored_is_stored_and_listed():
    arrivals = NewTasks()
    arrivals.add(make(), is_stored=False)
    arrivals.store_some()
    arrivals.list_all()
    assert (read("t1"), get_store().find_recent(), bool(arrivals)) == (make(), ["t1"], False)


def test_task_that_could_not_be_stored_replaces_no_later_snapshot():
    later = make().begun(now=NOW)
    get_store().save([later])
    arrivals = NewTasks()
    arrivals.add(make(), is_stored=False)
    arrivals.store_some()
    assert read("t1") == later


def test_tasks_of_a_long_outage_are_stored_batch_by_batch():
    arrivals = NewTasks()
    for number in range(2 * BATCH + 1):
        arrivals.add(make(number), is_stored=False)
    assert [arrivals.store_some() for _ in range(3)] == [False, False, True]
    assert read(f"t{2 * BATCH}") == make(2 * BATCH)


def test_flusher_goes_on_until_all_tasks_of_a_long_outage_are_stored():
    flusher = Flusher()
    for number in range(2 * BATCH + 1):
        flusher.enlist(make(number), is_stored=False)
    assert flusher.drain(DEADLINE)
    assert len(get_store().find_recent()) == 2 * BATCH + 1
    flusher.backlog = Backlog()  # so that its thread ends


def test_task_that_still_can_not_be_stored_waits():
    arrivals = NewTasks()
    arrivals.add(make(), is_stored=False)
    with controlled_cache("add"), pytest.raises(CacheDown):
        arrivals.store_some()
    arrivals.store_some()
    assert read("t1") == make()


def test_task_that_the_cache_refuses_waits():
    arrivals = NewTasks()
    arrivals.add(make(), is_stored=False)
    with override_settings(CACHES=REFUSING_CACHES), pytest.raises(StoreUnavailable, match="'t1'"):
        arrivals.store_some()
    arrivals.store_some()
    assert read("t1") == make()


def test_watch_is_told_of_a_task_that_is_stored_late():
    told = []
    wakeups.listen(told.append)
    try:
        arrivals = NewTasks()
        arrivals.add(make(), is_stored=False)
        arrivals.store_some()
    finally:
        wakeups.ignore(told.append)
    assert [list(versions) for versions in told] == [["t1"]]


def test_task_that_can_not_be_listed_waits():
    arrivals = NewTasks()
    arrivals.add(make())
    with controlled_cache("set_many"), pytest.raises(CacheDown):
        arrivals.list_all()
    arrivals.list_all()
    assert get_store().find_recent() == ["t1"]


def test_only_the_latest_tasks_wait(monkeypatch):
    arrivals, listed = NewTasks(), []
    monkeypatch.setattr(get_store(), "list_as_recent", listed.extend)
    for number in range(RECENT_TASKS + 1):
        arrivals.add(make(number))
    arrivals.list_all()
    assert [snapshot.task_id for snapshot in listed] == [f"t{number + 1}" for number in range(RECENT_TASKS)]


def test_flusher_lists_new_tasks_when_the_cache_is_back(flusher, caplog):
    flusher.enlist(make())
    with controlled_cache("set_many"):
        flusher.sweep()
    assert "the cache failed" in caplog.text
    flusher.sweep()
    assert get_store().find_recent() == ["t1"]


def test_running_tasks_are_listed_again_once_the_cache_was_emptied(flusher, time):
    for number in range(3):
        flusher.enlist(replace(make(number), created_at=NOW + timedelta(seconds=number)))
        begin(flusher, f"t{number}")
    flusher.sweep()
    get_store().cache.clear()
    time.move(5)
    flusher.sweep()
    flusher.sweep()
    assert set(get_store().find_recent()) == {"t0", "t1", "t2"}


def test_running_tasks_are_listed_once_while_the_cache_is_not_emptied(flusher, time, monkeypatch):
    begin(flusher)
    listed = []
    monkeypatch.setattr(get_store(), "list_as_recent", listed.extend)
    for _ in range(3):
        time.move(5)
        flusher.sweep()
    assert listed == []


# --- ends ---


@pytest.fixture
def shared_cache(settings, tmp_path):
    """A cache that is not this process' own; as a server that was killed does, it can lose all it has."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    }
    return get_store().cache


def end(flusher, task_id="t1"):
    begin(flusher, task_id).succeed(42)
    flusher.flush()


def test_end_that_the_cache_lost_is_stored_again_after_heartbeat(flusher, time, shared_cache):
    end(flusher)
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    assert (read().state, read().result) == ("succeeded", 42)


def test_end_is_stored_again_where_the_cache_came_back_with_what_it_held_before(flusher, time, shared_cache):
    progress = begin(flusher)
    flusher.flush()
    dumped = read()
    progress.succeed(42)
    flusher.flush()
    get_store().save([dumped])
    time.move(5)
    flusher.sweep()
    assert (read().state, read().result) == ("succeeded", 42)


def test_end_over_which_the_task_was_declared_lost_is_stored_again(flusher, time, shared_cache):
    job = begin(flusher)
    flusher.flush()
    lost = read().lost(now=time.now)
    job.succeed(42)
    flusher.flush()
    get_store().save([lost])
    time.move(5)
    flusher.sweep()
    assert (read().state, read().seq) == ("succeeded", lost.seq + 1)


def test_end_that_the_cache_drops_without_a_word_is_stored_again_until_it_is_there(flusher, time, shared_cache):
    """A database cache does so while its table can't be written."""
    end(flusher)
    shared_cache.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_cache, "set_many", lambda data, timeout: [])
        for seconds in (5, 10, 20):
            time.move(seconds)
            flusher.sweep()
    assert read() is None
    time.move(40)
    flusher.sweep()
    assert (read().state, read().result) == ("succeeded", 42)


def test_end_that_comes_while_an_earlier_one_is_restored_is_looked_for_later(time, settings):
    settings.CACHES = HANGING_CACHES
    ends, first = TerminalSnapshots(), Snapshot.queued("t1", "demo", now=time.now).lost(now=time.now)
    second = replace(first, seq=first.seq + 10)
    ends.keep(Version.of(first), monotonic=0)
    gate.shut()
    restoring = threading.Thread(target=ends.restore, kwargs={"monotonic": 100})
    restoring.start()
    wait_until(lambda: gate.waiting, "what is due is read")
    ends.keep(Version.of(second), monotonic=100)
    gate.open()
    restoring.join(DEADLINE)
    ends.restore(monotonic=200)
    assert (read(), bool(ends)) == (second, True)
    ends.restore(monotonic=300)
    assert not ends, "it was seen to be there"


def test_end_is_stored_again_where_the_cache_holds_garbage(flusher, time, shared_cache, caplog):
    end(flusher)
    shared_cache.set("tasks_app:task:t1", "garbage", None)
    time.move(5)
    flusher.sweep()
    assert read().state == "succeeded"
    assert "task t1" in caplog.text


def test_end_that_is_stored_again_is_listed_again(flusher, time, shared_cache):
    end(flusher)
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    flusher.sweep()
    assert get_store().find_recent() == ["t1"]


def test_end_that_is_stored_again_is_published(flusher, time, shared_cache):
    end(flusher)
    shared_cache.clear()
    heard = []
    wakeups.listen(heard.extend)
    try:
        time.move(5)
        flusher.sweep()
    finally:
        wakeups.ignore(heard.extend)
    assert heard == ["t1"]


def test_end_is_not_looked_for_before_heartbeat(flusher, time, shared_cache):
    end(flusher)
    shared_cache.clear()
    time.move(4.9)
    flusher.sweep()
    assert read() is None


def test_end_is_looked_for_once(flusher, time, shared_cache):
    end(flusher)
    time.move(5)
    flusher.sweep()
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    assert read() is None


def test_end_is_looked_for_until_the_cache_answers(flusher, time, shared_cache, monkeypatch, caplog):
    end(flusher)
    shared_cache.clear()
    time.move(5)
    with monkeypatch.context() as patch:
        patch.setattr(shared_cache, "get_many", fail)
        flusher.sweep()
    assert "the cache failed" in caplog.text
    flusher.sweep()
    assert read().state == "succeeded"


def fail(*args, **kwargs):
    raise ConnectionError("the cache is down")


def test_end_that_the_cache_refuses_is_tried_again(flusher, time, shared_cache, monkeypatch, caplog):
    end(flusher)
    shared_cache.clear()
    time.move(5)
    with monkeypatch.context() as patch:
        patch.setattr(shared_cache, "set_many", lambda data, timeout: list(data))
        flusher.sweep()
    assert "the cache refused the terminal snapshots of ['t1']" in caplog.text
    flusher.sweep()
    assert read().state == "succeeded"


def test_task_that_began_anew_elsewhere_is_not_written_over(flusher, time, shared_cache):
    end(flusher)
    get_store().save([read().begun(now=time.now)])
    time.move(5)
    flusher.sweep()
    assert read().state == "running"


def test_task_that_began_anew_here_is_not_written_over(flusher, time, shared_cache):
    end(flusher)
    begin(flusher)
    flusher.flush()
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    assert read() is None


def test_many_ends_are_looked_for_a_hundred_at_a_time(flusher, time, shared_cache, monkeypatch):
    for number in range(250):
        begin(flusher, f"t{number}").succeed()
    flusher.flush()
    sizes = []
    monkeypatch.setattr(type(get_store()), "read", lambda self, ids: sizes.append(len(ids)) or dict.fromkeys(ids, ""))
    time.move(5)
    flusher.sweep()
    assert sizes == [100, 100, 50]


def test_job_that_was_handed_back_waits_again(flusher, time, shared_cache):
    begin(flusher).hand_back()
    flusher.flush()
    handed_back = read()
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    assert (read(), read().state) == (handed_back, "queued")


def test_ends_in_a_cache_of_this_process_are_not_kept(flusher, time):
    end(flusher)
    get_store().cache.clear()
    time.move(5)
    flusher.sweep()
    assert read() is None


def test_end_is_looked_for_before_its_retention_is_over(flusher, time, shared_cache, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 2}
    end(flusher)
    shared_cache.clear()
    time.move(1)
    flusher.sweep()
    assert read().state == "succeeded"
