"""Does the cache answer in time? Who must not wait for one that hangs learns it from others. Pure, with a clock."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds after which an answer is late, and that a job waits for one at the most.
LATE_AFTER = 0.5

#: Seconds after which one that was late counts no more; the flusher, which tries on, pauses for less.
TRUST_AFTER = 10.0


class Latency:
    """Measures calls, in any thread; one that fails in time is in time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.RLock()  # a signal handler may ask, too
        self._under_way: dict[object, float] = {}
        self._late_at: float | None = None

    def measure(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function, and take note of how long that takes."""
        call = object()
        with self._lock:
            self._under_way[call] = self._monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            self._note_end(call)

    @property
    def is_late(self) -> bool:
        """Is a call under way for too long, or was the last one?"""
        now = self._monotonic()
        with self._lock:
            was_late = self._late_at is not None and now - self._late_at < TRUST_AFTER
            return was_late or any(_is_late(began, now) for began in self._under_way.values())

    def _note_end(self, call: object) -> None:
        now = self._monotonic()
        with self._lock:
            began = self._under_way.pop(call, None)
            if began is None:
                return
            if _is_late(began, now):
                self._late_at = now
            else:  # what is still under way for long hangs alone: on a connection that is dead
                self._late_at = None
                self._under_way = {call: began for call, began in self._under_way.items() if not _is_late(began, now)}


class Timed:
    """An object whose methods are measured, each time."""

    def __init__(self, target: object, latency: Latency) -> None:
        self._target = target
        self._latency = latency

    def __getattr__(self, name: str) -> Any:
        return partial(self._latency.measure, getattr(self._target, name))


def _is_late(began: float, now: float) -> bool:
    return now - began > LATE_AFTER
