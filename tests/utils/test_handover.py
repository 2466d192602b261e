"""Calls in another thread, for which their callers wait only so long."""

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tasks_app.utils import handover
from tasks_app.utils.handover import Handover, NotInTime
from tests.support.waiting import DEADLINE, wait_until

NAME = "a-handover"


def find_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture
def calls(monkeypatch) -> Iterator[Handover]:
    monkeypatch.setattr(handover, "IDLE_SECONDS", 0.05)
    yield Handover(2, NAME)
    wait_until(lambda: not find_threads(), "its threads have ended")


def test_call_is_made_in_another_thread(calls):
    assert calls.call(threading.current_thread, DEADLINE).name == NAME


def test_what_a_call_raises_reaches_the_caller(calls):
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 / 0, DEADLINE)


def test_caller_does_not_wait_for_a_call_that_hangs(calls):
    gate = threading.Event()
    with pytest.raises(NotInTime):
        calls.call(gate.wait, 0.01)
    gate.set()


def test_call_that_could_not_begin_in_time_is_not_made(calls):
    gate, made = threading.Event(), []
    for _ in range(2):
        with pytest.raises(NotInTime):
            calls.call(gate.wait, 0.01)
    with pytest.raises(NotInTime):
        calls.call(lambda: made.append(1), 0.01)
    gate.set()
    assert calls.call(lambda: made, DEADLINE) == []


def test_there_are_no_more_threads_than_allowed(calls):
    gate = threading.Event()
    for _ in range(4):
        with suppress(NotInTime):
            calls.call(gate.wait, 0.01)
    assert len(find_threads()) == 2
    gate.set()


def test_calls_one_after_another_share_a_thread(calls):
    assert len({calls.call(threading.get_ident, DEADLINE) for _ in range(20)}) == 1


def test_thread_that_was_idle_ends_and_another_one_begins(calls):
    calls.call(threading.get_ident, DEADLINE)
    wait_until(lambda: not find_threads(), "it has ended")
    assert calls.call(lambda: 5, DEADLINE) == 5


def test_process_that_can_start_no_thread_refuses_the_call(calls, monkeypatch):
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError):
        calls.call(threading.get_ident, 0.01)
    monkeypatch.undo()
    monkeypatch.setattr(handover, "IDLE_SECONDS", 0.05)
    assert calls.call(lambda: 5, DEADLINE) == 5
