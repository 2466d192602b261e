"""The outcome of a task of `django.tasks`, as far as its backend tells it at the end."""

import logging
import re
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import TaskCancelled
from ..reporting import Reporter
from . import compat

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")

T = TypeVar("T")

#: The values of TaskResultStatus, which are the same in `django.tasks` and in its backport.
READY, FAILED, SUCCESSFUL = "READY", "FAILED", "SUCCESSFUL"

#: The type of a failure whose backend keeps no errors.
UNKNOWN_ERROR = Exception.__name__


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status of a task, with what its backend tells of the result or of the last error.

    Only the status says how a task ended: a backend may fill the rest later, or never.
    """

    status: str
    value: Any = None
    kind: str = ""
    traceback: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the task has ended."""
        return self.status in (FAILED, SUCCESSFUL)

    @property
    def is_complete(self) -> bool:
        """Whether the backend has nothing to add; a task that returned None looks as if it had."""
        return self.value is not None if self.status == SUCCESSFUL else self.status == FAILED and bool(self.kind)

    def report_to(self, reporter: Reporter) -> None:
        """End the task."""
        if self.status == SUCCESSFUL:
            reporter.succeed(self.value)
        elif self.status != FAILED:
            logger.error(
                "task %s: its backend says that it has ended, but not how: %r",
                reporter.task_id,
                self.status,
                extra={"task_id": reporter.task_id},
            )
            reporter.end_lost()
        elif self.kind in (TaskCancelled.__name__, CancelledError.__name__):
            reporter.end_cancelled()
        else:
            message = _find_message(self.kind, self.traceback)
            reporter.fail_as(self.kind or UNKNOWN_ERROR, message, traceback=self.traceback)


def read(task_result: "TaskResult[Any, Any]") -> Outcome:
    """Return the outcome in a result; what can't be read of it is logged, and counts as missing."""
    status = str(task_result.status)
    if status == SUCCESSFUL:
        return Outcome(status, value=_attempt(task_result.id, lambda: task_result.return_value))
    failure = _attempt(task_result.id, lambda: _read_last_error(task_result)) if status == FAILED else None
    return failure or Outcome(status)


def read_failure(error: Any) -> Outcome:
    """Return the outcome of a task that ended with a `TaskError`, or with the row of one."""
    kind = str(error.exception_class_path or "").rpartition(".")[2]
    return Outcome(FAILED, kind=kind, traceback=str(error.traceback or ""))


def ask(task_result: "TaskResult[Any, Any]") -> Outcome | None:
    """Return the outcome that the backend has stored by now; None if it does not keep or no longer has any."""
    return _attempt(task_result.id, lambda: _ask(task_result))


def _read_last_error(task_result: "TaskResult[Any, Any]") -> Outcome | None:
    errors = list(task_result.errors)
    return read_failure(errors[-1]) if errors else None


def _ask(task_result: "TaskResult[Any, Any]") -> Outcome | None:
    found = _get_result(task_result)
    return None if found is None else read(found)


def _get_result(task_result: "TaskResult[Any, Any]") -> Any:
    backend = task_result.task.get_backend()
    if not backend.supports_get_result:
        return None
    try:
        return backend.get_result(task_result.id)
    except compat.missing_result_errors():
        return None


def _attempt(task_id: str, look: Callable[[], T]) -> T | None:
    """Return what `look` returns, or None if it raises: code of the backend must not keep a task from its end."""
    try:
        return look()
    except Exception:
        logger.exception("task %s: its backend could not tell its outcome", task_id, extra={"task_id": task_id})
        return None


def _find_message(kind: str, traceback: str) -> str:
    """Return the last message of an exception of this type in a traceback; it may be empty or have several lines."""
    heads = list(re.finditer(rf"^(?:\S+\.)?{re.escape(kind)}(?:: |$)", traceback, re.MULTILINE))
    return traceback[heads[-1].end() :].strip() if kind and heads else ""
