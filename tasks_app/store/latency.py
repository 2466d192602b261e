"""The latency of the cache, tracked so that callers can skip a cache known to hang. Pure, except for the clock."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds after which an answer is late; also the longest that a job waits for one.
LATE_AFTER = 0.5

#: Seconds for which a late answer counts: more than the flusher's longest pause (5 s), so that its tries renew it.
TRUST_AFTER = 10.0


class Latency:
    """A record of how long calls to the cache take, in any thread; a call that fails in time is in time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.RLock()  # reentrant: a signal handler may interrupt a thread that holds it
        self._under_way: dict[object, float] = {}
        self._late_at: float | None = None

    def measure(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function and record how long it takes."""
        call = object()
        with self._lock:
            self._under_way[call] = self._monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            self._note_end(call)

    @property
    def is_late(self) -> bool:
        """Whether a running call is late, or the last finished one was, less than TRUST_AFTER seconds ago."""
        now = self._monotonic()
        with self._lock:
            was_late = self._late_at is not None and now - self._late_at < TRUST_AFTER
            return was_late or any(_is_late(began, now) for began in self._under_way.values())

    def note_late(self) -> None:
        """Record that an answer is late for the caller, who may have begun to wait before the call was under way."""
        with self._lock:
            self._late_at = self._monotonic()

    def _note_end(self, call: object) -> None:
        now = self._monotonic()
        with self._lock:
            began = self._under_way.pop(call, None)
            if began is None:
                return
            if _is_late(began, now):
                self._late_at = now
            else:  # the cache answers, so late calls that still run hang on dead connections of their own
                self._late_at = None
                self._under_way = {call: began for call, began in self._under_way.items() if not _is_late(began, now)}


def _is_late(began: float, now: float) -> bool:
    return now - began > LATE_AFTER
