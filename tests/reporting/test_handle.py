"""`progress.handle()`: threads of a job that report to its task."""

import asyncio
import contextvars
import gc
import os
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from weakref import ref

import pytest

from tasks_app import TaskCancelled, get_snapshot, progress, task_run
from tasks_app.reporting import local_home
from tasks_app.reporting.context import get_bound
from tasks_app.reporting.counts import LARGEST
from tasks_app.reporting.draft import Draft
from tasks_app.reporting.local_home import LocalHome
from tests.support.doubles import take


def run_in_threads(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a thread for each argument, all at once; raise what one raises."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        for future in [pool.submit(function, argument) for argument in arguments]:
            future.result()


def test_steps_of_threads_add_up_exactly(job):
    def advance(steps: int) -> None:
        for _ in range(steps):
            progress.advance()

    job.progress.update(total=40_000)
    run_in_threads(job.progress.handle().bind(advance), *[10_000] * 4)
    assert (take(job).current, take(job).progress) == (40_000, 99)


def test_totals_of_threads_add_up_where_the_job_has_set_none(job):
    def work(steps: int) -> None:
        for _ in progress.track(range(steps), unit="rows"):
            pass

    run_in_threads(job.progress.handle().bind(work), 10, 30)
    assert (take(job).current, take(job).total, take(job).unit) == (40, 40, "rows")


def test_total_of_the_job_holds(job):
    job.progress.update(total=100)
    run_in_threads(job.progress.handle().bind(lambda steps: list(progress.track(range(steps)))), 10, 30)
    assert (take(job).current, take(job).total) == (40, 100)


def test_steps_show_while_a_thread_is_at_work(job):
    with job.progress.handle() as part:
        part.update(total=4)
        part.advance()
        assert (take(job).current, take(job).progress) == (1, 25)


def test_later_loop_of_a_thread_goes_on_from_the_earlier(job):
    with job.progress.handle():
        list(progress.track(range(10)))
        list(progress.track(range(5)))
    assert (take(job).current, take(job).total) == (15, 15)


def test_amount_that_the_job_sets_later_is_the_whole(job):
    with job.progress.handle() as part:
        part.advance(7)
    job.progress.update(current=2)
    assert take(job).current == 2


@pytest.mark.parametrize("amount", [1e308, 10**308, -(10**308)], ids=["float", "whole", "negative"])
def test_amounts_that_no_float_holds_together_end_at_the_largest_one(job, amount: float):
    job.progress.update(current=amount, total=10**308)
    for _ in range(2):
        with job.progress.handle() as part:
            part.advance(amount)
    assert abs(take(job).current) == LARGEST
    job.succeed()
    assert take(job).state == "succeeded"


def test_part_refuses_to_count_beyond_what_a_float_holds(job):
    with job.progress.handle() as part:
        part.advance(1e308)
        with pytest.raises(ValueError, match="current must be finite"):
            part.advance(1e308)


def test_part_fills_the_share_of_the_step_that_the_job_is_in(job):
    for _ in job.progress.track(range(2)):
        with job.progress.handle() as part:
            part.update(total=4)
            part.advance(2)
            assert take(job).current == 0
            assert take(job).percent == 25
        break


def test_status_meta_and_log_of_a_thread_are_those_of_the_task():
    def work() -> None:
        progress.update(status="Resizing")
        progress.meta(size=3)
        progress.log("one\ntwo", "warning")

    with task_run("demo") as task:
        thread = threading.Thread(target=task.handle().bind(work))
        thread.start()
        thread.join()
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.status, dict(snapshot.meta), snapshot.logged) == ("Resizing", {"size": 3}, 2)


