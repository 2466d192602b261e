"""What a job may tell of itself, and what becomes of it at its end."""

import asyncio
import json
import sys
import threading
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from django.test import override_settings

from tasks_app import TaskCancelled
from tasks_app.exceptions import describe
from tasks_app.reporting.draft import Draft
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.doubles import HandFlusher, make_progress, take
from tests.support.waiting import DEADLINE

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


def test_update_sets_what_is_given_and_keeps_the_rest(job):
    job.progress.update(current=1, total=4, status="Going", unit="rows")
    job.progress.update(current=2)
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status, snapshot.unit) == (2, 4, "Going", "rows")
    assert (snapshot.percent, snapshot.progress) == (50.0, 50)


def test_update_without_anything_is_no_change(job):
    before = take(job)
    job.progress.update()
    assert take(job) is before


def test_update_takes_nothing_by_position(job):
    with pytest.raises(TypeError, match="positional"):
        job.progress.update(1)


def test_status_may_be_any_object(job):
    job.progress.update(status=ValueError("as text"))
    assert take(job).status == "as text"


def test_status_that_reports_itself_does_not_stop_the_job(job):
    class Chatty:
        def __str__(self) -> str:
            job.progress.advance()
            return "chatty"

    worker = threading.Thread(target=job.progress.update, kwargs={"status": Chatty()}, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive()
    assert take(job).status == "chatty"


class WatchedDraft(Draft):
    """Calls `on_current` in the middle of an update: when `current` was set."""

    on_current: Callable[[], None] | None = None

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "current" and self.on_current is not None:
            on_current, self.on_current = self.on_current, None
            on_current()


@pytest.fixture
def draft() -> WatchedDraft:
    return WatchedDraft("t1", {}, wake=lambda: None)


def test_no_snapshot_is_taken_in_the_middle_of_an_update(draft):
    can_take = []

    def try_to_take() -> None:
        thread = threading.Thread(target=lambda: can_take.append(draft.lock.acquire(blocking=False)))
        thread.start()
        thread.join()

    draft.on_current = try_to_take
    make_progress(draft)[0].update(current=1, total=2)
    assert can_take == [False]


def test_signal_handler_that_reports_in_the_middle_of_an_update_does_not_stop_the_job(draft):
    progress, _ = make_progress(draft)
    draft.on_current = lambda: progress.update(status="Interrupted")
    worker = threading.Thread(target=progress.update, kwargs={"current": 1}, daemon=True)
    worker.start()
    worker.join(DEADLINE)
    assert not worker.is_alive()
    assert (draft.current, draft.status) == (1, "Interrupted")


def test_signal_handler_may_report_wherever_it_interrupts_a_report(job):
    """What is called for each function that a report calls stands in for the handler."""
    reported = []

    def interrupt(*event: object) -> None:
        sys.setprofile(None)
        job.progress.update(status="Interrupted")
        take(job)  # so that the next report has a flusher to wake, too
        reported.append(event)
        sys.setprofile(interrupt)

    def work() -> None:
        sys.setprofile(interrupt)
        job.progress.update(current=1)
        sys.setprofile(None)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive()
    assert len(reported) > 5
    assert (take(job).current, take(job).status) == (1, "Interrupted")


def test_signal_handler_may_report_where_it_interrupts_a_line_for_which_the_flusher_waits(job):
    job.progress.log("first")
    waiting, waits = job._job._journal._waiting, threading.Event()
    lock, flusher = waiting._lock, threading.Thread(target=take, args=(job,), daemon=True)

    class TellingLock:
        def __enter__(self) -> None:
            if threading.current_thread() is flusher:
                waits.set()
            lock.acquire()

        def __exit__(self, *error: object) -> None:
            lock.release()

    class Interrupted(deque[str]):
        def append(self, line: str) -> None:
            super().append(line)
            flusher.start()
            assert waits.wait(DEADLINE)
            job.progress.update(status="Interrupted")

    waiting._lock, waiting.lines = TellingLock(), Interrupted(waiting.lines)
    worker = threading.Thread(target=job.progress.log, args=("second",), daemon=True)
    worker.start()
    worker.join(DEADLINE)
    assert not worker.is_alive()
    flusher.join(DEADLINE)
    assert (take(job).status, job.snapshot.logged) == ("Interrupted", 2)


def test_first_update_after_a_snapshot_was_taken_wakes_the_flusher(job, flusher):
    take(job)
    flusher.is_woken = False
    job.progress.update(current=1)
    assert flusher.is_woken
    assert take(job).current == 1


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
    job.progress.update(current=value)
    current = take(job).current
    assert (current, type(current)) == (kept, type(kept))
    assert json.loads(take(job).to_json())["current"] == kept


@pytest.mark.parametrize("name", ["current", "total"])
@pytest.mark.parametrize("value", NO_NUMBERS)
def test_update_refuses_what_is_no_number_and_names_it(job, name, value):
    with pytest.raises(TypeError) as caught:
        job.progress.update(**{name: value})
    assert str(caught.value) == f"{name} must be a number, not {value!r}"


@pytest.mark.parametrize("name", ["current", "total"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_update_refuses_what_is_not_finite_and_names_it(job, name, value):
    with pytest.raises(ValueError, match="must be finite") as caught:
        job.progress.update(**{name: value})
    assert str(caught.value) == f"{name} must be finite, not {describe(value)}"


def test_update_says_how_long_a_whole_number_is_that_python_does_not_print(job):
    with pytest.raises(ValueError, match=r"^current must be finite, not an int of 16610 bits$"):
        job.progress.update(current=10**5000)


def test_update_that_is_refused_changes_nothing(job):
    job.progress.update(current=1, total=4)
    with pytest.raises(TypeError):
        job.progress.update(current=3, total="4", status="Never")
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status) == (1, 4, "Running")


def test_advance_adds_to_current(job):
    job.progress.update(total=10)
    job.progress.advance()
    job.progress.advance(2.5)
    assert take(job).current == 3.5


def test_advance_goes_on_from_what_update_set(job):
    job.progress.update(current=5)
    job.progress.advance(-2)
    assert take(job).current == 3


@pytest.mark.parametrize("value", [*NO_NUMBERS, None])
def test_advance_refuses_what_is_no_number_and_names_it(job, value):
    with pytest.raises(TypeError) as caught:
        job.progress.advance(value)
    assert str(caught.value) == f"n must be a number, not {value!r}"


@pytest.mark.parametrize("value", NOT_FINITE)
def test_advance_refuses_what_is_not_finite(job, value):
    with pytest.raises(ValueError, match="n must be finite"):
        job.progress.advance(value)


def test_advance_beyond_all_numbers_is_refused(job):
    job.progress.update(current=1e308)
    with pytest.raises(ValueError, match="current must be finite"):
        job.progress.advance(1e308)
    assert take(job).current == int(1e308)


def read_log(job):
    """Return the level and the text of each line that is to be written."""
    job.take()
    return [(line["level"], line["text"]) for page in job.pages.values() for line in json.loads(page)["lines"]]


def test_line_has_its_time_its_level_and_its_text(job, time):
    time.move(1.5)
    job.progress.log("Hello")
    job.take()
    assert json.loads(job.pages[0]) == {
        "offset": 0,
        "lines": [{"t": "2026-01-31T12:00:01.500Z", "level": "info", "text": "Hello"}],
    }


def test_text_of_a_line_may_be_any_object(job):
    job.progress.log(ValueError("as text"), "ERROR")
    assert read_log(job) == [("error", "as text")]


@pytest.mark.parametrize(("level", "error"), [(30, TypeError), ("", ValueError)])
def test_log_refuses_what_is_no_level_and_logs_nothing(job, level, error):
    with pytest.raises(error, match="level must be a text"):
        job.progress.log("x", level)
    assert read_log(job) == []


def test_log_may_be_called_while_another_thread_takes_a_snapshot(draft):
    progress, journal = make_progress(draft)
    with draft.lock:
        worker = threading.Thread(target=progress.log, args=("x",), daemon=True)
        worker.start()
        worker.join(DEADLINE)
        assert not worker.is_alive()
    assert journal.absorb() == 1


def test_log_wakes_the_flusher(job, flusher):
    take(job)
    flusher.is_woken = False
    job.progress.log("x")
    assert flusher.is_woken


def test_log_is_no_change_that_viewers_see(job):
    before = take(job)
    job.progress.log("x")
    assert take(job).to_wire() == before.to_wire()


def test_advance_from_many_threads_loses_nothing(job):
    def work() -> None:
        for _ in range(2000):
            job.progress.advance()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert take(job).current == 16_000


def test_meta_is_merged(job):
    job.progress.meta(source="a.csv", rows=1)
    job.progress.meta(rows=2, nested={"list": [1, None, "ü"]})
    assert take(job).meta == {"source": "a.csv", "rows": 2, "nested": {"list": [1, None, "ü"]}}


def test_meta_is_a_copy_of_what_was_given(job):
    rows = [1]
    job.progress.meta(rows=rows)
    rows.append(2)
    assert take(job).meta == {"rows": [1]}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_meta_refuses_what_is_not_json(job, value):
    with pytest.raises(TypeError, match="not JSON serializable"):
        job.progress.meta(value=value)
    assert take(job).meta == {}


def test_meta_refuses_nan(job):
    with pytest.raises(ValueError, match="JSON compliant"):
        job.progress.meta(value=float("nan"))


@override_settings(TASKS_APP={"RESULT_MAX_BYTES": 20})
def test_meta_over_the_limit_is_refused_with_both_sizes(job):
    job.progress.meta(a="x")
    with pytest.raises(ValueError, match=r"meta would have 26 bytes as JSON; RESULT_MAX_BYTES allows 20"):
        job.progress.meta(b="0123456789")
    assert take(job).meta == {"a": "x"}


def test_stages_fill_their_share(job):
    job.progress.stages({"Download": 1, "Parse": 3})
    with job.progress.stage("Download"):
        list(job.progress.track(range(2)))
    assert take(job).percent == 25.0
    with job.progress.stage("Parse"):
        job.progress.update(current=1, total=2)
        assert take(job).percent == 62.5
        assert [stage.to_wire() for stage in take(job).stages] == [
            {"name": "Download", "weight": 1, "progress": 100, "state": "succeeded"},
            {"name": "Parse", "weight": 3, "progress": 50, "state": "running"},
        ]


def test_stage_is_full_when_it_ends_without_a_report(job):
    job.progress.stages({"Download": 1, "Parse": 3})
    with job.progress.stage("Download"):
        pass
    assert take(job).progress == 25


def test_stage_begins_without_the_count_of_the_one_before(job):
    job.progress.stages({"Download": 1, "Parse": 1})
    with job.progress.stage("Download"):
        job.progress.update(current=5, total=10, unit="MB")
    with job.progress.stage("Parse"):
        snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.unit) == (None, None, None)


def test_progress_does_not_go_back_when_a_stage_begins(job):
    job.progress.stages({"Download": 1, "Parse": 1})
    with job.progress.stage("Download"):
        job.progress.update(current=9, total=10)
    with job.progress.stage("Parse"):
        job.progress.update(current=0, total=10)
        assert take(job).progress == 50


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("no"), "failed"), (TaskCancelled(), "cancelled"), (asyncio.CancelledError(), "cancelled")],
)
def test_stage_that_raises_says_how_it_ended(job, error, state):
    job.progress.stages({"Download": 1, "Parse": 1})

    def work() -> None:
        with job.progress.stage("Download"):
            job.progress.update(current=1, total=4)
            raise error

    with pytest.raises(type(error)):
        work()
    stage = take(job).stages[0]
    assert (stage.state, stage.percent) == (state, 25.0)


