"""`progress.map()`: the calls of a pool of threads, as steps of a task."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks_app import TaskCancelled, progress
from tests.support.doubles import take
from tests.support.waiting import wait_until


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_results_come_in_order(job, pool):
    assert list(job.progress.map(pool, str, [3, 1, 2])) == ["3", "1", "2"]


def test_each_call_is_a_step(job, pool):
    list(job.progress.map(pool, str, iter(range(4)), unit="files", status="Reading"))
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.unit, snapshot.status) == (4, 4, "files", "Reading")


def test_total_that_is_given_holds(job, pool):
    list(job.progress.map(pool, str, range(4), total=8))
    assert take(job).progress == 50


def test_steps_count_as_they_come_while_the_first_is_at_work(job, pool):
    go = threading.Event()
    results = job.progress.map(pool, lambda wait: wait and go.wait(120), [True, False, False])
    wait_until(lambda: take(job).current == 2, "two calls have ended")
    go.set()
    assert list(results) == [True, False, False]


def test_loop_in_a_call_fills_the_share_of_its_step(job, pool):
    half, go = threading.Barrier(2, timeout=120), threading.Event()

    def work(item: int) -> None:
        for step in progress.track(range(4)):
            if step == 2:
                half.wait()
                go.wait(120)

    results = job.progress.map(pool, work, [0], total=2)
    half.wait()
    seen = take(job)
    go.set()
    list(results)
    assert (seen.current, seen.percent) == (0, 25)


def test_error_of_a_call_is_raised_in_its_place(job, pool):
    results = job.progress.map(pool, lambda item: 6 / item, [3, 0])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not job.is_sampled or take(job).current == 1


def test_cancel_stops_the_results_and_what_has_not_begun(job):
    began, go, calls = threading.Event(), threading.Event(), []

    def work(item: int) -> None:
        calls.append(item)
        began.set()
        go.wait(120)

    with ThreadPoolExecutor(1) as pool:
        results = job.progress.map(pool, work, range(5))
        assert began.wait(120)
        job.request_cancel()
        with pytest.raises(TaskCancelled):
            next(results)
        go.set()
    assert calls == [0]


def test_map_of_a_cancelled_task_submits_nothing(job, pool):
    job.request_cancel()
    with pytest.raises(TaskCancelled):
        job.progress.map(pool, str, [1])


def test_results_that_nobody_reads_end_their_loop(job, pool):
    results = job.progress.map(pool, str, [1])
    assert job.is_sampled
    del results
    wait_until(lambda: take(job) is None or not job.is_sampled, "the loop is over")


def test_calls_whose_results_nobody_reads_are_made_and_counted(job):
    done = []
    with ThreadPoolExecutor(1) as pool:
        job.progress.map(pool, done.append, range(5))
    assert (done, take(job).current) == ([0, 1, 2, 3, 4], 5)


def test_loop_after_a_map_that_nobody_reads_adds_up(job):
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        job.progress.map(pool, lambda item: go.wait(120), range(2))
        list(job.progress.track(range(3)))
        seen = take(job)
        go.set()
    assert (seen.current, seen.total) == (3, 5)


def test_calls_that_have_not_begun_are_not_made_once_results_are_left(job):
    go, calls = threading.Event(), []

    def work(item: int) -> None:
        calls.append(item)
        if item:
            go.wait(120)

    with ThreadPoolExecutor(1) as pool:
        results = job.progress.map(pool, work, range(5))
        next(results)
        del results
        go.set()
    assert calls in ([0], [0, 1])


def test_cancel_stops_calls_whose_results_nobody_reads(job):
    began, go, calls = threading.Event(), threading.Event(), []

    def work(item: int) -> None:
        calls.append(item)
        began.set()
        go.wait(120)

    with ThreadPoolExecutor(1) as pool:
        job.progress.map(pool, work, range(5))
        assert began.wait(120)
        job.request_cancel()
        go.set()
    assert calls == [0]


def test_map_in_a_loop_fills_its_step(job, pool):
    for _ in job.progress.track(range(2)):
        list(job.progress.map(pool, str, range(4)))
        assert (take(job).current, take(job).percent) == (0, 50)
        break


def test_pool_that_is_shut_down_raises_its_own_error(job, pool):
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        job.progress.map(pool, str, [1])
    assert not job._draft.is_tracking


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_chunk_of_no_size_is_refused(job, pool, size, error):
    with pytest.raises(error, match=f"chunksize must be .*, not {size!r}"):
        job.progress.map(pool, str, [1], chunksize=size)


@pytest.mark.parametrize("value", [7, None])
def test_what_can_not_be_called_is_not_mapped(job, pool, value):
    with pytest.raises(TypeError, match=f"map\\(\\) takes a function, not {value!r}"):
        job.progress.map(pool, value, [1])


def generate(number):
    yield number


async def compute(number):
    return number


@pytest.mark.parametrize("function", [generate, compute])
def test_function_that_would_do_its_work_after_the_call_is_not_mapped(job, pool, function):
    with pytest.raises(TypeError, match=f"does its work when it is called, not <function {function.__name__}"):
        job.progress.map(pool, function, [1])


@pytest.mark.parametrize("name", ["str", "Pool"])
def test_what_is_no_pool_is_named(job, name):
    with pytest.raises(TypeError, match=f"map\\(\\) takes a pool of concurrent.futures, not {name!r}"):
        job.progress.map(name, str, [1])


def test_items_that_are_not_iterable_are_named(job, pool):
    with pytest.raises(TypeError, match=r"map\(\) takes an iterable of items, not 7"):
        job.progress.map(pool, str, 7)


def test_error_of_the_items_leaves_no_loop(job, pool):
    with pytest.raises(ZeroDivisionError):
        job.progress.map(pool, str, (6 // number for number in (1, 0)))
    assert not job._draft.is_tracking


def test_map_outside_a_task_maps(pool):
    assert list(progress.map(pool, str, [1, 2], total=2, unit="files")) == ["1", "2"]
