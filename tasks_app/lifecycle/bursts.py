"""Bursts of new tasks, whose first snapshots are not written one by one."""

from collections.abc import Callable

from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import get_store

#: Seconds after a task within which the next one belongs to a burst.
BURST_SECONDS = 0.01


class Bursts:
    """Tells tasks that come in a burst from single ones.

    Args:
        monotonic: the clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends_at = 0.0

    def note(self) -> bool:
        """Note a new task, and return whether it follows others closely."""
        now = self._monotonic()
        is_in_burst = now < self._ends_at
        self._ends_at = now + BURST_SECONDS
        return is_in_burst


def hold(snapshot: Snapshot) -> bool:
    """Store and list the first snapshot of a task of this process if that costs next to nothing; return whether.

    A local cache only makes a text of it once somebody reads it. To any other, the flusher writes those of many tasks
    together.
    """
    if is_local := get_store().is_local:
        get_store().hold(snapshot)
        get_flusher().enlist(snapshot)
    return is_local
