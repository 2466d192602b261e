"""The budget for what waits in this process for readers that are behind: over it, the slowest are cut first."""

import logging
import time
from typing import Protocol

from ..conf import get_settings
from ..utils.per_loop import PerLoop

logger = logging.getLogger("tasks_app")

#: The share of the budget that is left after a cut, and by which it may be exceeded between two counts.
LEFT, SLACK = 3 / 4, 1 / 16


class Behind(Protocol):
    """A stream whose reader is behind."""

    def count_unsent(self) -> int:
        """Return how many bytes wait for its reader."""

    def drop(self) -> None:
        """Drop its connection, with what waits."""


class Buffers:
    """The streams of one event loop whose readers are behind. Those of others cost nothing here."""

    def __init__(self) -> None:
        self._behind: dict[Behind, float] = {}
        self._at_most = 0
        self._count_at = 0.0

    def add(self, behind: Behind, size: int) -> None:
        """Note that a reader is behind, with so many bytes at most, unless that is known."""
        if behind not in self._behind:
            self._behind[behind] = time.monotonic()
            self.grow(size)

    def discard(self, behind: Behind) -> None:
        """Note that a reader has all bytes, or is gone."""
        self._behind.pop(behind, None)

    def grow(self, size: int) -> None:
        """Note that so many bytes more wait; if they are too many, cut the slowest readers."""
        self._at_most += size
        if self._at_most > self._count_at:
            self.count()

    def count(self) -> None:
        """Count what waits; if it is more than MAX_BUFFERED_BYTES, cut the slowest readers."""
        limit = get_settings().MAX_BUFFERED_BYTES
        sizes = {behind: behind.count_unsent() for behind in self._behind}
        if sum(sizes.values()) > limit:
            self._cut(sizes, limit)
        self._behind = {behind: since for behind, since in self._behind.items() if sizes.get(behind)}
        self._at_most = sum(map(sizes.__getitem__, self._behind))
        self._count_at = max(limit, self._at_most + limit * SLACK)

    def _cut(self, sizes: dict[Behind, int], limit: int) -> None:
        """Cut those for whom the most has waited for the longest, until a part of the budget is free."""
        monotonic, total, cut = time.monotonic(), sum(sizes.values()), 0
        for behind in sorted(sizes, key=lambda item: sizes[item] * (monotonic - self._behind[item]), reverse=True):
            if total <= limit * LEFT:
                break
            total -= sizes.pop(behind)
            cut += 1
            behind.drop()
        logger.warning("%d streams were cut: the slowest, since more than %d bytes waited for readers", cut, limit)


#: Returns the buffers of the running event loop, of which a server has one.
get_buffers = PerLoop(Buffers)
