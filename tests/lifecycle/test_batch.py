"""Batches: many tasks that are started as the children of a parent which runs nothing itself."""

import asyncio
from itertools import repeat

import pytest
from django.db import transaction

from tasks_app import (
    InvalidArguments,
    TaskNotFound,
    TaskQueueFull,
    aget_snapshot,
    astart_batch,
    cancel,
    get_snapshot,
    start_batch,
    task_ended,
)
from tasks_app.backends import InProcessBackend
from tasks_app.reporting.process import get_flusher
from tasks_app.store.families import find_families
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.sparse_backend import SparseBackend
from tests.support.waiting import wait_until

STATES = ("queued", "running", "succeeded", "failed", "cancelled", "lost")


def count(total: int, **states: int) -> dict[str, int]:
    return {"total": total, **dict.fromkeys(STATES, 0), **states}


def wait_for_end(task_id: str) -> None:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the batch has ended")


def find_children(task_id: str) -> list[str]:
    return list(find_families({task_id: 1})[task_id].members)


def use_queue(settings, **options: int) -> None:
    settings.TASKS = {
        "default": {"BACKEND": "tasks_app.backends.InProcessBackend", "OPTIONS": {"max_workers": 1, **options}}
    }


def test_batch_succeeds_with_the_last_of_its_children():
    task_id = start_batch(jobs.add, [(1,), {"a": 2}, ((3,), {"b": 4})], name="sums")
    wait_for_end(task_id)
    snapshot = get_snapshot(task_id)
    assert (snapshot.task, snapshot.state, snapshot.progress) == ("sums", "succeeded", 100)
    assert snapshot.children == count(3, succeeded=3)
    assert sorted(get_snapshot(child).result for child in find_children(task_id)) == [2, 3, 7]


async def test_batch_starts_from_async_code():
    task_id = await astart_batch(jobs.add, [(1,)])
    await asyncio.to_thread(wait_for_end, task_id)
    assert (await aget_snapshot(task_id)).children == count(1, succeeded=1)


def test_children_name_their_parent_and_have_its_owner():
    task_id = start_batch(jobs.add, [(1,), (2,)], owner="7")
    wait_for_end(task_id)
    children = [get_snapshot(child) for child in find_children(task_id)]
    assert [(child.parent, child.owner) for child in children] == [(task_id, "7")] * 2


def test_end_is_told_once():
    ended = []

    def note(snapshot, **kwargs):
        ended.append(snapshot)

    task_ended.connect(note)
    try:
        task_id = start_batch(jobs.add, [(number,) for number in range(5)])
        wait_for_end(task_id)
        wait_until(lambda: len(ended) >= 6, "all ends are told")
    finally:
        task_ended.disconnect(note)
    assert [item.children for item in ended if item.task_id == task_id] == [count(5, succeeded=5)]


def test_batch_fails_with_counts():
    task_id = start_batch(jobs.add, [(1,), ("x", 1)])
    wait_for_end(task_id)
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.status) == ("failed", "1 of 2 done, 1 failed")


def test_batch_may_allow_failures():
    task_id = start_batch(jobs.add, [(1,), ("x", 1)], allow_failures=True)
    wait_for_end(task_id)
    assert get_snapshot(task_id).state == "succeeded"


def test_batch_without_calls_has_ended():
    assert get_snapshot(start_batch(jobs.add, [])).state == "succeeded"


def test_children_are_not_on_the_recent_list():
    task_id = start_batch(jobs.add, [(1,), (2,)])
    wait_for_end(task_id)
    wait_until(lambda: get_store().find_recent(), "the batch is listed")
    assert get_store().find_recent() == [task_id]


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([(1,), ()], "calls[1]: missing a required argument: 'a'"),
        ([(1,), {"a": 1, "c": 2}], "calls[1]: got an unexpected keyword argument 'c'"),
        ([(1,), "ab"], "calls[1] must be"),
        ([(1,), (object(),)], "calls[1] can't be stored as JSON"),
    ],
)
def test_nothing_is_enqueued_unless_all_calls_fit(calls, message):
    with pytest.raises(InvalidArguments) as caught:
        start_batch(jobs.add, calls)
    assert str(caught.value).startswith(message)
    assert not get_flusher().reporters
    assert not get_store().find_recent()


