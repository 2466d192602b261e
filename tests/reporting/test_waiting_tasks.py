"""What this process has sent, and waits elsewhere, outlives a cache that loses all it has."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tasks_app import wakeups
from tasks_app.reporting.waiting_tasks import BATCH, MAX_WAITING, WaitingTasks
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.caches import CacheDown
from tests.support.doubles import FakeTime, HandFlusher, begin, controlled_cache, read


def make(time: FakeTime, number: int = 1) -> Snapshot:
    return Snapshot.queued(f"t{number}", "demo", now=time.now, label=f"Demo {number}")


def send(flusher: HandFlusher, time: FakeTime) -> Snapshot:
    """Store and list a task as a sender does."""
    get_store().add(snapshot := make(time))
    flusher.enlist(snapshot)
    flusher.sweep()
    return snapshot


def pass_heartbeat(flusher: HandFlusher, time: FakeTime) -> None:
    time.move(5)
    flusher.sweep()
    flusher.sweep()  # it lists what the first has stored


def test_waiting_task_that_the_cache_has_lost_is_stored_and_listed_again(flusher, time):
    snapshot = send(flusher, time)
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert (read(), get_store().find_recent()) == (snapshot, ["t1"])


def test_older_version_that_another_process_put_back_is_replaced(flusher, time):
    older = make(time)
    retried = replace(older, attempt=1, seq=7)
    get_store().add(retried)
    flusher.enlist(retried)
    pass_heartbeat(flusher, time)
    get_store().save([older])
    pass_heartbeat(flusher, time)
    assert read() == retried


def test_watch_is_told_of_a_task_that_is_stored_again(flusher, time):
    send(flusher, time)
    get_store().cache.clear()
    told: list[str] = []
    wakeups.listen(told.extend)
    try:
        pass_heartbeat(flusher, time)
    finally:
        wakeups.ignore(told.extend)
    assert told == ["t1"]


def test_task_that_has_begun_elsewhere_is_left_to_its_executor(flusher, time):
    running = send(flusher, time).begun(now=time.now)
    get_store().save([running])
    pass_heartbeat(flusher, time)
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert read() is None


def test_task_that_has_ended_elsewhere_is_not_stored_again(flusher, time):
    get_store().save([send(flusher, time).begun(now=time.now).succeeded(now=time.now)])
    pass_heartbeat(flusher, time)
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert (read(), bool(flusher.backlog)) == (None, False)


def test_task_that_begins_in_this_process_is_not_stored_again(flusher, time):
    send(flusher, time)
    begin(flusher).succeed()
    flusher.flush()
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert read() is None


def test_task_that_is_listed_after_it_has_begun_in_this_process_does_not_wait(flusher, time):
    begin(flusher)
    flusher.enlist(make(time))
    assert flusher.backlog.waiting_tasks.find("t1") is None


def test_task_that_an_executor_stored_meanwhile_is_not_written_over(flusher, time, monkeypatch):
    running = send(flusher, time).begun(now=time.now)
    get_store().save([running])
    monkeypatch.setattr(get_store(), "read", lambda task_ids: {})  # it was read before
    pass_heartbeat(flusher, time)
    monkeypatch.undo()
    assert read() == running


def test_later_version_that_waits_is_stored_again(flusher, time):
    later = replace(send(flusher, time), seq=7, attempt=2)
    get_store().save([later])
    pass_heartbeat(flusher, time)
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert read() == later


def test_task_that_may_have_been_kept_for_retention_is_not_stored_again(flusher, time, settings):
    send(flusher, time)
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 4}
    get_store().cache.clear()
    pass_heartbeat(flusher, time)
    assert (read(), bool(flusher.backlog)) == (None, False)


def test_task_that_waited_longer_than_active_ttl_is_not_stored_again(time, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "ACTIVE_TTL": 20}
    waiting = WaitingTasks()
    waiting.keep(make(time), monotonic=21)
    assert waiting.restore(monotonic=26, now=time.now + timedelta(seconds=21)) == []
    assert not waiting


def test_look_that_fails_forgets_nothing(flusher, time, caplog):
    with controlled_cache() as controls:
        snapshot = send(flusher, time)
        get_store().cache.clear()
        controls.break_down("get_many")
        pass_heartbeat(flusher, time)
        assert "the cache failed" in caplog.text
        controls.repair()
        pass_heartbeat(flusher, time)
        assert read() == snapshot


def test_task_that_can_not_be_stored_again_waits(time):
    waiting = WaitingTasks()
    waiting.keep(make(time), monotonic=0)
    with controlled_cache("add"), pytest.raises(CacheDown):
        waiting.restore(monotonic=5, now=time.now)
    assert waiting.restore(monotonic=6, now=time.now) == [make(time)]


def test_thousand_tasks_are_looked_at_with_few_reads_every_heartbeat(time, monkeypatch):
    waiting, texts = WaitingTasks(), {f"t{number}": make(time, number).to_json() for number in range(MAX_WAITING + 1)}
    for number in range(MAX_WAITING + 1):
        waiting.keep(make(time, number), monotonic=0)
    sizes: list[int] = []
    monkeypatch.setattr(
        get_store(), "read", lambda ids: sizes.append(len(ids)) or {task_id: texts[task_id] for task_id in ids}
    )
    for monotonic in range(10):
        waiting.restore(monotonic=monotonic, now=time.now)
    assert sizes == [BATCH] * (MAX_WAITING // BATCH)
    assert waiting.find("t0") is None, "only the latest are kept"


def test_lost_tasks_are_stored_again_batch_by_batch(time):
    waiting = WaitingTasks()
    for number in range(BATCH + 1):
        waiting.keep(make(time, number), monotonic=0)
    assert [len(waiting.restore(monotonic=5, now=time.now)) for _ in range(3)] == [BATCH, 1, 0]
