"""Log lines that are written once in a while, however often their cause occurs."""

import threading
import time
from collections.abc import Callable, Hashable

#: Seconds in which something is said once.
INTERVAL = 60.0


class Rarely:
    """Tells of each kind of event whether it is due to be said. The kinds are few."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, *, interval: float = INTERVAL) -> None:
        self._monotonic = monotonic
        self._interval = interval
        self._lock = threading.Lock()
        self._said_at: dict[Hashable, float] = {}

    def is_due(self, kind: Hashable) -> bool:
        """Return whether it was not said in the last INTERVAL seconds; the caller then says it."""
        now = self._monotonic()
        with self._lock:
            said_at = self._said_at.get(kind)
            if said_at is not None and now - said_at <= self._interval:
                return False
            self._said_at[kind] = now
            return True