def test_number_of_calls_is_limited(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_CHILDREN": 2}
    with pytest.raises(ValueError, match="there are more than 2 calls, which MAX_CHILDREN allows"):
        start_batch(jobs.add, [(1,)] * 3)


def test_calls_without_end_are_refused(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_CHILDREN": 2}
    with pytest.raises(ValueError, match="there are more than 2 calls"):
        start_batch(jobs.add, repeat((1,)))


@pytest.mark.parametrize(
    "weights",
    [[1], [1, 0], [1, "x"], [1, float("inf")], [1, 10**400], [1] * 3, repeat(1)],
    ids=["few", "zero", "text", "infinite", "huge", "many", "endless"],
)
def test_weights_must_be_numbers_for_each_call(weights):
    with pytest.raises(ValueError, match="weight"):
        start_batch(jobs.add, [(1,), (2,)], weights=weights)


def test_weight_that_is_a_whole_number_of_any_length_is_named():
    with pytest.raises(ValueError, match="a weight must be a finite number above 0, not an int of 16610 bits"):
        start_batch(jobs.add, [(1,)], weights=[10**5000])


@pytest.mark.parametrize("name", ["calls", "weights"])
def test_what_is_not_iterable_is_named(name):
    with pytest.raises(TypeError, match=f"{name} must be an iterable, not 5"):
        start_batch(jobs.add, **{"calls": [(1,)], name: 5})


@pytest.mark.parametrize("name", ["calls", "weights"])
def test_whole_number_of_any_length_is_named_where_it_is_not_iterable(name):
    with pytest.raises(TypeError, match=f"{name} must be an iterable, not an int of 16610 bits"):
        start_batch(jobs.add, **{"calls": [(1,)], name: 10**5000})


def test_weights_say_how_much_a_call_is(open_gate):
    task_id = start_batch(jobs.wait, [(), ()], weights=[3, 1])
    wait_until(lambda: get_snapshot(task_id).percent == 25, "both wait at a quarter")
    open_gate()
    wait_for_end(task_id)


def test_cancel_cancels_all_children(settings):
    use_queue(settings)
    task_id = start_batch(jobs.wait, [()] * 3)
    wait_until(lambda: get_snapshot(task_id).children["running"], "a child runs")
    cancel(task_id)
    wait_for_end(task_id)
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.cancel_requested) == ("cancelled", True)
    assert snapshot.children == count(3, cancelled=3)


def test_batch_may_be_larger_than_the_queue(settings, open_gate):
    use_queue(settings, max_queue=2)
    task_id = start_batch(jobs.wait, [()] * 5)
    with pytest.raises(TaskQueueFull):
        start_batch(jobs.wait, [()])
    open_gate()
    wait_for_end(task_id)
    assert get_snapshot(task_id).children == count(5, succeeded=5)


def test_refused_batch_leaves_nothing(settings, open_gate, monkeypatch):
    use_queue(settings, max_queue=1)
    task_id = start_batch(jobs.wait, [()] * 2)
    tried = []
    monkeypatch.setattr("tasks_app.lifecycle.batch.token_hex", lambda size: tried.append("b") or "b")
    with pytest.raises(TaskQueueFull):
        start_batch(jobs.wait, [()])
    with pytest.raises(TaskNotFound):
        get_snapshot(tried[0])
    open_gate()
    wait_for_end(task_id)


def break_at(number: int, error: BaseException, monkeypatch) -> None:
    """Have the backend fail at this task of a batch, whose id is "b"."""
    enqueue, calls = InProcessBackend.enqueue, []

    def fail_later(self, *args):
        calls.append(args)
        if len(calls) == number:
            raise error
        return enqueue(self, *args)

    monkeypatch.setattr(InProcessBackend, "enqueue", fail_later)
    monkeypatch.setattr("tasks_app.lifecycle.batch.token_hex", lambda size: "b")


@pytest.mark.parametrize("error", [OSError("no broker"), KeyboardInterrupt()], ids=["broker", "interrupt"])
def test_batch_that_fails_at_its_first_task_leaves_nothing(error, monkeypatch):
    break_at(1, error, monkeypatch)
    with pytest.raises(type(error)):
        start_batch(jobs.wait, [()] * 4)
    with pytest.raises(TaskNotFound):
        get_snapshot("b")
    assert not get_flusher().backlog.parents.sent


@pytest.mark.parametrize("error", [OSError("no broker"), KeyboardInterrupt()], ids=["broker", "interrupt"])
def test_batch_that_fails_halfway_is_cancelled_and_says_so(error, monkeypatch):
    break_at(3, error, monkeypatch)
    with pytest.raises(type(error)):
        start_batch(jobs.wait, [()] * 4)
    wait_for_end("b")
    snapshot = get_snapshot("b")
    assert snapshot.state == "failed"
    assert snapshot.status == "Failed: 2 of 4 calls were sent, then it failed; these were cancelled"
    assert snapshot.children == count(4, cancelled=4)


def test_children_whose_ids_the_framework_chooses_are_stored_while_others_are_sent(settings, monkeypatch):
    known, enqueue = [], SparseBackend.enqueue

    def look(self, *args):
        known.append(len(find_children("b")))
        return enqueue(self, *args)

    settings.TASKS = {"default": {"BACKEND": "tests.support.sparse_backend.SparseBackend"}}
    monkeypatch.setattr(SparseBackend, "enqueue", look)
    monkeypatch.setattr("tasks_app.lifecycle.roster.WRITE_INTERVAL", 0)
    monkeypatch.setattr("tasks_app.lifecycle.batch.token_hex", lambda size: "b")
    wait_for_end(start_batch(jobs.add, [(number,) for number in range(3)]))
    assert (known, get_snapshot("b").children) == ([0, 1, 2], count(3, succeeded=3))


@pytest.mark.django_db(transaction=True)
def test_batch_waits_for_the_commit():
    with transaction.atomic():
        task_id = start_batch(jobs.add, [(1,), (2,)])
        with pytest.raises(TaskNotFound):
            get_snapshot(task_id)
    wait_for_end(task_id)
    assert get_snapshot(task_id).children == count(2, succeeded=2)


@pytest.mark.django_db(transaction=True)
def test_batch_is_not_sent_after_a_rollback():
    with transaction.atomic():
        task_id = start_batch(jobs.add, [(1,)])
        transaction.set_rollback(True)
    with pytest.raises(TaskNotFound):
        get_snapshot(task_id)
    assert not get_flusher().reporters


def test_end_is_kept_after_the_retention_of_the_children(settings):
    task_id = start_batch(jobs.add, [(1,), (2,)])
    wait_for_end(task_id)
    for child in find_children(task_id):
        get_store().cache.delete(f"tasks_app:task:{child}")
    assert get_snapshot(task_id).children == count(2, succeeded=2)


def test_batch_is_told_how_long_batches_of_its_size_took():
    for size in (1, 1, 1, 5):
        wait_for_end(start_batch(jobs.add, [(1,)] * size))
    assert [get_snapshot(start_batch(jobs.add, [(1,)] * size)).expected is None for size in (1, 5)] == [False, True]
