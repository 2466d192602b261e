"""The call of a task's function by a backend of `django.tasks`, for staff."""

from typing import TYPE_CHECKING, Any

from ..reporting import Call

if TYPE_CHECKING:
    from django.tasks import TaskResult


def make_call(task_result: "TaskResult[Any, Any]") -> Call:
    """Return how the function of a task is called."""
    task = task_result.task
    return Call(task.func, task_result.args, task_result.kwargs, takes_context=task.takes_context)
