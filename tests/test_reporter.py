"""What a job may tell of itself: `progress`, `track`, `stages`, `task_run`."""

import asyncio
import gc
import json
import threading
import uuid
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import override_settings

from tasks_app import TaskCancelled, get_snapshot, progress, task_run
from tasks_app.current import bind, find_reporter, get_bound, identify_owner
from tasks_app.flusher import get_flusher
from tasks_app.reporter import Progress
from tasks_app.state import Snapshot
from tests.doubles import FakeTime, HandFlusher

NO_NUMBERS = ["1", b"1", [], {}, True, False, object, 1j]
NOT_FINITE = [
    float("nan"),
    float("inf"),
    -float("inf"),
    Decimal("NaN"),
    Decimal("Infinity"),
    10**400,
    Decimal("1e400"),
]


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def job(time: FakeTime) -> Progress:
    """A task that runs, and is written when the test says so."""
    flusher = HandFlusher(time.clock)
    reporter = Progress(Snapshot.queued("t1", "demo", now=time.now), flusher=flusher)
    reporter.begin()
    flusher.add(reporter)
    return reporter


def take(reporter: Progress) -> Snapshot:
    """Return what would be written now."""
    reporter.take()
    return reporter._snapshot


async def agenerate(n, *, error=None):
    for number in range(n):
        yield number
    if error is not None:
        raise error


# --- update, advance, meta ---


def test_update_sets_what_is_given_and_keeps_the_rest(job):
    job.update(current=1, total=4, status="Going", unit="rows")
    job.update(current=2)
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status, snapshot.unit) == (2, 4, "Going", "rows")
    assert (snapshot.percent, snapshot.progress) == (50.0, 50)


def test_update_without_anything_is_no_change(job):
    before = take(job)
    job.update()
    assert take(job) is before


def test_update_takes_nothing_by_position(job):
    with pytest.raises(TypeError, match="positional"):
        job.update(1)


def test_status_may_be_any_object(job):
    job.update(status=ValueError("as text"))
    assert take(job).status == "as text"


def test_status_that_reports_itself_does_not_stop_the_job(job):
    class Chatty:
        def __str__(self) -> str:
            job.advance()
            return "chatty"

    worker = threading.Thread(target=job.update, kwargs={"status": Chatty()}, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive()
    assert take(job).status == "chatty"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (3, 3),
        (2.5, 2.5),
        (3.0, 3),
        (Decimal("2.5"), 2.5),
        (Fraction(1, 4), 0.25),
        (2**70, 2**70),
        (-1, -1),
    ],
)
def test_number_of_any_kind_is_kept_as_json_has_it(job, value, kept):
    job.update(current=value)
    current = take(job).current
    assert (current, type(current)) == (kept, type(kept))
    assert json.loads(take(job).to_json())["current"] == kept


@pytest.mark.parametrize("name", ["current", "total"])
@pytest.mark.parametrize("value", NO_NUMBERS)
def test_update_refuses_what_is_no_number_and_names_it(job, name, value):
    with pytest.raises(TypeError) as caught:
        job.update(**{name: value})
    assert str(caught.value) == f"{name} must be a number, not {value!r}"


