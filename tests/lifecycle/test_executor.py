"""What a task may do to the executor that runs it, and what it may not."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tasks_app import cancel, get_snapshot, progress
from tasks_app.lifecycle import compat
from tasks_app.reporting import Reporter, find_reporter
from tests.support import jobs
from tests.support.jobs import task
from tests.support.waiting import wait_until

(signals,) = list(compat.signal_modules())[:1]


@task
async def exit_in_a_child() -> None:
    async def child() -> None:
        sys.exit(3)

    await asyncio.gather(child())


@task
async def cancel_itself_at_the_end() -> str:
    cancel(progress.task_id)
    return "done"


def wait_for_end(task_id: str) -> str:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    return get_snapshot(task_id).state


def test_exit_in_an_asyncio_task_ends_neither_the_loop_nor_its_other_tasks():
    bystander = jobs.await_forever.enqueue()
    wait_until(lambda: get_snapshot(bystander.id).state == "running", "the other coroutine runs")
    assert wait_for_end(exit_in_a_child.enqueue().id) == "failed"
    assert wait_for_end(jobs.greet.enqueue().id) == "succeeded"
    assert get_snapshot(bystander.id).state == "running"
    cancel(bystander.id)
    assert wait_for_end(bystander.id) == "cancelled"


@pytest.mark.filterwarnings("error")
def test_cancel_that_comes_as_a_coroutine_returns_does_not_keep_the_end_from_receivers():
    heard: list[str] = []

    async def receive(task_result, **kwargs):
        await asyncio.sleep(0)
        heard.append(task_result.id)

    signals.task_finished.connect(receive)
    try:
        task_id = cancel_itself_at_the_end.enqueue().id
        wait_until(lambda: heard == [task_id], "the receiver was called to its end")
    finally:
        signals.task_finished.disconnect(receive)
    assert get_snapshot(task_id).is_terminal


def test_task_ends_though_its_traceback_cannot_be_shown(monkeypatch):
    def fail(error):
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr("tasks_app.exceptions.format_exception", fail)
    result = jobs.fail.enqueue()
    assert wait_for_end(result.id) == "failed"
    assert result.errors[0].traceback == "RuntimeError (its traceback can't be shown: SystemError)"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Leave what refers to itself where it is."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("job", [jobs.add, jobs.greet], ids=["thread", "coroutine"])
def test_ended_task_leaves_nothing_to_the_garbage_collector(job: Any):
    task_id = (job.enqueue(1, 2) if job is jobs.add else job.enqueue()).id
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    wait_until(lambda: find_reporter(task_id) is None, "its end is stored")
    wait_until(
        lambda: not any(type(item) is Reporter and item.task_id == task_id for item in gc.get_objects()),
        "its reporter is freed",
    )
