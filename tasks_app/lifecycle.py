"""Mirrors the life of every `django.tasks` task, however it was enqueued, through the framework's own signals."""

import logging
import re
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from . import compat, database
from .beginning import begin
from .current import bind, find_reporter, get_bound
from .exceptions import StoreUnavailable, TaskCancelled
from .flusher import get_flusher
from .reporter import Progress
from .state import Snapshot, State
from .store import get_store

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")


@dataclass(slots=True)
class Start:
    """What `start()` knows of the task it is about to enqueue, and what became of it."""

    name: str | None
    owner: str | None
    is_taken: bool = False
    error: Exception | None = None


_start: ContextVar[Start | None] = ContextVar("tasks_app_start", default=None)


@contextmanager
def starting(name: str | None, owner: str | None) -> Iterator[None]:
    """Give the task enqueued in this block a name and an owner.

    Raises:
        StoreUnavailable: its first snapshot could not be stored.
    """
    start = Start(name, owner)
    token = _start.set(start)
    try:
        yield
    finally:
        _start.reset(token)
    if start.error is not None:
        raise StoreUnavailable("the state of the new task could not be stored") from start.error


def connect() -> None:
    """Follow the tasks of each installed framework."""
    for signals in compat.signal_modules():
        signals.task_enqueued.connect(on_enqueued, dispatch_uid="tasks_app")
        signals.task_started.connect(on_started, dispatch_uid="tasks_app")
        signals.task_finished.connect(on_finished, dispatch_uid="tasks_app")
    if (model := database.get_model()) is not None:
        post_save.connect(on_row_saved, sender=model, dispatch_uid="tasks_app")


def queue(task_result: "TaskResult[Any, Any]", *, beat: int | None = None) -> tuple[Snapshot, bool]:
    """Make the first snapshot of an enqueued task, and return it and whether it could be stored.

    With a `beat`, this process gives signs of life while the task waits.

    Raises:
        StoreUnavailable: the cache failed, and whoever enqueues it wants to know; else that is logged.
    """
    start = _start.get()
    if start is None or start.is_taken:  # enqueued by a task that was started, and runs, in this context
        start = Start(None, None)
    start.is_taken = True
    snapshot = Snapshot.queued(
        task_result.id,
        start.name or task_result.task.module_path,
        now=get_flusher().clock.now(),
        owner=start.owner,
        beat=beat,
    )
    try:
        _store_first(snapshot, task_result, is_started=start is _start.get())
    except Exception as error:
        start.error = error
        if start is _start.get():
            raise StoreUnavailable("the state of the new task could not be stored") from error
        logger.exception("task %s: its first snapshot could not be stored", snapshot.task_id)
        return snapshot, False
    return snapshot, True


def withdraw(snapshot: Snapshot) -> None:
    """End a queued task as cancelled if it waits in a database, and no worker has begun it."""
    task_id = snapshot.task_id
    try:
        if database.withdraw(task_id):
            transaction.on_commit(partial(_end_withdrawn, snapshot), using=database.get_alias())
    except DatabaseError:
        logger.exception("task %s: it could not be taken back; it is asked to stop when it begins", task_id)


Receiver = Callable[..., None]