@pytest.mark.parametrize("name", ["current", "total"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_update_refuses_what_is_not_finite_and_names_it(job, name, value):
    with pytest.raises(ValueError, match="must be finite") as caught:
        job.update(**{name: value})
    assert str(caught.value) == f"{name} must be finite, not {value!r}"


def test_update_that_is_refused_changes_nothing(job):
    job.update(current=1, total=4)
    with pytest.raises(TypeError):
        job.update(current=3, total="4", status="Never")
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status) == (1, 4, "Running")


def test_advance_adds_to_current(job):
    job.update(total=10)
    job.advance()
    job.advance(2.5)
    assert take(job).current == 3.5


def test_advance_goes_on_from_what_update_set(job):
    job.update(current=5)
    job.advance(-2)
    assert take(job).current == 3


@pytest.mark.parametrize("value", [*NO_NUMBERS, None])
def test_advance_refuses_what_is_no_number_and_names_it(job, value):
    with pytest.raises(TypeError) as caught:
        job.advance(value)
    assert str(caught.value) == f"n must be a number, not {value!r}"


@pytest.mark.parametrize("value", NOT_FINITE)
def test_advance_refuses_what_is_not_finite(job, value):
    with pytest.raises(ValueError, match="n must be finite"):
        job.advance(value)


def test_advance_beyond_all_numbers_is_refused(job):
    job.update(current=1e308)
    with pytest.raises(ValueError, match="current must be finite"):
        job.advance(1e308)
    assert take(job).current == int(1e308)


def test_advance_from_many_threads_loses_nothing(job):
    def work() -> None:
        for _ in range(2000):
            job.advance()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert take(job).current == 16_000


def test_meta_is_merged(job):
    job.meta(source="a.csv", rows=1)
    job.meta(rows=2, nested={"list": [1, None, "ü"]})
    assert take(job).meta == {"source": "a.csv", "rows": 2, "nested": {"list": [1, None, "ü"]}}


def test_meta_is_a_copy_of_what_was_given(job):
    rows = [1]
    job.meta(rows=rows)
    rows.append(2)
    assert take(job).meta == {"rows": [1]}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_meta_refuses_what_is_not_json(job, value):
    with pytest.raises(TypeError, match="not JSON serializable"):
        job.meta(value=value)
    assert take(job).meta == {}


def test_meta_refuses_nan(job):
    with pytest.raises(ValueError, match="JSON compliant"):
        job.meta(value=float("nan"))


@override_settings(TASKS_APP={"RESULT_MAX_BYTES": 20})
def test_meta_over_the_limit_is_refused_with_both_sizes(job):
    job.meta(a="x")
    with pytest.raises(ValueError, match=r"meta would have 26 bytes as JSON; RESULT_MAX_BYTES allows 20"):
        job.meta(b="0123456789")
    assert take(job).meta == {"a": "x"}


# --- track ---


def test_track_yields_the_items(job):
    assert list(job.track(["a", "b"])) == ["a", "b"]


def test_track_takes_the_total_from_what_has_a_length(job):
    for _ in job.track(["a", "b", "c", "d"], status="Reading", unit="rows"):
        pass
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status, snapshot.unit) == (4, 4, "Reading", "rows")


def test_track_counts_a_step_when_it_is_done(job):
    seen = [take(job).current for _ in job.track(range(3))]
    assert seen == [0, 1, 2]


def test_track_of_a_generator_has_no_total(job):
    for _ in job.track(iter(range(3))):
        assert take(job).percent is None
    assert (take(job).current, take(job).total) == (3, None)


def test_track_takes_the_total_that_is_given(job):
    for _ in job.track(iter(range(3)), total=6):
        pass
    assert take(job).progress == 50


def test_total_that_is_given_wins_over_the_length(job):
    for _ in job.track([1, 2], total=8):
        pass
    assert take(job).progress == 25


def test_track_of_nothing_yields_nothing(job):
    assert list(job.track([])) == []
    assert (take(job).total, take(job).percent) == (0, None)


async def test_track_of_an_async_iterable(job):
    seen = [(number, take(job).current) async for number in job.track(agenerate(3), total=4)]
    assert seen == [(0, 0), (1, 1), (2, 2)]
    assert take(job).progress == 75


class Both:
    """Iterable in both ways, as some database cursors are."""

    def __iter__(self):
        return iter(["sync"])

    async def __aiter__(self):
        yield "async"

    def __len__(self):
        return 2


def test_for_uses_the_sync_protocol_where_there_are_both(job):
    assert list(job.track(Both())) == ["sync"]
    assert take(job).total == 2


async def test_async_for_uses_the_async_protocol_where_there_are_both(job):
    assert [item async for item in job.track(Both(), total=2)] == ["async"]


def test_for_over_an_async_iterable_names_async_for(job):
    with pytest.raises(TypeError, match="is not iterable; use 'async for'"):
        list(job.track(agenerate(1)))


async def test_async_for_over_a_plain_iterable_names_for(job):
    with pytest.raises(TypeError, match=r"\[1\] is not an async iterable; use 'for'"):
        [item async for item in job.track([1])]


@pytest.mark.parametrize("value", [None, 7, object])
def test_track_refuses_at_once_what_can_not_be_iterated(job, value):
    with pytest.raises(TypeError) as caught:
        job.track(value)
    assert str(caught.value) == f"track() takes an iterable or an async iterable, not {value!r}"


