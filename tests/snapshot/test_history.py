"""The durations of earlier runs, and what they say of the next one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.snapshot.family import BATCH, compose, expect_children
from tasks_app.snapshot.history import MAX_RUNS, MIN_SPREAD, History, Run, name_runs
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report, Stage

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NOTHING = Report()


def run(seconds=60.0, report=NOTHING):
    begun = Snapshot.queued("t", "job", now=NOW).begun(now=NOW)
    return begun.reported(report, now=NOW).succeeded(now=NOW + timedelta(seconds=seconds))


def remember(*durations, total=None):
    return History(tuple(Run(seconds, total) for seconds in durations))


def test_success_is_a_run_with_the_time_of_its_attempt_and_its_total():
    assert Run.of(run(90, Report(current=1, total=7))) == Run(90.0, 7)


def test_total_of_the_last_stage_is_not_that_of_the_run():
    assert Run.of(run(90, Report(current=1, total=7, stages=(Stage(name="A"),)))) == Run(90.0, None)


@pytest.mark.parametrize("end", ["failed", "cancelled", "lost"])
def test_other_ends_are_no_runs(end):
    begun = Snapshot.queued("t", "job", now=NOW).begun(now=NOW)
    ends = {"failed": lambda: begun.failed("E", now=NOW)}
    assert Run.of(ends.get(end, lambda: getattr(begun, end)(now=NOW))()) is None


def test_task_that_runs_is_no_run():
    assert Run.of(Snapshot.queued("t", "job", now=NOW).begun(now=NOW)) is None


def test_parent_whose_children_have_not_ended_is_no_run():
    assert Run.of(expect_children(run(), 2, now=NOW)) is None


def test_total_of_a_batch_is_the_number_of_its_children():
    own = expect_children(Snapshot.queued("p", "job", now=NOW, runner=BATCH), 1, now=NOW)
    (run_of_child,) = [compose(own, [(1.0, None)])]
    ended = replace(run_of_child, state=run().state, started_at=NOW, finished_at=NOW + timedelta(seconds=5))
    assert Run.of(ended) == Run(5.0, 1)


def test_runs_of_a_batch_are_not_those_of_the_task_that_it_starts():
    own, single = (Snapshot.queued("p", "job", now=NOW, runner=runner) for runner in (BATCH, None))
    assert name_runs(own) != name_runs(single)


def test_run_of_a_clock_that_was_set_back_is_left_out():
    assert Run.of(run(-1)) is None


def test_two_runs_say_nothing():
    assert remember(1, 2).find_usual() is None


def test_usual_time_is_the_median_from_the_third_run_on():
    assert remember(10, 500, 20).find_usual().seconds == 20


def test_only_runs_of_similar_totals_count_where_totals_are_known():
    history = History((*remember(1, 1, 1, total=10).runs, *remember(60, 70, 80, total=1000).runs))
    assert history.find_usual(1200).seconds == 70


def test_nothing_is_usual_for_a_total_that_no_run_had():
    assert remember(1, 1, 1, total=10).find_usual(1000) is None


def test_all_runs_count_while_the_total_is_unknown():
    assert remember(1, 2, 3, total=10).find_usual().seconds == 2


def test_all_runs_count_if_none_had_a_total():
    assert remember(1, 2, 3).find_usual(1000).seconds == 2


def test_total_of_nothing_is_like_itself_alone():
    history = History((*remember(1, 2, 3, total=0).runs, *remember(60, 70, 80, total=5).runs))
    assert history.find_usual(0).seconds == 2


def test_few_runs_that_took_the_same_time_are_not_certain():
    assert remember(10, 10, 10).find_usual().spread == MIN_SPREAD


def test_spread_is_the_greater_the_more_durations_differ():
    assert remember(10, 20, 40, 80, 160).find_usual().spread > remember(38, 39, 40, 41, 42).find_usual().spread


def test_strays_do_not_change_the_spread():
    assert remember(9, 10, 10, 11, 9000).find_usual().spread < 0.2


def test_runs_of_no_time_have_a_usual_time():
    assert remember(0, 0, 0).find_usual().seconds == 0


def test_only_the_latest_runs_are_kept():
    history = History().having(Run(number) for number in range(MAX_RUNS + 5))
    assert (len(history.runs), history.runs[0]) == (MAX_RUNS, Run(5))


@given(st.lists(st.tuples(st.floats(0, 1e9), st.none() | st.integers(0, 10**9) | st.floats(0, 1e9)), max_size=60))
def test_note_has_the_same_history(pairs):
    history = History().having(Run(*pair) for pair in pairs)
    assert History.from_note(history.to_note()) == history


@pytest.mark.parametrize(
    "note",
    [
        None,
        7,
        "x",
        {},
        [None],
        [[]],
        [["x", 1]],
        [[-1.0, None]],
        [[float("nan"), 1]],
        [[1, 2, 3]],
        [[1, "x"]],
        [[10**400, None]],
        [[1, 10**400]],
    ],
)
def test_what_is_no_note_is_no_history(note):
    assert History.from_note(note) == History()


def test_runs_beside_garbage_are_kept():
    assert History.from_note([[5.0, None], "x"]) == History((Run(5.0),))
