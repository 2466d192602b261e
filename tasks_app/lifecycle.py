"""Mirrors the life of every `django.tasks` task, however it was enqueued, through the framework's own signals."""

import logging
import re
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from . import compat
from .current import bind, find_reporter, get_bound
from .exceptions import StoreUnavailable, TaskCancelled
from .flusher import get_flusher
from .reporter import Progress
from .state import Snapshot
from .store import get_store

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")


@dataclass(slots=True)
class Start:
    """What `start()` knows of the task it is about to enqueue, and what became of it."""

    name: str | None
    owner: str | None
    snapshot: Snapshot | None = None
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


def queue(task_id: str, task: str, *, runner: str | None = None, beat: int | None = None) -> tuple[Snapshot, bool]:
    """Make the first snapshot of a task that is enqueued, and return it and whether it could be stored.

    Where the task is known already, since a worker was faster or it was enqueued before, that snapshot is returned.

    Args:
        task: its name, unless `starting` gives it another.
        runner: the name of the framework that can take it back.
        beat: 1 if this process gives signs of life while the task waits.

    Raises:
        StoreUnavailable: the cache failed, and whoever enqueues it wants to know; else that is logged.
    """
    start = _start.get()
    if start is None or start.snapshot is not None:  # enqueued by a task that was started, and runs, in this context
        start = Start(None, None)
    now = get_flusher().clock.now()
    snapshot = Snapshot.queued(task_id, start.name or task, now=now, owner=start.owner, runner=runner, beat=beat)
    start.snapshot = snapshot
    try:
        return _add(snapshot), True
    except Exception as error:
        start.error = error
        if start is _start.get():
            raise StoreUnavailable("the state of the new task could not be stored") from error
        logger.exception("task %s: its first snapshot could not be stored", task_id)
        return snapshot, False


def find_queued(task_id: str) -> Snapshot | None:
    """Return the snapshot that `queue` has made of this task, if it is the one that is started in this context."""
    start = _start.get()
    if start is None or start.snapshot is None or start.snapshot.task_id != task_id:
        return None
    return start.snapshot


def load(task_id: str) -> Snapshot | None:
    """Return what is stored of a task, or None, also where that could not be read."""
    try:
        return get_store().get(task_id)
    except Exception:
        logger.exception("task %s: its snapshot could not be read; it is made anew", task_id)
        return None


def begin(snapshot: Snapshot) -> Progress:
    """Report a task from this process from now on, and make it the one that `progress` stands for."""
    flusher = get_flusher()
    reporter = Progress(snapshot, flusher=flusher)
    reporter.begin()
    flusher.add(reporter)
    reporter.outer = bind(reporter)
    return reporter


def adopt(snapshot: Snapshot) -> Progress:
    """Look after a task that no process reports, so as to say the last word on it."""
    reporter = Progress(snapshot, flusher=get_flusher(), is_stored=True)
    get_flusher().add(reporter)
    return reporter


def pass_on(reporter: Progress) -> bool:
    """Hand a job back, and be done with it before anybody else can begin it; could that be stored?

    It is not tried again: what was written late would replace what the next attempt has written.
    """
    reporter.hand_back()
    is_stored = get_flusher().flush()
    get_flusher().remove(reporter)
    return is_stored


def leave(reporter: Progress) -> None:
    """Undo what `begin` has bound."""
    if get_bound() is reporter:
        bind(reporter.outer)


def _add(snapshot: Snapshot) -> Snapshot:
    store = get_store()
    if store.add(snapshot):
        return snapshot
    known = store.get(snapshot.task_id)
    if known is None:
        raise StoreUnavailable(f"the cache did not take task {snapshot.task_id!r}")
    return known


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
        queue(task_result.id, task_result.task.module_path)


@_never_raise
def on_started(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the task from this process, and make it the one that `progress` stands for."""
    if find_reporter(task_result.id) is not None:
        return
    begin(
        load(task_result.id)
        or Snapshot.queued(task_result.id, task_result.task.module_path, now=get_flusher().clock.now())
    )


@_never_raise
def on_finished(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the end of the task."""
    reporter = find_reporter(task_result.id)
    if reporter is None:
        return
    leave(reporter)
    if reporter.has_ended:
        return
    if task_result.errors:
        _report_failure(reporter, task_result)
    else:
        reporter.succeed(task_result.return_value)


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
