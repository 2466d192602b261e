"""What a test records of a job, without a store, a thread or a server."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from django.db import transaction

from tasks_app import TaskCancelled, progress
from tasks_app.testing import LogLine, Recorded, record, run
from tests.support import celery_app
from tests.support.doubles import controlled_cache
from tests.support.jobs import task


def test_statuses_are_recorded_in_order_and_each_change_once():
    with record() as recorded:
        for status in ("Reading", "Reading", "Writing"):
            progress.update(status=status)
    assert recorded.statuses == ["Reading", "Writing"]


def test_each_step_of_a_loop_is_recorded():
    with record() as recorded:
        for _ in progress.track(range(4), status="Importing"):
            pass
    assert (recorded.percents, recorded.statuses) == ([0, 25, 50, 75, 100], ["Importing"])


async def test_each_step_of_an_async_loop_is_recorded():
    async def generate():
        for number in range(2):
            yield number

    with record() as recorded:
        async for _ in progress.track(generate(), total=2):
            pass
    assert recorded.percents == [0, 50, 100]


def test_inner_loop_fills_the_step_of_the_outer_one():
    with record() as recorded:
        for _ in progress.track(range(2)):
            for _ in progress.track(range(2)):
                pass
    assert recorded.percents == [0, 25, 50, 75, 100]


def test_stages_are_recorded_in_the_order_in_which_they_begin():
    with record() as recorded:
        progress.stages({"Download": 1, "Check": 1, "Parse": 2})
        for name in ("Parse", "Download"):
            with progress.stage(name):
                pass
    assert (recorded.stages, recorded.percents[-1]) == (["Parse", "Download"], 75)


def test_log_is_recorded_as_viewers_get_it():
    with record() as recorded:
        progress.log("one\ntwo", level="Warning")
        progress.log("x" * 2000)
    assert recorded.logs[:2] == [LogLine("warning", "one"), LogLine("warning", "two")]
    assert len(recorded.logs[2].text) == 1000


def test_meta_is_recorded():
    with record() as recorded:
        progress.meta(file="orders.csv")
    assert recorded.meta == {"file": "orders.csv"}


def test_cancel_stops_the_loop_at_its_next_step():
    done: list[int] = []

    def job(recorded: Recorded) -> None:
        for number in progress.track(range(10)):
            done.append(number)
            if number == 3:
                recorded.cancel()

    with record() as recorded, pytest.raises(TaskCancelled):
        job(recorded)
    assert (done, recorded.snapshots[-1].cancel_requested) == ([0, 1, 2, 3], True)


def test_reports_are_seen_while_the_job_runs():
    with record() as recorded:
        progress.update(current=1, total=4)
        assert recorded.percents == [25]
        progress.advance()
        assert recorded.percents == [25, 50]


def test_threads_of_the_job_are_recorded():
    with record() as recorded, ThreadPoolExecutor(2) as pool:
        assert list(progress.map(pool, abs, [-1, -2, -3, -4])) == [1, 2, 3, 4]
    assert recorded.percents[-1] == 100


def test_code_after_the_block_reports_to_nobody():
    with record() as recorded:
        progress.update(status="Inside")
    progress.update(status="Outside")
    assert recorded.statuses == ["Inside"]


def test_records_do_not_mix():
    with record() as outer:
        progress.update(status="Outer")
        with record() as inner:
            progress.update(status="Inner")
        progress.update(status="Outer again")
    assert (outer.statuses, inner.statuses) == (["Outer", "Outer again"], ["Inner"])


async def test_records_of_coroutines_do_not_mix():
    async def job(name: str) -> list[str]:
        with record() as recorded:
            progress.update(status=name)
            await asyncio.sleep(0)
            progress.update(status=f"{name} again")
        return recorded.statuses

    assert await asyncio.gather(job("a"), job("b")) == [["a", "a again"], ["b", "b again"]]


@task
def double(number: int) -> int:
    progress.update(status="Doubling")
    return number * 2


@task
async def double_async(number: int) -> int:
    progress.update(status="Doubling")
    return number * 2


def double_plainly(number: int) -> int:
    progress.update(status="Doubling")
    return number * 2


JOBS = {"task": double, "async": double_async, "function": double_plainly}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_job_runs_to_its_end_inline(job):
    recorded = run(job, 3)
    assert (recorded.result, recorded.statuses) == (6, ["Doubling"])


def test_job_of_celery_runs_to_its_end_inline():
    recorded = run(celery_app.count, 2)
    assert (recorded.result, recorded.statuses) == ({"counted": 2}, ["Waiting", "Counting"])


def test_error_of_a_job_reaches_the_test():
    with pytest.raises(ZeroDivisionError):
        run(divmod, 1, 0)


def test_what_is_no_job_is_named():
    with pytest.raises(TypeError, match="not 'import'"):
        run("import")


@contextmanager
def no_threads() -> Iterator[None]:
    with patch.object(threading.Thread, "start", side_effect=AssertionError("a thread")):
        yield


def test_nothing_is_stored_and_no_thread_is_started():
    with controlled_cache("get", "get_many", "set", "set_many", "add", "delete"), no_threads():
        assert run(double, 3).result == 6


@pytest.mark.django_db
def test_job_is_recorded_in_a_transaction():
    with transaction.atomic():
        assert run(double, 3).statuses == ["Doubling"]


pytest_plugins = ["tasks_app.testing.fixtures"]


def test_fixture_records_the_test(recorded_progress):
    double_plainly(1)
    assert recorded_progress.statuses == ["Doubling"]


async def test_fixture_records_an_async_test(recorded_progress):
    await double_async.func(1)
    assert recorded_progress.statuses == ["Doubling"]
