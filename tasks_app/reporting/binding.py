"""The variable that says for which task this thread or coroutine reports. Pure."""

from contextvars import ContextVar
from typing import Any, Protocol


class Bound(Protocol):
    """The interface of what `progress` may stand for: a reporter, or a part of a task in another thread or process."""

    task_id: str
    #: What was bound before.
    outer: Any

    @property
    def progress(self) -> Any:
        """The object whose methods report; a `Progress`."""


bound: ContextVar[Bound | None] = ContextVar("tasks_app_progress", default=None)


def swap(target: Bound | None) -> Bound | None:
    """Bind `progress` to a target in this context, or to none; return the previous one."""
    before = bound.get()
    bound.set(target)
    return before
