"""Receivers of the signals of `django.tasks`, which track every task, however it was enqueued."""

import logging
import re
import sys
from asyncio import CancelledError
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.db.models.signals import post_save

from ..exceptions import TaskCancelled
from ..reporting import Reporter, find_reporter, get_bound, get_flusher
from ..snapshot import Snapshot
from . import attempts, compat, django_tasks_db
from .enqueue import queue
from .framework_logs import lower_cancels
from .frameworks import get_framework

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")


def connect() -> None:
    """Connect the receivers to the signals of each installed framework."""
    for signals in compat.signal_modules():
        signals.task_enqueued.connect(on_enqueued, dispatch_uid="tasks_app")
        signals.task_started.connect(on_started, dispatch_uid="tasks_app")
        signals.task_finished.connect(on_finished, dispatch_uid="tasks_app")
        lower_cancels(signals.logger.name)
    if (model := django_tasks_db.get_model()) is not None:
        post_save.connect(on_row_saved, sender=model, dispatch_uid="tasks_app")


Receiver = Callable[..., None]


def never_raise(receiver: Receiver) -> Receiver:
    """Return a receiver that logs what the given one raises, with the id of the task.

    With django-tasks-db, a receiver that raises fails the task and kills the worker. Celery logs it without the id.
    """

    @wraps(receiver)
    def guarded(**kwargs: Any) -> None:
        try:
            receiver(**kwargs)
        except Exception:
            logger.exception("task %s: %s failed", _identify(**kwargs), receiver.__name__)

    return guarded


def _identify(
    *,
    task_result: Any = None,
    instance: Any = None,
    task_id: str | None = None,
    id: str | None = None,
    headers: Any = None,
    request: Any = None,
    **kwargs: Any,
) -> str:
    known = (getattr(task_result, "id", None), getattr(instance, "pk", None), task_id, id, (headers or {}).get("id"))
    return str(next((item for item in known if item), None) or getattr(request, "id", None) or "(of unknown id)")


@never_raise
def on_enqueued(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Store the first snapshot, unless `InProcessBackend` has done so."""
    if find_reporter(task_result.id) is None:
        queue(
            task_result.id,
            task_result.task.module_path,
            runner=get_framework(task_result.task).name,
            not_before=task_result.task.run_after,
            database=django_tasks_db.find_transaction(task_result),
            keep=partial(django_tasks_db.label, task_result),
        )


@never_raise
def on_started(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Begin an attempt in this process, and make `progress` stand for the task."""
    task_id, bound = task_result.id, get_bound()
    if bound is not None and bound.task_id == task_id and not bound.has_ended:
        return  # `InProcessBackend` has begun it, or the signal came twice
    name, owner = django_tasks_db.read_label(task_result)
    known = Snapshot.queued(task_id, name or task_result.task.module_path, now=get_flusher().clock.now(), owner=owner)
    attempts.enter(attempts.begin(known, find_reporter(task_id)))


@never_raise
def on_finished(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the end of the task."""
    attempts.leave(task_result.id)
    reporter = find_reporter(task_result.id)
    if reporter is None or reporter.has_ended:
        return
    if task_result.errors:
        _report_failure(reporter, task_result)
    else:
        reporter.succeed(task_result.return_value)


@never_raise
def on_row_saved(*, instance: Any, **kwargs: Any) -> None:
    """Report the failure of a task that a `db_worker` could not import; no signal reports that."""
    task_id = str(instance.pk)
    if instance.status == compat.TaskResultStatus.FAILED and find_reporter(task_id) is None:
        _end_unstarted(task_id, instance)


def _end_unstarted(task_id: str, row: Any) -> None:
    known = Snapshot.queued(task_id, row.task_path, now=get_flusher().clock.now())
    kind = row.exception_class_path.rpartition(".")[2]
    attempts.adopt_unread(known).fail_as(kind, _find_message(kind, row.traceback))


def _report_failure(reporter: Reporter, task_result: "TaskResult[Any, Any]") -> None:
    # Django's backends send the signal in the except block, so the exception is at hand; other backends may not.
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
    """Return the last message of an exception of this type in a traceback; it may be empty or have several lines."""
    heads = list(re.finditer(rf"^(?:\S+\.)?{re.escape(kind)}(?:: |$)", traceback, re.MULTILINE))
    return traceback[heads[-1].end() :].strip() if heads else ""