@pytest.mark.parametrize(("total", "error"), [("9", TypeError), (float("nan"), ValueError)])
def test_track_refuses_a_total_that_is_no_number(job, total, error):
    with pytest.raises(error, match="total must be"):
        job.track([], total=total)


def test_inner_track_leaves_the_progress_to_the_outer(job):
    for _ in job.track(range(4)):
        for _ in job.track(range(100), status="Inner"):
            assert take(job).total == 4
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status) == (4, 4, "Running")


def test_inner_track_checks_for_a_cancel(job):
    done = []

    def work() -> None:
        for _ in job.track(range(4)):
            for number in job.track(range(100)):
                done.append(number)
                if number == 2:
                    job.request_cancel()

    with pytest.raises(TaskCancelled):
        work()
    assert done == [0, 1, 2]


def test_track_after_track_counts_anew(job):
    list(job.track(range(4)))
    for _ in job.track(range(8)):
        pass
    assert (take(job).current, take(job).total) == (8, 8)


def test_track_checks_for_a_cancel_at_every_step(job):
    done = []

    def work() -> None:
        for number in job.track(range(10)):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled, match="task t1 was asked to stop"):
        work()
    assert done == [0]


async def test_async_track_checks_for_a_cancel_at_every_step(job):
    done = []

    async def work() -> None:
        async for number in job.track(agenerate(10)):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled):
        await work()
    assert done == [0]


def test_track_that_was_left_by_break_is_over(job):
    for number in job.track(range(10)):
        if number == 3:
            break
    assert take(job).current == 3
    assert not job.is_sampled
    list(job.track(range(5)))
    assert take(job).total == 5


async def test_async_track_that_ended_stays_where_it_was(job):
    loop = aiter(job.track(agenerate(2)))
    assert [item async for item in loop] == [0, 1]
    with pytest.raises(StopAsyncIteration):
        await anext(loop)
    assert take(job).current == 2


async def test_async_track_that_is_cancelled_while_it_waits_is_over(job):
    waits = asyncio.Event()

    async def generate():
        yield 1
        waits.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async for _ in job.track(generate()):
            pass

    coroutine = asyncio.create_task(work())
    await waits.wait()
    coroutine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coroutine
    assert take(job).current == 1
    assert not job.is_sampled


async def test_async_track_that_was_left_by_break_is_over(job):
    async for number in job.track(agenerate(10), total=10):
        if number == 3:
            break
    list(job.track(range(5)))
    assert (take(job).current, take(job).total) == (5, 5)


def test_track_that_was_left_by_an_exception_is_over(job):
    def work() -> None:
        for number in job.track(range(10)):
            if number == 3:
                raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        work()
    assert take(job).current == 3
    assert not job.is_sampled


def test_exception_of_the_iterable_goes_on_to_the_job(job):
    def generate():
        yield 1
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        list(job.track(generate()))
    assert take(job).current == 1
    assert not job.is_sampled


async def test_exception_of_an_async_iterable_goes_on_to_the_job(job):
    with pytest.raises(OSError, match="gone"):
        [item async for item in job.track(agenerate(2, error=OSError("gone")))]
    assert take(job).current == 2
    assert not job.is_sampled


def test_track_that_is_collected_while_the_job_reports_does_not_block_it(job):
    """The garbage collector may end a loop in any thread, also in one that holds the lock of the task."""
    loop = iter(job.track(range(10)))
    next(loop)
    cycle = [loop]
    cycle.append(cycle)
    del loop, cycle

    def collect() -> None:
        with job._lock:
            gc.collect()

    worker = threading.Thread(target=collect, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive()
    take(job)
    assert not job.is_sampled


# --- stages ---


def test_stages_fill_their_share(job):
    job.stages({"Download": 1, "Parse": 3})
    with job.stage("Download"):
        list(job.track(range(2)))
    assert take(job).percent == 25.0
    with job.stage("Parse"):
        job.update(current=1, total=2)
        assert take(job).percent == 62.5
        assert [stage.to_wire() for stage in take(job).stages] == [
            {"name": "Download", "weight": 1, "progress": 100, "state": "succeeded"},
            {"name": "Parse", "weight": 3, "progress": 50, "state": "running"},
        ]


def test_stage_is_full_when_it_ends_without_a_report(job):
    job.stages({"Download": 1, "Parse": 3})
    with job.stage("Download"):
        pass
    assert take(job).progress == 25


def test_stage_begins_without_the_count_of_the_one_before(job):
    job.stages({"Download": 1, "Parse": 1})
    with job.stage("Download"):
        job.update(current=5, total=10, unit="MB")
    with job.stage("Parse"):
        snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.unit) == (None, None, None)


