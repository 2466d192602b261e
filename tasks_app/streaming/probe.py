"""The proof that the cache takes what is written and shows it; without it, the silence of a task means nothing.

A cache can be half alive: it refuses or silently drops writes while it answers reads (memory or disk is full, a save
failed, a failover left a read-only replica), it is slow one way, or its reads come from a replica that has stopped.
The jobs then live, and their reports reach nobody. So from when a task stalls on, an observer writes a value of its
own and reads it back, and counts silence only while that works. Jobs thus have LOST_AFTER once it works again.
"""

import logging
import math
import threading
from concurrent.futures import Future

from django.utils.crypto import get_random_string

from ..exceptions import StoreUnavailable
from ..store import get_store, make_probe_key
from ..utils.backoff import Failures

logger = logging.getLogger("tasks_app")

#: Seconds for which the cache keeps the value of an observer.
TIME_TO_LIVE = 3600


class Probe:
    """The exchanges of one observer with the cache, one at a time, in another thread if the cache is not local."""

    def __init__(self) -> None:
        self._key = make_probe_key(get_random_string(16))
        self._lock = threading.Lock()
        self._failures = Failures()
        self._pending: Future[None] | None = None
        self._first_at = self._called_at = self._asked_at = self._proven_at = -math.inf

    def is_sound(self, *, monotonic: float, interval: float, max_age: float) -> bool:
        """Return whether the cache is known to work, and ask again for the next call, without waiting for the answer.

        After a pause in the calls there is no answer yet: the cache is taken to work unless it fails at once.

        Args:
            monotonic: the time, in seconds.
            interval: the least number of seconds between two exchanges.
            max_age: the seconds after which a value that came back proves nothing more.
        """
        with self._lock:
            if monotonic - self._called_at > max_age:
                self._first_at = monotonic
            self._called_at = monotonic
            if (self._pending is None or self._pending.done()) and monotonic - self._asked_at >= interval:
                self._asked_at = monotonic
                self._ask(monotonic)
        return not self._failures and monotonic - max(self._proven_at, self._first_at) <= max_age

    def prove(self, *, monotonic: float, max_age: float) -> bool:
        """Return whether the cache works now; call this before it is changed because of what it shows.

        Raises:
            Exception: raised by the cache, or StoreUnavailable if it refused the value.
        """
        found = self._exchange(monotonic)
        return found is not None and monotonic - found <= max_age  # a replica that lags answers an earlier value

    def _ask(self, monotonic: float) -> None:
        if get_store().is_local:
            self._note(monotonic)
        else:
            self._pending = get_store().submit(self._note, monotonic)

    def _note(self, monotonic: float) -> None:
        try:
            found = self._exchange(monotonic)
        except Exception as error:  # whatever a cache backend raises
            if self._failures.note():
                logger.error("the cache takes no writes, so no task is declared lost", exc_info=error)
        else:
            self._failures.clear()
            self._proven_at = max(self._proven_at, -math.inf if found is None else found)

    def _exchange(self, monotonic: float) -> float | None:
        cache = get_store().cache
        if cache.set_many({self._key: monotonic}, TIME_TO_LIVE):
            raise StoreUnavailable(f"the cache did not store {self._key!r}")
        found: float | None = cache.get_many([self._key]).get(self._key)
        return found
