"""Whether answers are late, by a clock that stands still."""

import pytest

from tasks_app.store.latency import LATE_AFTER, TRUST_AFTER, Latency
from tests.support.doubles import FakeTime


@pytest.fixture
def latency(time: FakeTime) -> Latency:
    return Latency(time.clock.monotonic)


def test_nothing_is_late_before_anything_was_asked(latency):
    assert not latency.is_late


def test_call_returns_what_the_function_does(latency):
    assert latency.measure(sorted, [2, 1], reverse=True) == [2, 1]


def test_call_is_late_while_it_is_under_way_for_too_long(latency, time):
    def look() -> list[bool]:
        time.move(LATE_AFTER)
        is_late = latency.is_late
        time.move(0.1)
        return [is_late, latency.is_late]

    assert latency.measure(look) == [False, True]


def test_answer_that_came_late_counts_for_some_time(latency, time):
    latency.measure(time.move, LATE_AFTER + 0.1)
    time.move(TRUST_AFTER - 0.1)
    assert latency.is_late
    time.move(0.2)
    assert not latency.is_late


def test_answer_in_time_puts_an_end_to_it(latency, time):
    latency.measure(time.move, LATE_AFTER + 0.1)
    latency.measure(time.move, LATE_AFTER)
    assert not latency.is_late


def test_failure_in_time_is_an_answer_too(latency, time):
    latency.measure(time.move, LATE_AFTER + 0.1)
    with pytest.raises(ZeroDivisionError):
        latency.measure(lambda: 1 / 0)
    assert not latency.is_late


def test_failure_that_came_late_counts(latency, time):
    with pytest.raises(TypeError):
        latency.measure(lambda: time.move(LATE_AFTER + 0.1) + 1)
    assert latency.is_late


def test_call_that_hangs_while_others_are_answered_hangs_alone(latency, time):
    def look() -> bool:
        time.move(LATE_AFTER + 0.1)
        latency.measure(time.move, 0)
        return latency.is_late

    assert not latency.measure(look)
    assert not latency.is_late  # its own end says nothing either


def test_caller_that_has_waited_long_enough_is_believed_until_an_answer_comes_in_time(latency, time):
    latency.note_late()
    assert latency.is_late
    latency.measure(time.move, 0.1)
    assert not latency.is_late
