"""Rate and time left."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.snapshot.eta import Pace

amounts = st.none() | st.integers(-(10**308), 10**308) | st.floats(allow_nan=False, allow_infinity=False)


def observe(pairs):
    pace = Pace()
    for time, value in pairs:
        pace = pace.observed(value, time=time)
    return pace


@given(
    speed=st.floats(0.001, 1e6),
    intervals=st.lists(st.floats(0.01, 60), min_size=1, max_size=50).filter(lambda items: sum(items) >= 1.01),
)
def test_constant_speed_gives_that_speed(speed, intervals):
    time, pairs = 0.0, [(0.0, 0.0)]
    for interval in intervals:
        time += interval
        pairs.append((time, time * speed))
    assert observe(pairs).per_second == pytest.approx(speed, rel=1e-6)


def test_no_speed_before_a_second_was_seen():
    assert observe([(0, 0), (0.5, 5), (0.99, 10)]).per_second is None


def test_speed_is_shown_after_a_second():
    assert observe([(0, 0), (0.5, 5), (1.0, 10)]).per_second == pytest.approx(10)


def test_speed_follows_a_change():
    slow = [(second, second) for second in range(60)]
    fast = [(60 + second, 60 + second * 100) for second in range(60)]
    assert observe(slow + fast).per_second == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("value", [5, None])
def test_value_that_went_back_starts_afresh(value):
    pace = observe([(0, 0), (1, 10), (2, 20), (3, value)])
    assert (pace.per_second, pace.elapsed) == (None, 0.0)


def test_pace_of_two_values_at_the_same_time_is_no_division_by_zero():
    assert observe([(0, 0), (0, 5), (2, 10)]).per_second is not None


def test_eta_is_what_is_left_at_this_speed():
    assert observe([(0, 0), (2, 20)]).seconds_until(100) == pytest.approx(8)


def test_eta_of_what_is_done_is_0():
    assert observe([(0, 0), (2, 20)]).seconds_until(20) == 0


@pytest.mark.parametrize("pairs", [[], [(0, 5)], [(0, 0), (0.5, 50)], [(0, 5), (2, 5)]])
def test_eta_is_unknown_without_a_speed(pairs):
    assert observe(pairs).seconds_until(100) is None


@pytest.mark.parametrize(
    "values", [(0, 10**308, 10**308), (-(10**308), 10**308, 10**308), (0, 1e308, 1e308), (-1e308, 1e308, 1e308)]
)
def test_speed_beyond_all_numbers_is_unknown(values):
    pace = observe(zip((0, 0.001, 2), values, strict=True))
    assert pace.per_second is None
    assert pace.seconds_until(10**308) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), amounts), max_size=8), amounts.filter(lambda value: value is not None))
def test_speed_and_eta_are_finite_or_unknown(pairs, target):
    pace = observe(sorted(pairs, key=lambda pair: pair[0]))
    for figure in (pace.per_second, pace.seconds_until(target)):
        assert figure is None or math.isfinite(figure)
