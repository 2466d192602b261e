"""The variable that says for which task this thread or coroutine reports. Pure."""

from contextvars import ContextVar
from typing import Any, Protocol


class Bound(Protocol):
    """The interface of what `progress` may stand for: a reporter, or a part of a task in another thread or process."""

    task_id: str
    #: What was bound before.
    outer: Any
    #: The object whose block has bound it, as a handle; None if there is none.
    opener: Any

    @property
    def progress(self) -> Any:
        """The object whose methods report; a `Progress`."""


class Itself:
    """A descriptor that returns the object whose attribute is read, unless that has one of its own by this name.

    An object that had itself as `progress` would be freed only by the garbage collector, which stops all threads.
    """

    def __get__(self, instance: Any, owner: object) -> Any:
        return instance


bound: ContextVar[Bound | None] = ContextVar("tasks_app_progress", default=None)


def swap(target: Bound | None) -> Bound | None:
    """Bind `progress` to a target in this context, or to none; return the previous one."""
    before = bound.get()
    bound.set(target)
    return before


def release(opener: object) -> Bound | None:
    """Take the innermost target of an opener out of this context, and return it; None if there is none."""
    inner, target = None, bound.get()
    while target is not None and target.opener is not opener:
        inner, target = target, target.outer
    if target is not None and inner is not None:
        inner.outer = target.outer
    elif target is not None:
        bound.set(target.outer)
    return target