def test_stages_can_be_entered_in_parallel(job):
    both = threading.Barrier(3, timeout=120)
    seen = threading.Event()

    def work(name: str) -> None:
        with progress.stage(name):
            progress.update(current=1, total=4)
            both.wait()
            assert seen.wait(120)

    job.progress.stages({"a": 1, "b": 3})
    handle = job.progress.handle()
    threads = [threading.Thread(target=handle.bind(work), args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    both.wait()
    stages = [(stage.name, stage.state, stage.percent) for stage in take(job).stages]
    seen.set()
    for thread in threads:
        thread.join()
    assert stages == [("a", "running", 25), ("b", "running", 25)]
    assert [stage.state for stage in take(job).stages] == ["succeeded", "succeeded"]


def test_stage_lasts_until_the_last_thread_has_left_it(job):
    job.progress.stages({"a": 1})
    handle = job.progress.handle()
    with handle as one, one.stage("a"):
        one.update(current=1, total=2)
        with handle as two, two.stage("a"):
            two.update(current=0, total=2)
        assert [(stage.state, stage.percent) for stage in take(job).stages] == [("running", 25)]


def test_stage_that_fails_in_a_thread_has_failed(job):
    job.progress.stages({"a": 1})
    with pytest.raises(ValueError, match="no"), job.progress.handle() as part, part.stage("a"):
        raise ValueError("no")
    assert take(job).stages[0].state == "failed"


def test_stage_in_a_stage_of_a_part_is_refused(job):
    job.progress.stages({"a": 1, "b": 1})
    refused = pytest.raises(ValueError, match="'b' can't begin inside stage 'a'")
    with job.progress.handle() as part, part.stage("a"), refused:
        part.stage("b").__enter__()


def test_unknown_stage_is_named_in_a_part(job):
    with job.progress.handle() as part, pytest.raises(ValueError, match="unknown stage 'x'"), part.stage("x"):
        pass


def test_stages_are_not_declared_in_a_part(job):
    with job.progress.handle() as part, pytest.raises(RuntimeError, match="only the job itself declares stages"):
        part.stages({"a": 1})


def test_cancel_stops_loops_of_threads(job):
    def work() -> None:
        for _ in progress.track(iter(int, 1)):
            job.request_cancel()
            take(job)

    with pytest.raises(TaskCancelled):
        job.progress.handle().bind(work)()


def test_cancel_is_seen_in_a_part(job):
    with job.progress.handle() as part:
        job.request_cancel()
        assert part.cancelled
        with pytest.raises(TaskCancelled):
            part.raise_if_cancelled()


@pytest.mark.parametrize("n", ["1", True, float("nan")])
def test_part_advances_by_numbers_alone(job, n):
    with job.progress.handle() as part, pytest.raises((TypeError, ValueError), match="n must be"):
        part.advance(n)


def test_part_gives_the_context_back(job):
    handle = job.progress.handle()
    with task_run("outer") as outer:
        with handle, handle:
            assert progress.task_id == "t1"
        assert progress.task_id == outer.task_id
    assert progress.task_id == ""


def report_in(handle):
    with handle:
        progress.advance(3)
        yield


def test_part_of_a_generator_that_is_closed_in_another_block_ends_alone(job):
    generator = report_in(job.progress.handle())
    next(generator)
    with task_run("inner") as inner:
        generator.close()
        bound_then = progress.task_id
    assert (bound_then, progress.task_id) == (inner.task_id, "")


def test_part_that_is_left_in_another_context_counts(job):
    generator = report_in(job.progress.handle())
    contextvars.copy_context().run(next, generator)
    generator.close()
    assert take(job).current == 3


@pytest.fixture
def _without_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_without_collector")
def test_part_is_freed_at_its_end_without_the_garbage_collector(job):
    with job.progress.handle() as part:
        part.advance()
    gone = ref(part)
    del part
    assert gone() is None


@pytest.mark.usefixtures("_without_collector")
def test_part_in_a_stage_is_freed_at_its_end_without_the_garbage_collector(job):
    job.progress.stages({"a": 1})
    with job.progress.handle() as part, part.stage("a"):
        part.advance()
    gone = ref(part)
    del part
    assert gone() is None


@pytest.mark.usefixtures("_without_collector")
def test_part_of_no_task_is_freed_at_its_end_without_the_garbage_collector():
    with progress.handle() as part:
        gone = ref(part)
    del part
    assert gone() is None


def test_part_that_has_ended_still_stands_for_its_task_where_its_context_was_carried(job):
    with job.progress.handle():
        context = contextvars.copy_context()
    assert context.run(lambda: progress.task_id) == "t1"


def test_child_that_is_forked_in_a_block_leaves_it(job):
    child, status = None, 1
    try:
        with job.progress.handle():
            child = os.fork()
        status = 0
    finally:
        if child == 0:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_handle_may_be_made_while_another_thread_forks(job, monkeypatch):
    interval = sys.getswitchinterval()
    homes = [LocalHome(Draft(str(number), {}, wake=bool), None, None) for number in range(200)]

    def hand_out():
        for _ in range(2_000):
            for home in homes:
                home.hand_out()
            local_home._handed_out.clear()

    monkeypatch.setattr(LocalHome, "publish", bool)
    thread = threading.Thread(target=hand_out)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        while thread.is_alive():
            local_home._publish_all()
    finally:
        sys.setswitchinterval(interval)
        thread.join()


def test_part_in_a_thread_stands_for_the_task_that_starts_others():
    with task_run("demo") as task:
        seen = []
        thread = threading.Thread(target=task.handle().bind(lambda: seen.append(get_bound())))
        thread.start()
        thread.join()
    assert seen[0].task_id == task.task_id


def test_what_reports_names_the_handle_where_it_is_sent_to_another_process(job):
    with job.progress.handle() as part:
        for reporting in (job.progress, part):
            with pytest.raises(TypeError, match=r"'t1' can't be sent .* send progress.handle\(\) there"):
                pickle.dumps(reporting)


def test_handle_outside_a_task_does_nothing():
    with progress.handle() as part:
        part.advance()
    assert progress.handle().bind(len)("abc") == 3


def test_handle_of_an_ended_task_is_ignored_and_logged_once(caplog):
    with task_run("demo") as task:
        handle = task.handle()
    for _ in range(2):
        with handle as part:
            part.advance(5)
            part.log("late")
    assert get_snapshot(task.task_id).current is None
    assert caplog.messages == [f"task {task.task_id} has ended: what is reported by its handle is ignored"]


def test_part_that_outlives_its_task_is_ignored(job):
    with job.progress.handle() as part:
        part.advance(2)
        job.succeed()
        part.advance(2)
    assert (take(job).current, job.is_sampled) == (2, False)


async def test_coroutine_can_be_bound(job):
    async def work(steps: int) -> int:
        progress.advance(steps)
        return steps

    assert await asyncio.gather(*map(job.progress.handle().bind(work), [1, 2])) == [1, 2]
    assert take(job).current == 3


def count_to_three():
    yield from range(3)


async def count_to_three_async():
    yield 3


@pytest.mark.parametrize("function", [count_to_three, count_to_three_async])
def test_generator_that_would_run_outside_of_its_block_is_not_bound(job, function):
    with pytest.raises(TypeError, match="does its work when it is called, not <function count_to_three"):
        job.progress.handle().bind(function)


def test_part_that_begins_after_a_cancel_stops_at_its_first_step(job):
    job.request_cancel()
    with job.progress.handle() as part, pytest.raises(TaskCancelled):
        list(part.track(range(3)))


def test_what_can_not_be_called_is_not_bound(job):
    with pytest.raises(TypeError, match="takes a function, not 7"):
        job.progress.handle().bind(7)
