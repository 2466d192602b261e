"""Claims of attempts: of several processes that would begin or withdraw a task, one does."""

from secrets import token_hex

from ..snapshot import Snapshot
from ..store import active_time_to_live, get_store, make_begin_key

#: Seconds for which it is known that a task begins: longer than it takes to store that.
CLAIM_SECONDS = 60

#: Who withdraws a task, perhaps once more because the cache did not say that it had done so.
_WITHDRAWN = "withdrawn"


def claim_beginning(known: Snapshot, seconds: int = CLAIM_SECONDS) -> bool:
    """Claim the next attempt of a task to begin it; return False if it was begun elsewhere, or withdrawn."""
    return _claim_next(known, token_hex(8), seconds)


def claim_end(known: Snapshot) -> bool:
    """Claim the next attempt of a task that waits, to end it; return False if it has begun.

    A message may come hours later, so this holds for as long as a request to cancel does. A worker that died within
    milliseconds of beginning holds its claim for CLAIM_SECONDS.
    """
    return _claim_next(known, _WITHDRAWN, active_time_to_live(known))


def _claim_next(known: Snapshot, claimant: str, seconds: int) -> bool:
    cache, key = get_store().cache, make_begin_key(known.task_id, known.attempt + 1)
    # A client that asks again after a lost answer finds its own claim; a cache that drops writes knows of nobody.
    return cache.add(key, claimant, seconds) or cache.get(key) in (claimant, None)
