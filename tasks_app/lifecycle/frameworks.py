"""The frameworks whose tasks this app starts, and takes back before they begin: `django.tasks`, and who registers."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple, Protocol

from django.db import DatabaseError, transaction

from ..snapshot import Snapshot
from ..store import get_store
from . import compat, django_tasks_db
from .attempts import adopt

logger = logging.getLogger("tasks_app")


class Flaw(NamedTuple):
    """Why starting a task is not what its caller expects; a system check says so."""

    id: str
    what: str
    cure: str


class Framework(Protocol):
    """What this app must know of a framework that runs tasks."""

    #: Stored with each of its tasks.
    name: str
    #: What its tasks are, for messages.
    wanted: str
    #: Must tasks be enqueued in the thread, and the transaction, of whoever starts them?
    is_threaded: bool

    def takes(self, task: object) -> bool:
        """Is this one of its tasks?"""

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        """Return the function behind a task, and whether the framework itself passes the first argument.

        Raises:
            TypeError: the task can't be started by a name.
        """

    def hold_back(self) -> AbstractContextManager[Any]:
        """Have no worker see what this block enqueues before the block ends; if it raises, the task never was."""

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Enqueue a task whose name and owner `starting` gives, and return its id."""

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Do what `enqueue` does, without blocking the event loop."""

    def withdraw(self, task_id: str) -> None:
        """Take back a task that someone asked to cancel, if it has not begun; may block."""

    def find_flaw(self, task: Any) -> Flaw | None:
        """Return what is wrong with starting this task here, if anything is."""


class DjangoTasks:
    """`django.tasks`, or its backport; its executor in this process takes tasks back by itself."""

    name = "django.tasks"
    wanted = "a task made by @task"
    is_threaded = False

    def takes(self, task: object) -> bool:
        return isinstance(task, compat.task_classes())

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        return task.func, task.takes_context

    def hold_back(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return str(task.enqueue(*args, **kwargs).id)

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return str((await task.aenqueue(*args, **kwargs)).id)

    def withdraw(self, task_id: str) -> None:
        pass

    def find_flaw(self, task: Any) -> Flaw | None:
        backend = type(task.get_backend())
        cure = f"Set TASKS[{task.backend!r}]['BACKEND'] to 'tasks_app.backends.InProcessBackend'."
        place = f"runs on {backend.__module__}.{backend.__name__}"
        if backend.__name__ == "ImmediateBackend":
            return Flaw("W004", f"{place}: starting it waits for its end", cure)
        if backend.__name__ == "DummyBackend":
            return Flaw("W005", f"{place}: it never runs, and is shown as queued", cure)
        return None


class DatabaseTasks(DjangoTasks):
    """`django.tasks` that wait in a database, for the `db_worker` of django-tasks-db."""

    name = "django_tasks_db"
    is_threaded = True

    def takes(self, task: object) -> bool:
        return super().takes(task) and django_tasks_db.keeps(task)

    def hold_back(self) -> AbstractContextManager[Any]:
        return transaction.atomic(using=django_tasks_db.get_alias())

    def withdraw(self, task_id: str) -> None:
        try:
            if (snapshot := get_store().get(task_id)) is not None and django_tasks_db.withdraw(task_id):
                transaction.on_commit(partial(_end_withdrawn, snapshot), using=django_tasks_db.get_alias())
        except DatabaseError:
            logger.exception("task %s: it could not be taken back; it is asked to stop when it begins", task_id)


def register(framework: Framework) -> None:
    """Have tasks of this framework started and cancelled by it; the second time changes nothing."""
    _frameworks.setdefault(framework.name, framework)


def unregister(framework: Framework) -> None:
    """Undo `register`; harmless if another framework has that name."""
    if _frameworks.get(framework.name) is framework:
        del _frameworks[framework.name]


def get_framework(task: object) -> Framework:
    """Return the framework that a task is of.

    Raises:
        TypeError: it is of none.
    """
    for framework in _frameworks.values():
        if framework.takes(task):
            return framework
    wanted = dict.fromkeys(framework.wanted for framework in _frameworks.values())
    raise TypeError(f"{' or '.join(wanted)} is needed, not {task!r}")


def find_framework(name: str | None) -> Framework | None:
    """Return the framework with this name, if it is installed here."""
    return None if name is None else _frameworks.get(name)


def _end_withdrawn(snapshot: Snapshot) -> None:
    adopt(snapshot).end_cancelled()
    try:
        django_tasks_db.announce_end(snapshot.task_id)
    except Exception:  # importing the task runs its module: anything may come out
        logger.exception("task %s: its end could not be announced", snapshot.task_id)


_frameworks: dict[str, Framework] = {}
register(DatabaseTasks())  # first: its tasks are of the same class
register(DjangoTasks())
