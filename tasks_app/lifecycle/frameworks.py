"""The frameworks whose tasks this app starts and withdraws: `django.tasks`, and others that are registered."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from secrets import token_hex
from typing import Any, NamedTuple, Protocol

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction

from ..snapshot import Snapshot
from ..store import get_store
from . import compat, django_tasks_db
from .attempts import adopt
from .commits import call_at_commit, find_transactions
from .enqueue import is_untold, keep_for, queue

logger = logging.getLogger("tasks_app")


class Flaw(NamedTuple):
    """A reason why starting a task does not do what its caller expects, for a system check.

    Attributes:
        id: the id of the check, without the app's label, such as "W004".
        what: the end of the sentence "Task '<name>' …", without a full stop.
        cure: the hint of the check.
    """

    id: str
    what: str
    cure: str


class Promise(NamedTuple):
    """A task that is enqueued later under an id that is known now.

    Attributes:
        name: the name that the framework gives it.
        args, kwargs: its arguments as they are now; its caller may change them.
        parts: the ids that its caller has chosen for tasks of which it is the parent.
    """

    task_id: str
    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    parts: Collection[str] = ()


class Framework(Protocol):
    """The interface of a framework that runs tasks."""

    #: Unique, and stored with each of its tasks.
    name: str
    #: A noun for its tasks in error messages, such as "a Celery task".
    wanted: str
    #: Whether tasks must be enqueued in the caller's thread and transaction.
    is_threaded: bool

    def takes(self, task: object) -> bool:
        """Whether `task` is a task of this framework."""

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        """Return the function of a task, and whether the framework passes its first argument.

        Raises:
            TypeError: the task can't be started by a name in STARTABLE.
        """

    def hold_back(self) -> AbstractContextManager[Any]:
        """Return a context manager that hides a task enqueued in its block from the workers until the block ends.

        If the block raises, the task was never enqueued. A framework that can't do that returns `nullcontext()`.
        """

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Enqueue a task and return its id.

        It is called in a `starting` block, so that `queue` finds what the task is given.
        """

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Do what `enqueue` does, without blocking the event loop."""

    def promise(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Promise | None:
        """Return what `enqueue` needs to enqueue a task at a commit, under the id of `get_promised_id`.

        None if the framework itself chooses the id when it enqueues. It may also lack this method.

        Raises:
            Exception: the task can't be enqueued.
        """

    def commits_with(self, task: Any, databases: Collection[str]) -> bool:
        """Whether no worker sees a task, enqueued now, before these databases commit; it may lack this method."""

    def withdraw(self, task_id: str) -> None:
        """Withdraw a task that is to be cancelled, if it has not begun; this may block."""

    def withdraw_all(self, task_ids: Sequence[str]) -> None:
        """Do what `withdraw` does for many tasks, where that takes less; it may lack this method."""

    def find_flaw(self, task: Any) -> Flaw | None:
        """Return the flaw of starting this task in this project, or None."""


class DjangoTasks:
    """The framework `django.tasks`, or its backport; the in-process executor withdraws its own tasks."""

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
        task_id = str(task.enqueue(*args, **kwargs).id)
        if keep_for(task_id):
            _queue_untold(task, task_id)
        return task_id

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        task_id = str((await task.aenqueue(*args, **kwargs)).id)
        if keep_for(task_id):
            await sync_to_async(_queue_untold)(task, task_id)
        return task_id

    def promise(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Promise | None:
        if not getattr(task.get_backend(), "takes_promised_id", False):
            return None
        args, kwargs = compat.normalize_json([list(args), dict(kwargs)])
        return Promise(token_hex(16), task.module_path, args, kwargs)

    def commits_with(self, task: Any, databases: Collection[str]) -> bool:
        waits = getattr(task.get_backend(), "enqueue_on_commit", False)  # Huey's backend has a setting for it
        return bool(waits) and {DEFAULT_DB_ALIAS}.issuperset(databases)

    def withdraw(self, task_id: str) -> None:
        pass

    def withdraw_all(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            self.withdraw(task_id)

    def find_flaw(self, task: Any) -> Flaw | None:
        backend = type(task.get_backend())
        cure = f"Set TASKS[{task.backend!r}]['BACKEND'] to 'tasks_app.backends.InProcessBackend'."
        place = f"uses {backend.__module__}.{backend.__name__}"
        if backend.__name__ == "ImmediateBackend":
            return Flaw("W004", f"{place}: starting it blocks until it has ended", cure)
        if backend.__name__ == "DummyBackend":
            return Flaw("W005", f"{place}: it never runs, and stays queued", cure)
        return None


class DatabaseTasks(DjangoTasks):
    """The tasks of `django.tasks` that wait in a database for the `db_worker` of django-tasks-db."""

    name = "django_tasks_db"
    is_threaded = True

    def takes(self, task: object) -> bool:
        return super().takes(task) and django_tasks_db.keeps(task)

    def hold_back(self) -> AbstractContextManager[Any]:
        return transaction.atomic(using=django_tasks_db.get_alias())

    def commits_with(self, task: Any, databases: Collection[str]) -> bool:
        return {django_tasks_db.get_alias()}.issuperset(databases)  # it is a row of that database

    def withdraw(self, task_id: str) -> None:
        try:
            if (snapshot := get_store().get(task_id)) is not None and django_tasks_db.withdraw(task_id):
                transaction.on_commit(partial(_end_withdrawn, snapshot), using=django_tasks_db.get_alias())
        except DatabaseError:
            logger.exception(
                "task %s: it could not be withdrawn; it is told to stop when it begins",
                task_id,
                extra={"task_id": task_id},
            )


def register(framework: Framework) -> None:
    """Let `start()` and `cancel()` take tasks of this framework; a name that is registered stays as it is."""
    _frameworks.setdefault(framework.name, framework)


def unregister(framework: Framework) -> None:
    """Undo `register`, unless another framework has the name."""
    if _frameworks.get(framework.name) is framework:
        del _frameworks[framework.name]


def get_framework(task: object) -> Framework:
    """Return the framework of a task.

    Raises:
        TypeError: `task` is a task of no registered framework.
    """
    for framework in _frameworks.values():
        if framework.takes(task):
            return framework
    wanted = dict.fromkeys(framework.wanted for framework in _frameworks.values())
    raise TypeError(f"{' or '.join(wanted)} is needed, not {task!r}")


def make_promise(framework: Framework, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Promise | None:
    """Do what `Framework.promise` does, which a framework may lack."""
    promise = getattr(framework, "promise", None)
    return None if promise is None else promise(task, args, kwargs)


def commits_with(framework: Framework, task: Any, databases: Collection[str]) -> bool:
    """Do what `Framework.commits_with` does, which a framework may lack."""
    ask = getattr(framework, "commits_with", None)
    return ask is not None and bool(ask(task, databases))


def withdraw_each(framework: Framework, task_ids: Sequence[str]) -> None:
    """Withdraw tasks that are to be cancelled, at once if the framework can do that."""
    if (withdraw_all := getattr(framework, "withdraw_all", None)) is not None:
        withdraw_all(task_ids)
        return
    for task_id in task_ids:
        framework.withdraw(task_id)


def find_framework(name: str | None) -> Framework | None:
    """Return the registered framework with this name, or None."""
    return None if name is None else _frameworks.get(name)


def _queue_untold(task: Any, task_id: str) -> None:
    """See to the first snapshot of a task of which its backend tells at the commit, or never."""

    def queue_now() -> None:
        if is_untold(task_id):
            queue(task_id, task.module_path, runner=DjangoTasks.name, not_before=task.run_after)

    call_at_commit(queue_now, find_transactions())


def _end_withdrawn(snapshot: Snapshot) -> None:
    adopt(snapshot).end_cancelled()
    try:
        django_tasks_db.announce_end(snapshot.task_id)
    except Exception:  # importing the task runs its module, which may raise anything
        logger.exception(
            "task %s: its end could not be announced", snapshot.task_id, extra={"task_id": snapshot.task_id}
        )


_frameworks: dict[str, Framework] = {}
register(DatabaseTasks())  # first, since DjangoTasks would also take its tasks
register(DjangoTasks())
