"""The measurements of a hub, told to the meter of its process."""

import time
from collections.abc import Set

from ..metering import get_meter


class Round:
    """One read of watched tasks.

    Args:
        told: ids of the tasks that are read since something told of a change.
    """

    def __init__(self, told: Set[str]) -> None:
        self._told = told
        self._began = time.perf_counter()
        self._found = 0

    def note_news(self, task_id: str) -> None:
        """Count a task that has changed, if nothing told so."""
        self._found += task_id not in self._told

    def tell_sweep(self, streams: int) -> None:
        """Tell of a sweep that has ended, while so many streams are open."""
        get_meter().note_sweep(time.perf_counter() - self._began, self._found)
        get_meter().note_streams(streams)
