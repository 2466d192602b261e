"""Failures in a row are counted, logged ever more rarely, and tried again ever more slowly."""

import pytest

from tasks_app.utils.backoff import Failures


def test_first_second_fourth_and_eighth_are_logged():
    failures = Failures()
    assert [number for number in range(1, 20) if failures.note()] == [1, 2, 4, 8, 16]


def test_success_begins_a_new_count():
    failures = Failures()
    failures.note()
    failures.clear()
    assert (bool(failures), failures.note(), failures.count) == (False, True, 1)


@pytest.mark.parametrize(("count", "pause"), [(0, 0.1), (1, 0.2), (3, 0.8), (10, 5), (10_000, 5)])
def test_pause_doubles_and_has_a_limit(count, pause):
    failures = Failures()
    failures.count = count
    assert failures.get_pause(0.1, 5) == pause
