"""How many children a task has, as one number, so that processes may count at the same time. Pure."""

from typing import NamedTuple

#: The counter of a family is the number of children, times this, plus the number of segments: both change together.
_UNIT = 1_000_000


class Brood(NamedTuple):
    """The number of a task's children, and in how many segments they stand.

    Attributes:
        is_cancelled: whether the cancel of the task was requested.
    """

    total: int
    segments: int
    is_cancelled: bool = False


def count_brood(total: int, segments: int) -> int:
    """Return what so many children, in so many segments, add to the counter."""
    return total * _UNIT + segments


def read_brood(value: object) -> Brood:
    """Return what a counter says; whatever is none says that there is no child."""
    total, segments = divmod(value, _UNIT) if isinstance(value, int) and value > 0 else (0, 0)
    return Brood(total, segments)