def test_progress_does_not_go_back_when_a_stage_begins(job):
    job.stages({"Download": 1, "Parse": 1})
    with job.stage("Download"):
        job.update(current=9, total=10)
    with job.stage("Parse"):
        job.update(current=0, total=10)
        assert take(job).progress == 50


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("no"), "failed"), (TaskCancelled(), "cancelled"), (asyncio.CancelledError(), "cancelled")],
)
def test_stage_that_raises_says_how_it_ended(job, error, state):
    job.stages({"Download": 1, "Parse": 1})

    def work() -> None:
        with job.stage("Download"):
            job.update(current=1, total=4)
            raise error

    with pytest.raises(type(error)):
        work()
    stage = take(job).stages[0]
    assert (stage.state, stage.percent) == (state, 25.0)


def test_unknown_stage_is_named_with_the_declared_ones(job):
    job.stages({"Download": 1, "Parse": 1})
    with pytest.raises(ValueError, match="unknown") as caught, job.stage("Upload"):
        pass
    assert str(caught.value) == "unknown stage 'Upload'; declared by stages(): ['Download', 'Parse']"


def test_stage_without_declared_ones_is_unknown(job):
    with pytest.raises(ValueError, match=r"unknown stage 'a'; declared by stages\(\): \[\]"), job.stage("a"):
        pass


def test_stage_can_not_begin_inside_another(job):
    job.stages({"a": 1, "b": 1})
    with job.stage("a"), pytest.raises(ValueError, match="stage 'b' can't begin inside stage 'a'"), job.stage("b"):
        pass


def test_stages_needs_at_least_one(job):
    with pytest.raises(ValueError, match=r"stages\(\) needs at least one stage, not {}"):
        job.stages({})


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (0, ValueError, "the weight of stage 'a' must be above 0, not 0"),
        (-1, ValueError, "the weight of stage 'a' must be above 0, not -1"),
        ("1", TypeError, "the weight of stage 'a' must be a number, not '1'"),
        (None, TypeError, "the weight of stage 'a' must be a number, not None"),
        (float("nan"), ValueError, "the weight of stage 'a' must be finite, not nan"),
        (float("inf"), ValueError, "the weight of stage 'a' must be finite, not inf"),
    ],
)
def test_weight_that_is_no_share_is_named(job, weight, error, message):
    with pytest.raises(error) as caught:
        job.stages({"a": weight})
    assert str(caught.value) == message


# --- cancel ---


def test_cancel_is_seen_by_the_job_and_its_viewers(job):
    assert (job.cancelled, take(job).cancel_requested) == (False, False)
    job.request_cancel()
    assert (job.cancelled, take(job).cancel_requested) == (True, True)


def test_raise_if_cancelled_raises_only_then(job):
    job.raise_if_cancelled()
    job.request_cancel()
    with pytest.raises(TaskCancelled, match="task t1 was asked to stop"):
        job.raise_if_cancelled()


def test_cancel_calls_the_executor_once(job):
    calls = []
    job.on_cancel = lambda: calls.append(1)
    job.request_cancel()
    job.request_cancel()
    assert calls == [1]


def test_cancel_of_an_ended_task_does_nothing(job):
    calls = []
    job.on_cancel = lambda: calls.append(1)
    job.succeed()
    job.request_cancel()
    assert (job.cancelled, calls) == (False, [])


def test_job_that_ignores_a_cancel_may_succeed(job):
    job.request_cancel()
    job.succeed()
    assert (take(job).state, take(job).cancel_requested) == ("succeeded", True)


# --- results and errors ---


@pytest.mark.parametrize("result", [None, 0, "text", [1, 2.5, None], {"a": {"b": "\u2028 \ud800"}}])
def test_result_is_kept(job, result):
    job.succeed(result)
    snapshot = take(job)
    assert (snapshot.result, snapshot.result_omitted) == (result, None)


