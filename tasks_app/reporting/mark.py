"""The mark by which a process learns that the cache was emptied, as by a restart: the recent list is gone then."""

import math
import secrets

from ..conf import get_settings
from ..store import get_store, make_mark_key


class Mark:
    """A value in the cache that stays as it is until the cache is emptied; all processes share it."""

    def __init__(self) -> None:
        self._known: str | None = None
        self._next_look = -math.inf

    def was_lost(self, *, monotonic: float) -> bool:
        """Look at the value every HEARTBEAT, and return whether the cache was emptied since the last look.

        Raises:
            Exception: any error of the cache.
        """
        if monotonic < self._next_look:
            return False
        cache, key, known = get_store().cache, make_mark_key(), self._known
        if (found := cache.get(key)) is None:
            cache.add(key, secrets.token_hex(8), None)
            found = cache.get(key)  # another process may have been faster
        self._known = found or known
        self._next_look = monotonic + get_settings().HEARTBEAT
        return known is not None and known != self._known
