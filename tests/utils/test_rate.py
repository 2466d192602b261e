"""Rates: when the next one of something is due."""

import pytest

from tasks_app.utils.rate import Rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [("600/m", Rate(600, 60)), ("5/10s", Rate(5, 10)), ("1/h", Rate(1, 3600)), ("100/d", Rate(100, 86400))],
)
def test_rate_is_parsed(text, expected):
    assert Rate.parse(text) == expected


def test_as_many_may_happen_at_once_as_the_rate_has():
    rate, used = Rate(3, 60), 0.0
    for _ in range(3):
        assert rate.find_wait(used, 1000.0) == 0
        used = rate.use(used, 1000.0)
    assert rate.find_wait(used, 1000.0) == pytest.approx(20)


def test_then_they_are_evenly_apart():
    rate, used, at = Rate(3, 60), 0.0, []
    for now in range(1000, 1200):
        if not rate.find_wait(used, now):
            used = rate.use(used, now)
            at.append(now)
    assert at == [1000, 1001, 1002, *range(1020, 1200, 20)]


def test_clock_that_was_set_back_shuts_nobody_out():
    rate = Rate(2, 60)
    used = rate.use(rate.use(0.0, 10_000.0), 10_000.0)
    assert rate.find_wait(used, 5000.0) == 0
    assert rate.use(used, 5000.0) == 5030.0
