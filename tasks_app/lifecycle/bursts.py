"""Bursts of new tasks, whose first snapshots are written together."""

from collections.abc import Callable

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