def test_unknown_stage_is_named_with_the_declared_ones(job):
    job.progress.stages({"Download": 1, "Parse": 1})
    with pytest.raises(ValueError, match="unknown") as caught, job.progress.stage("Upload"):
        pass
    assert str(caught.value) == "unknown stage 'Upload'; declared by stages(): ['Download', 'Parse']"


def test_stage_without_declared_ones_is_unknown(job):
    with pytest.raises(ValueError, match=r"unknown stage 'a'; declared by stages\(\): \[\]"), job.progress.stage("a"):
        pass


def test_stage_can_not_begin_inside_another(job):
    job.progress.stages({"a": 1, "b": 1})
    with (
        job.progress.stage("a"),
        pytest.raises(ValueError, match="stage 'b' can't begin inside stage 'a'"),
        job.progress.stage("b"),
    ):
        pass


def test_stages_needs_at_least_one(job):
    with pytest.raises(ValueError, match=r"stages\(\) needs at least one stage, not {}"):
        job.progress.stages({})


def test_more_stages_than_allowed_are_refused_with_both_numbers(job):
    with override_settings(TASKS_APP={"MAX_STAGES": 2}):
        job.progress.stages({"a": 1, "b": 1})
        with pytest.raises(ValueError, match=r"^stages\(\) was given 3 stages; MAX_STAGES allows 2$"):
            job.progress.stages({"c": 1, "d": 1, "e": 1})
    assert [stage.name for stage in take(job).stages] == ["a", "b"]


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
        job.progress.stages({"a": weight})
    assert str(caught.value) == message