def test_result_is_what_json_gives_back(job):
    job.succeed({1: (2, 3)})
    assert take(job).result == {"1": [2, 3]}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (object, "is not JSON serializable"),
        ({1, 2}, "Object of type set is not JSON serializable"),
        (float("nan"), "Out of range float values are not JSON compliant"),
        ([float("inf")], "Out of range float values are not JSON compliant"),
        ({(1, 2): 3}, "keys must be str, int, float, bool or None, not tuple"),
    ],
)
def test_result_that_is_not_json_is_omitted_with_the_reason(job, result, reason):
    job.succeed(result)
    snapshot = take(job)
    assert (snapshot.state, snapshot.result) == ("succeeded", None)
    assert snapshot.result_omitted.startswith("The result is not JSON: ")
    assert reason in snapshot.result_omitted


def test_result_that_contains_itself_is_omitted(job):
    result: list[object] = []
    result.append(result)
    job.succeed(result)
    assert "Circular reference" in take(job).result_omitted


def test_result_that_is_too_deep_is_omitted_and_the_task_ends(job):
    result: list[object] = []
    for _ in range(100_000):
        result = [result]
    job.succeed(result)
    assert take(job).state == "succeeded"
    assert take(job).result_omitted.startswith("The result is not JSON: ")


def test_result_of_any_depth_ends_the_task_with_a_snapshot_that_can_be_read(time):
    for depth in range(100, 1500, 10):
        result: list[object] = []
        for _ in range(depth):
            result = [result]
        reporter = Progress(Snapshot.queued("t1", "demo", now=time.now), flusher=HandFlusher(time.clock))
        reporter.begin()
        reporter.succeed(result)
        assert Snapshot.from_json(take(reporter).to_json()).state == "succeeded"


@override_settings(TASKS_APP={"RESULT_MAX_BYTES": 10})
def test_result_over_the_limit_is_omitted_with_both_sizes(job):
    job.succeed("0123456789")
    assert take(job).result_omitted == "The result has 12 bytes as JSON; at most 10 are kept."


@override_settings(TASKS_APP={"RESULT_MAX_BYTES": 12})
def test_result_at_the_limit_is_kept(job):
    job.succeed("0123456789")
    assert take(job).result == "0123456789"


@override_settings(TASKS_APP={"EXPOSE_ERRORS": True})
def test_message_of_an_error_is_shown_where_errors_are_exposed(job):
    job.fail(ValueError("no such file"))
    snapshot = take(job)
    assert (snapshot.error, snapshot.status) == (
        {"type": "ValueError", "message": "no such file"},
        "Failed: no such file",
    )


@override_settings(TASKS_APP={"EXPOSE_ERRORS": False})
def test_message_of_an_error_is_kept_back_elsewhere(job):
    job.fail(ValueError("password=secret"))
    assert "secret" not in take(job).to_json()
    assert take(job).error == {"type": "ValueError", "message": "The task failed."}


@pytest.mark.parametrize("error", [TaskCancelled(), asyncio.CancelledError()])
def test_error_that_says_cancelled_ends_the_task_as_that(job, error):
    job.fail(error)
    assert (take(job).state, take(job).error) == ("cancelled", None)


def test_last_report_is_part_of_the_last_snapshot(job):
    for number in job.track(range(10)):
        if number == 7:
            break
    job.fail(ValueError("no"))
    assert take(job).progress == 70


# --- outside a task ---


def test_every_call_works_outside_a_task():
    progress.update(current=1, total=2, status="x", unit="rows")
    progress.update()
    progress.advance()
    progress.advance(2)
    progress.advance(n=2)
    progress.meta(a=1)
    progress.stages({"a": 1})
    with progress.stage("a"):
        pass
    progress.raise_if_cancelled()
    assert progress.cancelled is False


def test_track_outside_a_task_is_the_iterable():
    assert list(progress.track([1, 2], total=2, status="x", unit="rows")) == [1, 2]


async def test_async_track_outside_a_task_is_the_iterable():
    assert [item async for item in progress.track(agenerate(2))] == [0, 1]


def test_stage_outside_a_task_lets_exceptions_through():
    with pytest.raises(ValueError, match="no"), progress.stage("a"):
        raise ValueError("no")


def test_proxy_says_where_it_stands():
    assert repr(progress) == "<progress outside a task>"
    with task_run("demo") as task:
        assert repr(progress) == f"<progress of task {task.task_id!r}>"


# --- the proxy ---


