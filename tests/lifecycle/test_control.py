"""Looking at a task, and asking it to stop, from Python."""

import pytest

from tasks_app import (
    TaskAlreadyEnded,
    TaskNotFound,
    acancel,
    aget_snapshot,
    cancel,
    get_snapshot,
    progress,
    start,
    task_run,
)
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.caches import CacheDown
from tests.support.viewers import make_running, put, until
from tests.support.waiting import wait_until

ODD_IDS = ["unknown", "", "a b", "a/b", "\n", "\0", "é", "x" * 5000]


def test_snapshot_has_what_was_reported_before_the_call():
    with task_run("demo"):
        for current in range(5):
            progress.update(current=current, total=5)
            assert get_snapshot(progress.task_id).current == current


@pytest.mark.parametrize("task_id", ODD_IDS)
def test_unknown_task_is_not_found(task_id):
    with pytest.raises(TaskNotFound):
        get_snapshot(task_id)


@pytest.mark.parametrize("task_id", ODD_IDS)
async def test_unknown_task_is_not_found_from_async_code(task_id):
    with pytest.raises(TaskNotFound):
        await aget_snapshot(task_id)


@pytest.mark.parametrize("task_id", ODD_IDS)
def test_unknown_task_can_not_be_cancelled(task_id):
    with pytest.raises(TaskNotFound):
        cancel(task_id)
    assert get_store().find_cancelled(["unknown"]) == set()


def test_ended_task_can_not_be_cancelled():
    task_id = start(jobs.add, 1)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    with pytest.raises(TaskAlreadyEnded, match="succeeded"):
        cancel(task_id)
    assert get_store().find_cancelled([task_id]) == set()


def test_cancel_stops_a_task_that_looks():
    task_id = start(jobs.wait)
    wait_until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    cancel(task_id)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task stopped")
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.cancel_requested, snapshot.progress) == ("cancelled", True, 25)


async def test_acancel_stops_a_coroutine():
    task_id = start(jobs.await_forever)
    await until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    await acancel(task_id)
    await until(lambda: get_snapshot(task_id).is_terminal, "the task stopped")
    assert (await aget_snapshot(task_id)).state == "cancelled"


def test_second_cancel_of_a_task_that_runs_is_harmless():
    task_id = start(jobs.wait)
    wait_until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    with task_run("stubborn") as stubborn:
        cancel(stubborn.task_id)
        cancel(stubborn.task_id)
        assert get_snapshot(stubborn.task_id).cancel_requested is True
    assert get_snapshot(stubborn.task_id).state == "succeeded"
    cancel(task_id)


def test_cancel_of_a_task_elsewhere_leaves_word_for_its_worker():
    put(make_running("elsewhere"))
    cancel("elsewhere")
    assert get_store().find_cancelled(["elsewhere", "other"]) == {"elsewhere"}


def test_cancel_left_by_another_process_reaches_the_task():
    task_id = start(jobs.wait)
    wait_until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    get_store().request_cancel(task_id)
    wait_until(lambda: get_snapshot(task_id).state == "cancelled", "the task stopped")


@pytest.mark.parametrize("call", [get_snapshot, cancel])
def test_cache_failure_is_passed_on(cache, call):
    cache.break_down()
    with pytest.raises(CacheDown):
        call("t1")
