"""The end of a task outlives a cache server that loses all it has."""

import threading
from dataclasses import replace

import pytest

from tasks_app import wakeups
from tasks_app.reporting.backlog import Ends
from tasks_app.reporting.flusher import Flusher
from tasks_app.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.caches import HANGING_CACHES, gate
from tests.support.doubles import begin, read
from tests.support.waiting import DEADLINE, wait_until


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


def test_end_that_comes_while_an_earlier_one_is_restored_is_looked_for_later(time, settings):
    settings.CACHES = HANGING_CACHES
    ends, first = Ends(), Snapshot.queued("t1", "demo", now=time.now).lost(now=time.now)
    second = replace(first, seq=first.seq + 10)
    ends.keep(first, monotonic=0)
    gate.shut()
    restoring = threading.Thread(target=ends.restore, kwargs={"monotonic": 100})
    restoring.start()
    wait_until(lambda: gate.waiting, "what is due is read")
    ends.keep(second, monotonic=100)
    gate.open()
    restoring.join(DEADLINE)
    ends.restore(monotonic=200)
    assert (read(), bool(ends)) == (second, False)


def test_end_is_stored_again_where_the_cache_holds_garbage(flusher, time, shared_cache, caplog):
    end(flusher)
    shared_cache.set("tasks_app:task:t1", "garbage")
    time.move(5)
    flusher.sweep()
    assert read().state == "succeeded"
    assert "task t1" in caplog.text


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
    assert (read(), bool(flusher._ends)) == (None, False)


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
    assert "the cache did not take the ends of ['t1']" in caplog.text
    flusher.sweep()
    assert read().state == "succeeded"


def test_task_that_began_anew_elsewhere_is_not_written_over(flusher, time, shared_cache):
    end(flusher)
    get_store().save([read().begun(now=time.now)])
    time.move(5)
    flusher.sweep()
    assert read().state == "running"


def test_task_that_began_anew_here_is_not_written_over(time, shared_cache):
    flusher = Flusher(time.clock)
    begin(flusher).succeed()
    flusher.drain(10)
    again = begin(flusher)
    flusher.flush()
    shared_cache.clear()
    time.move(5)
    flusher.sweep()
    assert read() is None
    again.succeed()
    assert flusher.drain(10)


def test_many_ends_are_looked_for_a_hundred_at_a_time(flusher, time, shared_cache, monkeypatch):
    for number in range(250):
        begin(flusher, f"t{number}").succeed()
    flusher.flush()
    sizes = []
    monkeypatch.setattr(type(get_store()), "read", lambda self, ids: sizes.append(len(ids)) or dict.fromkeys(ids, ""))
    time.move(5)
    flusher.sweep()
    assert sizes == [100, 100, 50]


def test_job_that_was_handed_back_is_no_end(flusher, shared_cache):
    begin(flusher).hand_back()
    flusher.flush()
    assert not flusher._ends


def test_ends_in_a_cache_of_this_process_are_not_kept(flusher):
    end(flusher)
    assert not flusher._ends


def test_end_is_looked_for_before_its_retention_is_over(flusher, time, shared_cache, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 2}
    end(flusher)
    time.move(1)
    flusher.sweep()
    assert not flusher._ends
