"""Counts of what runs beside or inside a job's own: loops in loops, coroutines, and parts in other threads. Pure."""

import math
import sys
from collections.abc import Sequence
from statistics import fmean

#: The largest amount that is counted.
LARGEST = int(sys.float_info.max)


class Count:
    """The steps that a loop or a part has done of its total, with those of the loops inside its current step.

    Its steps are counted without a lock, by one thread.

    Args:
        total: the number of steps; None if unknown.
        step: the number of steps of the count around this one at its beginning; it lies in the step after these.
        weight: how many steps of the count around this one it fills; None: its share of one, with others beside it.
    """

    __slots__ = ("base", "current", "extra", "inners", "is_over", "step", "total", "weight")

    def __init__(self, total: float | None = None, *, step: float | None = None, weight: float | None = None) -> None:
        self.current: float = 0
        #: What it had done before the count began to which it adds up.
        self.base: float = 0
        self.total = total
        self.step = step
        self.weight = weight
        #: The part of the current step that is done, as told by another thread or process.
        self.extra = 0.0
        self.inners: Sequence[Count] = ()
        self.is_over = False

    def set_loop(self, current: float, total: float | None) -> None:
        """Set what is done, and the total, of a loop that does not count here by itself."""
        self.current, self.total = current, total

    @property
    def fraction(self) -> float:
        """The share that is done, from 0 to 1; 0 without a total."""
        if not self.total or self.total < 0:
            return 0.0
        done = self.current + self.extra + find_share(self.inners, self.current)
        return min(max(done / self.total, 0.0), 1.0)


def find_share(inners: Sequence[Count], step: float | None) -> float:
    """Return how much of the steps after `step` the counts inside them have done, in steps."""
    weighted = [inner.fraction * inner.weight for inner in inners if inner.weight is not None and not inner.is_over]
    plain = [inner.fraction for inner in inners if inner.weight is None and inner.step == step]
    return sum(weighted) + (fmean(plain) if plain else 0.0)


def add_inner(inners: Sequence[Count], inner: Count) -> Sequence[Count]:
    """Return the counts inside a step with one more, without those that say nothing any longer."""
    if inner.weight is None:
        return [*(other for other in inners if other.weight is not None or other.step == inner.step), inner]
    return [*(other for other in inners if not other.is_over), inner]


def add(one: float, other: float) -> float:
    """Return a sum as JSON can carry it: a whole number if it is one, and none above what a float holds."""
    try:
        both = one + other
    except OverflowError:  # a whole number has no limit, but can't be added to a float then
        both = math.inf
    if abs(both) > LARGEST:
        return LARGEST if both > 0 and other >= 0 else -LARGEST
    return int(both) if both == int(both) else both


class Sum:
    """The counts that add up to that of a task: of coroutines, threads and processes that work in parallel."""

    def __init__(self) -> None:
        self._counts: Sequence[Count] = ()
        self._ended, self._ended_total = 0.0, 0.0
        self._has_total = False

    def __bool__(self) -> bool:
        return bool(self._counts or self._ended or self._has_total)

    @property
    def is_running(self) -> bool:
        """Whether a count may change."""
        return any(not count.is_over for count in self._counts)

    def add(self, count: Count) -> None:
        """Add one; those that are over are put together."""
        over = [other for other in self._counts if other.is_over]
        for other in over:
            self._ended += other.current - other.base
            self._ended_total += max((other.total or 0) - other.base, 0)
            self._has_total = self._has_total or other.total is not None
        self._counts = [*(other for other in self._counts if not other.is_over), count]

    def begin(self) -> None:
        """Begin at 0; what runs counts from where it is."""
        self.forget_ended()
        for count in self._counts:
            count.base = count.current

    def forget_ended(self) -> None:
        """Forget what does not run any longer."""
        self._counts = [count for count in self._counts if not count.is_over]
        self._ended, self._ended_total, self._has_total = 0.0, 0.0, False

    @property
    def current(self) -> float:
        """The sum of what is done."""
        return add(self._ended, sum(count.current - count.base for count in self._counts))

    @property
    def extra(self) -> float:
        """The sum of the parts of the current steps that are done, in steps."""
        return sum(count.extra + find_share(count.inners, count.current) for count in self._counts)

    @property
    def total(self) -> float | None:
        """The sum of the totals that are known; None if none is."""
        totals = [count.total for count in self._counts if count.total is not None]
        if not totals and not self._has_total:
            return None
        bases = sum(count.base for count in self._counts if count.total is not None)
        return add(self._ended_total, sum(totals) - bases)
