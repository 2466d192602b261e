"""How long a task takes, by its speed and by earlier runs."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.snapshot.follower import as_sent, make_follower
from tasks_app.snapshot.forecast import Forecast, blend, expecting, foresee
from tasks_app.snapshot.history import History, Run, Usual
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report
from tasks_app.snapshot.succession import rebase

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MINUTES = History(tuple(Run(60.0) for _ in range(3)))
USUAL = Usual(100.0, 0.2)
NOTHING = Report()


def begin(**values):
    return Snapshot.queued("t", "job", now=NOW, **values).begun(now=NOW)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def look(report=NOTHING, *, at=20.0, by_speed=None, history=MINUTES, snapshot=None):
    return foresee(snapshot or begin(), report, history, by_speed=by_speed, now=after(at))


# --- the time left ---


def test_history_counts_while_the_speed_says_nothing():
    assert look() == Forecast(60.0, 40.0)


def test_task_that_takes_longer_than_usual_has_no_time_left_to_tell():
    assert look(at=61) == Forecast(60.0, None)


def test_speed_counts_alone_in_a_task_that_takes_longer_than_usual():
    assert look(Report(current=1, total=2), at=61, by_speed=61.0) == Forecast(60.0, 61.0)


def test_speed_counts_alone_without_enough_runs():
    assert look(Report(current=1, total=2), by_speed=20.0, history=History()) == Forecast(None, 20.0)


def test_what_the_starter_knew_counts_until_earlier_runs_are_read():
    snapshot = begin(expected=50.0)
    assert look(snapshot=snapshot, history=None) == Forecast(50.0, 30.0)
    assert look(snapshot=snapshot, history=None, by_speed=7.0) == Forecast(50.0, 7.0)


def test_time_left_lies_between_what_speed_and_history_say():
    assert 20 < look(Report(current=1, total=2), by_speed=20.0).eta < 40


def test_task_of_another_size_is_not_compared():
    sized = History(tuple(Run(60.0, 10) for _ in range(3)))
    assert look(Report(current=1, total=1000), by_speed=7.0, history=sized) == Forecast(None, 7.0)


def test_clock_that_was_set_back_gives_no_more_than_the_usual_time():
    assert look(at=-500) == Forecast(60.0, 60.0)


# --- the blend ---


def test_speed_counts_the_more_the_more_is_done():
    shares = [0.1, 0.3, 0.5, 0.7, 0.9]
    left = [blend(10.0, 50.0, USUAL, share=share) for share in shares]
    assert left == sorted(left, reverse=True)


def test_history_counts_the_more_the_more_alike_runs_were():
    alike, unlike = (blend(10.0, 50.0, Usual(100.0, spread), share=0.3) for spread in (0.1, 1.0))
    assert alike > unlike


def test_history_counts_alone_before_anything_is_done():
    assert blend(10.0, 50.0, USUAL, share=0.0) == 50.0


def test_speed_counts_alone_at_the_end():
    assert blend(0.5, 50.0, USUAL, share=1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("by_speed", "by_history", "left"), [(None, None, None), (None, 5.0, 5.0), (5.0, None, 5.0), (0.0, 5.0, 0.0)]
)
def test_one_counts_where_the_other_says_nothing(by_speed, by_history, left):
    assert blend(by_speed, by_history, USUAL, share=0.5) == left


@given(
    st.none() | st.floats(0, 1e300),
    st.none() | st.floats(1e-6, 1e9),
    st.floats(0.1, 20),
    st.floats(0, 1e9),
    st.floats(0, 1),
)
def test_time_left_is_never_negative_nor_beyond_numbers(by_speed, by_history, spread, seconds, share):
    left = blend(by_speed, by_history, Usual(seconds, spread), share=share)
    assert left is None or (left >= 0 and math.isfinite(left))


# --- a task that has not ended, once its earlier runs are known ---


def test_queued_task_is_told_how_long_it_takes_but_not_when_it_ends():
    told = expecting(Snapshot.queued("t", "job", now=NOW), MINUTES, now=after(1))
    assert (told.expected, told.eta, told.seq) == (60.0, None, 2)


def test_running_task_is_told_what_is_left():
    told = expecting(begin(), MINUTES, now=after(5))
    assert (told.expected, told.eta) == (60.0, 55.0)


def test_time_left_by_the_speed_stays():
    snapshot = begin().reported(Report(current=1, total=2), now=NOW, rate=1.0, eta=3.0)
    assert expecting(snapshot, MINUTES, now=after(5)).eta == 3.0


def test_nothing_new_is_no_new_version():
    told = expecting(begin(), MINUTES, now=after(5))
    assert expecting(told, MINUTES, now=after(9)) is told


def test_ended_task_stays_as_it_is():
    ended = begin().succeeded(now=after(5))
    assert expecting(ended, MINUTES, now=after(9)) is ended


def test_next_attempt_begins_with_the_usual_time_left():
    assert begin(expected=60.0).eta == 60.0


def test_what_is_expected_stays_at_the_end_and_the_time_left_does_not():
    ended = expecting(begin(), MINUTES, now=after(5)).succeeded(now=after(9))
    assert (ended.expected, ended.eta) == (60.0, None)


def test_attempt_that_begins_before_the_store_is_read_takes_over_what_the_starter_knew():
    known = Snapshot.queued("t", "job", now=NOW)
    stored = Snapshot.queued("t", "job", now=NOW, expected=60.0)
    begun = rebase(known.begun(now=NOW), stored, since=known, now=NOW)
    assert (begun.expected, begun.eta) == (60.0, 60.0)


def test_what_this_process_has_read_counts_more_than_what_the_starter_knew():
    known = Snapshot.queued("t", "job", now=NOW)
    stored = Snapshot.queued("t", "job", now=NOW, expected=7.0)
    begun = rebase(expecting(known.begun(now=NOW), MINUTES, now=NOW), stored, since=known, now=NOW)
    assert (begun.expected, begun.eta) == (60.0, 60.0)


def test_follower_that_is_sent_waits_with_what_its_sender_knew():
    first = Snapshot.queued("f", "job", now=NOW)
    follower = make_follower("t", "job", after=first, now=NOW)
    assert as_sent(follower, Snapshot.queued("t", "job", now=NOW, expected=60.0)).expected == 60.0
