"""Interpreters of a pool, from Python 3.14 on, that report to the task of the job that uses them."""

import threading
from concurrent import futures

import pytest

from tasks_app import TaskCancelled
from tasks_app.reporting import link
from tests.support import pool_jobs
from tests.support.doubles import take
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture(scope="module")
def pool():
    if not hasattr(futures, "InterpreterPoolExecutor"):
        pytest.skip("Python 3.14 or newer is not installed")
    with futures.InterpreterPoolExecutor(2) as pool:
        yield pool


class StrictThread(threading.Thread):
    """As in an interpreter of a pool, which refuses daemon threads when they are made."""

    def __init__(self, *, daemon, **options):
        if daemon:
            raise RuntimeError("daemon threads are disabled in this (sub)interpreter")
        super().__init__(daemon=daemon, **options)


def test_interpreter_without_daemon_threads_has_another_to_report(monkeypatch):
    monkeypatch.setattr(threading, "Thread", StrictThread)
    began = threading.Event()
    link.start_thread(began.set).join(DEADLINE)
    assert began.is_set()


def test_steps_of_interpreters_add_up_exactly(job, pool):
    list(pool.map(job.progress.handle().bind(pool_jobs.advance), [5_000] * 10))
    assert take(job).current == 50_000


@pytest.mark.parametrize("chunksize", [1, 3])
def test_calls_in_interpreters_are_steps(job, pool, chunksize):
    assert list(job.progress.map(pool, pool_jobs.fail, [1, 2, 3, 6], chunksize=chunksize)) == [6, 3, 2, 1]
    assert (take(job).current, take(job).total) == (4, 4)


def test_error_of_a_call_in_an_interpreter_is_raised_in_its_place(job, pool):
    results = job.progress.map(pool, pool_jobs.fail, [3, 0])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_function_that_can_not_be_sent_to_an_interpreter_is_named(job, pool):
    with pytest.raises(TypeError, match=r"<lambda> at .* can't be sent to another process; define it at the top"):
        job.progress.map(pool, lambda item: item, [1])


def test_stages_are_entered_in_interpreters(job, pool):
    job.progress.stages({"a": 1, "b": 1})
    list(pool.map(job.progress.handle().bind(pool_jobs.enter), "ab"))
    assert [(stage.state, stage.percent) for stage in take(job).stages] == [("succeeded", 100), ("succeeded", 100)]


def test_cancel_stops_a_loop_in_an_interpreter(job, pool, tmp_path):
    future = pool.submit(job.progress.handle().bind(pool_jobs.spin), str(tmp_path / "began"))
    wait_until((tmp_path / "began").exists, "the interpreter is at work")
    job.request_cancel()
    with pytest.raises(TaskCancelled):
        future.result(DEADLINE)