def _never_raise(receiver: Receiver) -> Receiver:
    """A receiver that raises makes django-tasks-db fail the task and kills its worker."""

    @wraps(receiver)
    def guarded(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
        try:
            receiver(task_result=task_result, **kwargs)
        except Exception:
            logger.exception("task %s: %s failed", task_result.id, receiver.__name__)

    return guarded


@_never_raise
def on_enqueued(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Store the first snapshot, unless the backend is ours, which has done it already."""
    if find_reporter(task_result.id) is None:
        queue(task_result)


@_never_raise
def on_started(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the task from this process, and make it the one that `progress` stands for."""
    bound = get_bound()
    if bound is not None and bound.task_id == task_result.id and not bound.has_ended:
        return  # our own backend has begun it already, or the signal came twice
    before = find_reporter(task_result.id)
    reporter = begin(task_result.id, task_result.task.module_path, before)
    reporter.outer = bind(reporter)


@_never_raise
def on_finished(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the end of the task."""
    bound = get_bound()
    if bound is not None and bound.task_id == task_result.id:
        bind(bound.outer)
    reporter = find_reporter(task_result.id)
    if reporter is None or reporter.has_ended:
        return
    if task_result.errors:
        _report_failure(reporter, task_result)
    else:
        reporter.succeed(task_result.return_value)


def on_row_saved(*, instance: Any, **kwargs: Any) -> None:
    """Report the failure of a task that a `db_worker` could not even import: there are no signals of that."""
    task_id = str(instance.pk)
    try:
        if instance.status == compat.TaskResultStatus.FAILED and find_reporter(task_id) is None:
            _end_unstarted(task_id, instance)
    except Exception:
        logger.exception("task %s: on_row_saved failed", task_id)


def _store_first(snapshot: Snapshot, task_result: "TaskResult[Any, Any]", *, is_started: bool) -> None:
    """Store the first snapshot; if a transaction holds the task, at its commit: after a rollback it never was."""
    delay = _get_delay(task_result)
    alias = database.find_transaction(task_result)
    if alias is None:
        _add(snapshot, delay)
        return
    if is_started:  # a worker may be faster than the commit's callback, and must know the owner
        get_store().announce(snapshot, delay=delay)
    transaction.on_commit(partial(_add_late, snapshot, delay), using=alias)


def _add(snapshot: Snapshot, delay: float) -> None:
    store = get_store()
    # A worker of another process may have been faster: then the task is known already.
    if store.add(snapshot, delay=delay):
        get_flusher().enlist(snapshot)
    elif store.get(snapshot.task_id) is None:
        raise StoreUnavailable(f"the cache did not take task {snapshot.task_id!r}")


def _add_late(snapshot: Snapshot, delay: float) -> None:
    try:
        _add(snapshot, delay)
    except Exception:
        logger.exception("task %s: its first snapshot could not be stored", snapshot.task_id)


def _get_delay(task_result: "TaskResult[Any, Any]") -> float:
    run_after = task_result.task.run_after
    return 0.0 if run_after is None else max((run_after - timezone.now()).total_seconds(), 0.0)


def _end_withdrawn(snapshot: Snapshot) -> None:
    reporter = Progress(snapshot, is_stored=True)
    get_flusher().add(reporter)
    reporter.end_cancelled()
    try:
        database.announce_end(snapshot.task_id)
    except Exception:  # importing the task runs its module: anything may come out
        logger.exception("task %s: its end could not be announced", snapshot.task_id)


def _end_unstarted(task_id: str, row: Any) -> None:
    snapshot = get_store().get(task_id)
    if snapshot is not None and snapshot.state is State.QUEUED:
        reporter = Progress(snapshot, is_stored=True)
        get_flusher().add(reporter)
        kind = row.exception_class_path.rpartition(".")[2]
        reporter.fail_as(kind, _find_message(kind, row.traceback))


def _report_failure(reporter: Progress, task_result: "TaskResult[Any, Any]") -> None:
    # Django's backends send the signal from the except block, so the exception itself is at hand; others may not.
    error = sys.exc_info()[1]
    last = task_result.errors[-1]
    kind = last.exception_class_path.rpartition(".")[2]
    if error is not None:
        reporter.fail(error)
    elif kind in (TaskCancelled.__name__, CancelledError.__name__):
        reporter.end_cancelled()
    else:
        reporter.fail_as(kind, _find_message(kind, last.traceback))


def _find_message(kind: str, traceback: str) -> str:
    """Return what a traceback says last of an exception of this type; it may have several lines, or none."""
    heads = list(re.finditer(rf"^(?:\S+\.)?{re.escape(kind)}(?:: |$)", traceback, re.MULTILINE))
    return traceback[heads[-1].end() :].strip() if heads else ""