def test_cancel_is_seen_by_the_job_and_its_viewers(job):
    assert (job.progress.cancelled, take(job).cancel_requested) == (False, False)
    job.request_cancel()
    assert (job.progress.cancelled, take(job).cancel_requested) == (True, True)


def test_raise_if_cancelled_raises_only_then(job):
    job.progress.raise_if_cancelled()
    job.request_cancel()
    with pytest.raises(TaskCancelled, match="task t1 was asked to stop"):
        job.progress.raise_if_cancelled()


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
    assert (job.progress.cancelled, calls) == (False, [])


def test_job_that_ignores_a_cancel_may_succeed(job):
    job.request_cancel()
    job.succeed()
    assert (take(job).state, take(job).cancel_requested) == ("succeeded", True)


@pytest.mark.parametrize("result", [None, 0, "text", [1, 2.5, None], {"a": {"b": "\u2028"}}])
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
@override_settings(TASKS_APP={"EXPOSE_ERRORS": True})
def test_result_that_is_not_json_is_omitted_with_the_reason(job, result, reason):
    job.succeed(result)
    snapshot = take(job)
    assert (snapshot.state, snapshot.result) == ("succeeded", None)
    assert snapshot.result_omitted.startswith("The result is not JSON: ")
    assert reason in snapshot.result_omitted