def test_proxy_stands_for_the_task_of_its_thread():
    both_run, seen = threading.Barrier(2), {}

    def work(name: str) -> None:
        with task_run(name) as task:
            both_run.wait(10)
            seen[name] = progress.task_id == task.task_id
            both_run.wait(10)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": True, "b": True}


async def test_proxy_stands_for_the_task_of_its_coroutine():
    async def work(name: str) -> bool:
        async with task_run(name) as task:
            await asyncio.sleep(0)
            return progress.task_id == task.task_id

    assert await asyncio.gather(*(work(name) for name in "abc")) == [True, True, True]
    assert progress.task_id == ""


def test_plain_thread_of_a_job_is_outside_the_task():
    seen = []
    with task_run("demo"):
        thread = threading.Thread(target=lambda: seen.append(progress.task_id))
        thread.start()
        thread.join()
    assert seen == [""]


def test_bind_returns_what_was_bound_before(job):
    assert bind(job) is None
    assert get_bound() is job
    assert bind(None) is job


# --- task_run ---


def test_block_that_ends_succeeds():
    with task_run("nightly") as task:
        task.update(current=1, total=2)
        assert get_snapshot(task.task_id).state == "running"
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.state, snapshot.progress, snapshot.task, snapshot.owner) == ("succeeded", 100, "nightly", None)


async def test_async_block_that_ends_succeeds():
    async with task_run("nightly") as task:
        progress.update(status="Going")
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.state, snapshot.status) == ("succeeded", "Going")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("no"), "failed"),
        (TaskCancelled(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(1), "failed"),
    ],
)
def test_block_that_raises_ends_so_and_lets_the_error_through(error, state):
    tasks = []

    def work() -> None:
        with task_run("nightly") as task:
            tasks.append(task)
            raise error

    with pytest.raises(type(error)) as caught:
        work()
    assert caught.value is error
    assert get_snapshot(tasks[0].task_id).state == state


async def test_async_block_that_is_cancelled_ends_as_cancelled():
    began, tasks = asyncio.Event(), []

    async def work() -> None:
        async with task_run("nightly") as task:
            tasks.append(task)
            began.set()
            await asyncio.Event().wait()

    coroutine = asyncio.create_task(work())
    await began.wait()
    coroutine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coroutine
    assert get_snapshot(tasks[0].task_id).state == "cancelled"


async def test_async_block_that_raises_fails():
    tasks = []

    async def work() -> None:
        async with task_run("nightly") as task:
            tasks.append(task)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await work()
    assert get_snapshot(tasks[0].task_id).state == "failed"


def test_inner_block_gives_the_context_back_to_the_outer():
    with task_run("outer") as outer:
        with task_run("inner") as inner:
            assert progress.task_id == inner.task_id
        assert progress.task_id == outer.task_id
    assert get_bound() is None


def test_inner_block_that_fails_gives_the_context_back():
    with task_run("outer") as outer:
        with pytest.raises(ValueError, match="no"), task_run("inner"):
            raise ValueError("no")
        assert progress.task_id == outer.task_id


def test_block_may_be_entered_again_as_another_task():
    run = task_run("nightly")
    with run as first:
        pass
    with run as second:
        pass
    assert first.task_id != second.task_id
    assert [get_snapshot(task.task_id).attempt for task in (first, second)] == [1, 1]


def test_ended_task_is_let_go():
    with task_run("nightly") as task:
        assert find_reporter(task.task_id) is task
    assert get_flusher().drain(10)
    assert find_reporter(task.task_id) is None


# --- owners ---


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        (None, None),
        (7, "7"),
        ("ada", "ada"),
        (User(pk=7), "7"),
        (SimpleNamespace(pk="ada"), "ada"),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (SimpleNamespace(pk=uuid.UUID(int=5)), str(uuid.UUID(int=5))),
    ],
)
def test_owner_is_stored_as_its_primary_key(owner, key):
    assert identify_owner(owner) == key
    with task_run("nightly", owner=owner) as task:
        pass
    assert get_snapshot(task.task_id).owner == key


@pytest.mark.parametrize("owner", [User(), AnonymousUser(), object(), [7], 1.5])
def test_owner_without_a_primary_key_is_named(owner):
    with pytest.raises(ValueError, match="owner must be") as caught:
        task_run("nightly", owner=owner)
    assert str(caught.value) == f"owner must be None, a saved user or a primary key, not {owner!r}"
