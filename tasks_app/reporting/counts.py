"""Counts of what runs beside or inside a job's own: loops in loops, coroutines, and parts in other threads. Pure."""

import math
import sys
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple, Protocol

from .values import check_number

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


class Counter(Protocol):
    """The interface of what knows how much is done."""

    current: Any


def advance(counter: Counter, n: float) -> None:
    """Add `n` to what is done; a signal handler that interrupts this may do so as well.

    Raises:
        TypeError, ValueError: `n` or the sum is not a finite number.
    """
    n = check_number("n", n)
    while True:
        before = counter.current
        after = check_number("current", (before or 0) + n)
        if counter.current is before:  # from here to the next line, Python calls no signal handler
            counter.current = after
            return


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


class Summands(NamedTuple):
    """The counts that a sum is of, and what those have done together that are over."""

    counts: Sequence[Count] = ()
    ended: float = 0.0
    ended_total: float = 0.0
    has_total: bool = False

    def put_together(self) -> "Summands":
        """Return these with those together that are over."""
        over: list[Count] = []
        running: list[Count] = []
        for count in self.counts:  # once, since each may end at any moment
            (over if count.is_over else running).append(count)
        return Summands(
            running,
            add(self.ended, sum(count.current - count.base for count in over)),
            add(self.ended_total, sum(max((count.total or 0) - count.base, 0) for count in over)),
            self.has_total or any(count.total is not None for count in over),
        )

    def forget_ended(self) -> "Summands":
        """Return these without what does not run any longer."""
        return Summands([count for count in self.counts if not count.is_over])


class Sum:
    """The counts that add up to that of a task: of coroutines, threads and processes that work in parallel."""

    def __init__(self) -> None:
        self._summands = Summands()

    def __bool__(self) -> bool:
        counts, ended, _, has_total = self._summands
        return bool(counts or ended or has_total)

    @property
    def is_running(self) -> bool:
        """Whether a count may change."""
        return any(not count.is_over for count in self._summands.counts)

    def add(self, count: Count) -> None:
        """Add one; those that are over are put together."""

        def put(summands: Summands) -> Summands:
            together = summands.put_together()
            return together._replace(counts=[*together.counts, count])

        self._change(put)

    def begin(self) -> None:
        """Begin at 0; what runs counts from where it is."""
        self.forget_ended()
        for count in self._summands.counts:
            count.base = count.current

    def forget_ended(self) -> None:
        """Forget what does not run any longer."""
        self._change(Summands.forget_ended)

    @property
    def current(self) -> float:
        """The sum of what is done."""
        counts, ended, _, _ = self._summands
        return add(ended, sum(count.current - count.base for count in counts))

    @property
    def extra(self) -> float:
        """The sum of the parts of the current steps that are done, in steps."""
        return sum(count.extra + find_share(count.inners, count.current) for count in self._summands.counts)

    @property
    def total(self) -> float | None:
        """The sum of the totals that are known; None if none is."""
        counts, _, ended_total, has_total = self._summands
        totals = [count.total for count in counts if count.total is not None]
        if not totals and not has_total:
            return None
        bases = sum(count.base for count in counts if count.total is not None)
        return add(ended_total, sum(totals) - bases)

    def _change(self, change: Callable[[Summands], Summands]) -> None:
        """Set the summands, also if a signal handler interrupts this and adds one."""
        while True:
            before = self._summands
            after = change(before)
            if self._summands is before:  # as in `advance`
                self._summands = after
                return