def test_reason_that_an_exception_gives_is_kept_back_unless_errors_are_exposed(job, caplog):
    class Telling(dict):
        def items(self):
            raise RuntimeError("password=secret")

    job.succeed(Telling(a=1))
    assert take(job).result_omitted == "The result is not JSON."
    assert "password=secret" in caplog.text  # for operators


@override_settings(TASKS_APP={"EXPOSE_ERRORS": True})
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
    assert take(job).result_omitted == "The result is not JSON."


def test_result_of_any_depth_ends_the_task_with_a_snapshot_that_can_be_read(time):
    for depth in range(100, 1500, 10):
        result: list[object] = []
        for _ in range(depth):
            result = [result]
        reporter = HandFlusher(time.clock).make_reporter(Snapshot.queued("t1", "demo", now=time.now))
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
def test_type_and_message_of_an_error_are_kept_back_elsewhere(job):
    job.fail(ValueError("password=secret"))
    assert "secret" not in take(job).to_json()
    assert take(job).error == {"type": "Exception", "message": "The task failed."}
    assert [item.error for item in job.details] == ["ValueError"]  # for staff


@pytest.mark.parametrize(
    "error",
    [
        TaskCancelled(),
        asyncio.CancelledError(),
        ExceptionGroup("of a TaskGroup", [TaskCancelled(), ExceptionGroup("in it", [TaskCancelled()])]),
    ],
)
def test_error_that_says_cancelled_ends_the_task_as_that(job, error):
    job.fail(error)
    assert (take(job).state, take(job).error) == ("cancelled", None)


