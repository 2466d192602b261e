"""The event that may be set wherever code can be interrupted."""

import threading

import pytest

from tasks_app.utils.threads import ReentrantEvent


@pytest.fixture
def event() -> ReentrantEvent:
    return ReentrantEvent()


def test_event_is_not_set_at_first(event):
    assert not event.is_set()
    assert not event.wait(0)


def test_event_stays_set_until_it_is_cleared(event):
    event.set()
    assert event.is_set()
    assert [event.wait(0), event.wait(0)] == [True, True]
    event.clear()
    assert not event.is_set()
    assert not event.wait(0)


def test_event_that_was_set_often_is_cleared_at_once(event):
    for _ in range(3):
        event.set()
        event.wait(0)
    event.clear()
    assert not event.is_set()


def test_who_waits_goes_on_when_it_is_set(event):
    found = []
    waiter = threading.Thread(target=lambda: found.append(event.wait(10)))
    waiter.start()
    event.set()
    waiter.join(10)
    assert found == [True]
