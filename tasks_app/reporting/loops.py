"""The loops of a job that run at this moment, each inside another or beside others."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .counts import Count, add_inner
from .draft import Draft

#: The type of `Progress.update`.
Update = Callable[..., None]


class Loop:
    """A loop that reports its steps by setting `current` of its counter.

    The first one of a task counts for the whole task. One inside it, in the same thread or coroutine or in one begun
    there, fills the share of the current step; others run in parallel, and add up.

    Args:
        draft, update: those of the task.
        total: the number of steps; None if unknown.
        values: the status and the unit, of which a loop inside another sets none.
    """

    __slots__ = ("_draft", "_is_over", "_outer", "counter", "refresh")

    def __init__(self, draft: Draft, update: Update, *, total: float | None, **values: Any) -> None:
        self._draft, self._is_over = draft, True
        #: Called, with the lock of the draft, before its step is read, where something else counts its steps.
        self.refresh: Callable[[], None] | None = None
        self._outer = _find_outer(draft)
        self.counter: Draft | Count
        if self._outer is not None:
            self.counter = self._outer.put_inside(total)
        elif draft.begin_loop(total):
            self.counter = draft
            update(current=0, total=total, **values)
        else:
            self.counter = draft.add_beside(total)
            update(**values)
        self._is_over = False
        _innermost.set(self)

    def put_inside(self, total: float | None, *, weight: float | None = None) -> Count:
        """Return a count that fills the share of the current step, or `weight` steps of this loop."""
        with self._draft.lock:
            counter = self._count()
            count = Count(total, step=counter.current, weight=weight)
            counter.inners = add_inner(counter.inners, count)
        return count

    def begin_again(self) -> None:
        """Have this loop fill the step in which the loop around it is now."""
        outer, count = self._outer, self.counter
        if outer is None or not isinstance(count, Count):
            return
        with self._draft.lock:
            counter = outer._count()
            count.step = counter.current
            counter.inners = add_inner([other for other in counter.inners if other is not count], count)

    def end(self) -> None:
        """End the loop, without lock or wake-up, since the garbage collector may call this at any point."""
        if self._is_over:
            return
        self._is_over = True
        if isinstance(self.counter, Count):
            self.counter.is_over = True
            self._draft.is_dirty = True
        else:
            self._draft.end_loop()
        self.counter = Count()
        self.step_aside()

    def step_aside(self) -> None:
        """Have the loops that begin from now on run beside this one, and not inside it."""
        if _innermost.get() is self:
            _innermost.set(self._outer)

    def find_running(self, draft: Draft) -> "Loop | None":
        """Return this loop, or else the next one around it, that runs for a task; None if there is none."""
        loop: Loop | None = self
        while loop is not None and (loop._is_over or loop._draft is not draft):
            loop = loop._outer
        return loop

    def _count(self) -> Draft | Count:
        if self.refresh is not None:
            self.refresh()
        return self.counter


def is_in_loop(draft: Draft) -> bool:
    """Return whether a loop of this task, or of this part of it, runs around this point."""
    return draft.is_tracking or _find_outer(draft) is not None


def _find_outer(draft: Draft) -> Loop | None:
    loop = _innermost.get()
    return None if loop is None else loop.find_running(draft)


_innermost: ContextVar[Loop | None] = ContextVar("tasks_app_loop", default=None)
