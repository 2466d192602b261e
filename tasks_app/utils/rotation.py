"""A part of many at a time, so that each has its turn."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Rotation:
    """The place from which the next part is taken: from the last to the first, then from the last again.

    So none is left out of a line whose members move forward.
    """

    def __init__(self) -> None:
        self._end = 0

    def take(self, items: Sequence[T], count: int) -> Sequence[T]:
        """Return the `count` items before those of the last call, or fewer at the beginning."""
        end = self._end if 0 < self._end <= len(items) else len(items)
        self._end = max(end - count, 0)
        return items[self._end : end]
