"""The frameworks whose tasks this app starts, and takes back before they begin: `django.tasks`, and who registers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from . import compat


class Runner(Protocol):
    """What this app must know of a framework that runs tasks."""

    #: Stored with each of its tasks.
    name: str
    #: What its tasks are, for messages.
    wanted: str

    def takes(self, task: object) -> bool:
        """Is this one of its tasks?"""

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        """Return the function behind a task, and whether the framework itself passes the first argument.

        Raises:
            TypeError: the task can't be started by a name.
        """

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Enqueue a task whose name and owner `lifecycle.starting` gives, and return its id."""

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Do what `enqueue` does, without blocking the event loop."""

    def withdraw(self, task_id: str) -> None:
        """Take back a task that someone asked to cancel, if it has not begun; may block."""

    def find_blocker(self, task: Any) -> tuple[str, str] | None:
        """Return why starting the task waits for its end, and what to do against that; None if it does not."""


class DjangoTasks:
    """`django.tasks`, or its backport; its executor in this process takes tasks back by itself."""

    name = "django.tasks"
    wanted = "a task made by @task"

    def takes(self, task: object) -> bool:
        return isinstance(task, compat.task_classes())

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        return task.func, task.takes_context

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return str(task.enqueue(*args, **kwargs).id)

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return str((await task.aenqueue(*args, **kwargs)).id)

    def withdraw(self, task_id: str) -> None:
        pass

    def find_blocker(self, task: Any) -> tuple[str, str] | None:
        backend = type(task.get_backend())
        if backend.__name__ != "ImmediateBackend":
            return None
        cure = f"Set TASKS[{task.backend!r}]['BACKEND'] to 'tasks_app.backends.InProcessBackend'."
        return f"runs on {backend.__module__}.ImmediateBackend", cure


def register(runner: Runner) -> None:
    """Have tasks of this framework started and cancelled by it; the second time changes nothing."""
    _runners.setdefault(runner.name, runner)


def get_runner(task: object) -> Runner:
    """Return the framework that a task is of.

    Raises:
        TypeError: it is of none.
    """
    for runner in _runners.values():
        if runner.takes(task):
            return runner
    raise TypeError(f"{' or '.join(runner.wanted for runner in _runners.values())} is needed, not {task!r}")


def find_runner(name: str | None) -> Runner | None:
    """Return the framework with this name, if it is installed here."""
    return None if name is None else _runners.get(name)


_runners: dict[str, Runner] = {}
register(DjangoTasks())