def test_group_of_a_cancel_and_another_error_is_a_failure(job):
    job.fail(ExceptionGroup("of a TaskGroup", [TaskCancelled(), ValueError("no")]))
    assert take(job).state == "failed"


def test_last_report_is_part_of_the_last_snapshot(job):
    for number in job.progress.track(range(10)):
        if number == 7:
            break
    job.fail(ValueError("no"))
    assert take(job).progress == 70


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_exception_whose_message_cannot_be_read_ends_the_task_all_the_same(job):
    job.fail(Unspeakable())
    assert take(job).state == "failed"


def test_long_unit_and_message_are_cut(job):
    job.progress.update(unit="x" * 1000)
    assert take(job).unit == "x" * 100
    with override_settings(TASKS_APP={"EXPOSE_ERRORS": True}):
        job.fail(ValueError("y" * 5000))
    assert take(job).error["message"] == "y" * 2000


def test_long_name_of_a_stage_is_refused(job):
    with pytest.raises(ValueError, match="100 characters"):
        job.progress.stages({"z" * 101: 1})


def test_code_of_the_job_that_reports_while_it_is_asked_for_a_text_does_not_lock_up(job):
    class Talkative:
        def __str__(self) -> str:
            job.progress.update(current=1)
            return "rows"

    job.progress.update(unit=Talkative())
    assert (take(job).unit, take(job).current) == ("rows", 1)


def test_result_whose_own_code_fails_is_omitted_and_the_task_ends(job):
    class Shifting(dict):
        def items(self):
            raise RuntimeError("changed during iteration")

    job.succeed(Shifting(a=1))
    assert (take(job).state, take(job).result) == ("succeeded", None)
    assert take(job).result_omitted == "The result is not JSON."


def test_meta_that_is_nested_too_deep_is_refused(job):
    value: list = []
    for _ in range(150):
        value = [value]
    with pytest.raises(ValueError, match="nested too deep"):
        job.progress.meta(value=value)


#: A name in Latin-1, as a folder gives it.
LATIN_1 = "r\udce9sum\udce9.csv"


@pytest.mark.parametrize(
    "say",
    [
        lambda job: job.progress.update(status=LATIN_1),
        lambda job: job.progress.update(unit=LATIN_1),
        lambda job: job.progress.stages({LATIN_1: 1}),
        lambda job: job.progress.meta(**{LATIN_1: [LATIN_1]}),
        lambda job: job.succeed({LATIN_1: LATIN_1}),
        lambda job: job.fail_openly("OSError", LATIN_1),
    ],
    ids=["status", "unit", "stages", "meta", "result", "message"],
)
def test_file_name_that_is_no_utf_8_can_be_shown_wherever_a_job_says_it(job, say):
    say(job)
    assert "r\ufffdsum\ufffd.csv" in str(take(job)).encode().decode()


def test_stage_is_entered_by_a_name_that_is_no_text(job):
    job.progress.stages({2026: 1})
    with job.progress.stage(2026):
        (stage,) = take(job).stages
    assert (stage.name, stage.state) == ("2026", "running")


@pytest.mark.parametrize("name", [5, None, b"x"])
def test_unknown_stage_whose_name_is_no_text_is_named(job, name):
    job.progress.stages({"Download": 1})
    with pytest.raises(ValueError, match="unknown stage") as caught, job.progress.stage(name):
        pass
    assert str(name) in str(caught.value)


def test_stage_whose_name_is_no_utf_8_is_entered_by_that_name(job):
    job.progress.stages({LATIN_1: 1})
    with job.progress.stage(LATIN_1):
        (stage,) = take(job).stages
    assert stage.state == "running"
