"""The pauses of a flusher between its writes, in which changes gather."""

import time
from collections.abc import Callable

from ..conf import get_settings
from ..utils.backoff import Failures
from ..utils.clock import Clock
from ..utils.threads import ReentrantEvent

#: Seconds between two writes that nothing shortens, so that tasks which end close together share one.
SHORTEST_PAUSE = 0.05

#: Seconds for which a beginning waits for more: a short task then is written once, with its end.
BEGIN_PAUSE = 0.003

#: The shortest and the longest pause after a failure, in seconds.
MIN_BACKOFF, MAX_BACKOFF = 0.1, 5.0


class Pauses:
    """The time of the next write; only the flusher's thread waits for it."""

    def __init__(self, clock: Clock, failures: Failures) -> None:
        self._clock = clock
        self._failures = failures
        self._urgent = ReentrantEvent()
        self._next_flush = self._rest_until = 0.0

    def shorten(self) -> None:
        """Have the next write be due now, but for a short rest; any thread may call this."""
        self._urgent.set()

    def wait(self, *, is_patient: Callable[[], bool]) -> None:
        """Wait until a write is due.

        Args:
            is_patient: tells whether all that there is to write may wait for more.
        """
        if (rest := self._rest_until - self._clock.monotonic()) > 0:
            time.sleep(rest)
        if (pause := self._next_flush - self._clock.monotonic()) > 0:
            self._urgent.wait(pause)
        elif is_patient():
            self._urgent.wait(BEGIN_PAUSE)

    def wait_after_error(self) -> None:
        """Wait after an error that is not one of the cache."""
        self._urgent.wait(get_pause(self._failures, MIN_BACKOFF))

    def begin(self) -> None:
        """Note that a write begins; what is urgent from now on is for the next one."""
        self._urgent.clear()

    def end(self) -> None:
        """Note that a write has ended, from which the pause counts."""
        monotonic = self._clock.monotonic()
        self._next_flush = monotonic + get_pause(self._failures, get_settings().FLUSH_INTERVAL)
        self._rest_until = min(monotonic + SHORTEST_PAUSE, self._next_flush)


def get_pause(failures: Failures, interval: float) -> float:
    """Return the seconds until the next write after so many failures: `interval` after none, and never less."""
    # Viewers take a task that is silent for much longer than HEARTBEAT for dead.
    return failures.get_pause(interval, max(interval, min(MAX_BACKOFF, get_settings().HEARTBEAT)))
