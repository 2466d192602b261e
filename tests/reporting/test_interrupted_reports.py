"""Counts and values that a signal handler changes while its thread does."""

import itertools
import signal

import pytest

from tasks_app.reporting.counts import Count, Sum
from tests.support.doubles import take

#: The signals that interrupt a thread at random: of so many, some come in the midst of a change.
SIGNALS = 200


@pytest.fixture
def interrupt():
    """Call a function again and again, while a signal handler calls another; return how often each was called."""

    def alternate(function, handler):
        calls = {function: 0, handler: 0}

        def handle(*arguments):
            handler()
            calls[handler] += 1

        signal.signal(signal.SIGALRM, handle)
        while calls[handler] < SIGNALS:
            before = calls[handler]
            signal.setitimer(signal.ITIMER_REAL, 0.0001)  # one at a time, also on a slow machine
            while calls[handler] == before:
                function()
                calls[function] += 1
        return calls[function], calls[handler]

    handler_before = signal.getsignal(signal.SIGALRM)
    yield alternate
    signal.signal(signal.SIGALRM, handler_before)


def test_job_and_its_signal_handler_advance_together(job, interrupt):
    ones, tens = interrupt(lambda: job.progress.advance(1), lambda: job.progress.advance(10))
    assert take(job).current == ones + 10 * tens


def test_part_and_its_signal_handler_advance_together(job, interrupt):
    with job.progress.handle() as part:
        twos, tens = interrupt(lambda: part.advance(2), lambda: part.advance(10))
    assert take(job).current == 2 * twos + 10 * tens


def test_values_that_a_job_and_its_signal_handler_merge_are_all_there(job, interrupt):
    numbers = itertools.count()
    interrupt(lambda: job.progress.meta(job=True), lambda: job.progress.meta(**{str(next(numbers)): True}))
    assert take(job).meta.keys() == {"job", *map(str, range(SIGNALS))}


class EndedCount(Count):
    """A count that is over, and a signal handler that comes as soon as somebody looks whether it is."""

    def __init__(self, handle):
        self._handlers = [handle]
        super().__init__()

    @property
    def is_over(self):
        if self._handlers:
            self._handlers.pop()()
        return True

    @is_over.setter
    def is_over(self, value):
        pass


def make_count(current):
    count = Count()
    count.current = current
    return count


def test_sum_to_which_a_signal_handler_adds_in_the_midst_of_an_addition_has_each_once():
    added = Sum()
    ended = EndedCount(lambda: added.add(make_count(100)))
    ended.current = 10
    added.add(ended)
    added.add(make_count(1))
    assert added.current == 111
