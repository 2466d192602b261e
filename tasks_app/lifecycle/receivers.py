"""Receivers of the signals of `django.tasks`, which track every task, however it was enqueued."""

import logging
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.db.models.signals import post_save

from ..reporting import Reporter, find_reporter, get_bound, get_flusher
from ..snapshot import Snapshot
from ..store import get_store
from . import attempts, compat, django_tasks_db, outcome
from .calls import make_call
from .enqueue import queue
from .framework_logs import lower_cancels
from .frameworks import get_framework
from .late_outcomes import get_late_outcomes
from .outcome import Outcome

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
            logger.exception(
                "task %s: %s failed", _identify(**kwargs), receiver.__name__, extra={"task_id": _identify(**kwargs)}
            )

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
            keep=partial(django_tasks_db.keep_identity, task_result),
        )


@never_raise
def on_started(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Begin an attempt in this process, and make `progress` stand for the task."""
    task_id, bound = task_result.id, get_bound()
    if bound is not None and bound.task_id == task_id and not bound.has_ended:
        return  # `InProcessBackend` has begun it, or the signal came twice
    name, owner, label, parent = django_tasks_db.read_identity(task_result)
    task, now = name or task_result.task.module_path, get_flusher().clock.now()
    known = Snapshot.queued(task_id, task, now=now, owner=owner, label=label, parent=parent)
    # Some backends tell of a task only when a worker may have begun it.
    get_call = partial(make_call, task_result)
    attempts.enter(attempts.begin(known, find_reporter(task_id), is_awaited=owner is None, get_call=get_call))


@never_raise
def on_finished(*, task_result: "TaskResult[Any, Any]", **kwargs: Any) -> None:
    """Report the end of the task."""
    bound = get_bound()
    attempts.leave(task_result.id)
    reporter = find_reporter(task_result.id) or _find_ended(bound, task_result.id) or _adopt(task_result.id)
    if reporter is not None and not reporter.has_ended:
        _report_end(reporter, task_result)


def _find_ended(bound: Reporter | None, task_id: str) -> Reporter | None:
    """Return the reporter that this context had, whose end `InProcessBackend` has reported and which may be stored."""
    return bound if bound is not None and bound.task_id == task_id else None


def _adopt(task_id: str) -> Reporter | None:
    """Return a reporter with which to end a task that another process ran, such as one that was killed."""
    stored = attempts.use_store(task_id, "its end could not be stored", get_store().get, task_id)
    return None if stored is None else attempts.adopt(stored)


def _report_end(reporter: Reporter, task_result: "TaskResult[Any, Any]") -> None:
    # Most backends send the signal in the except block, so the exception is at hand.
    error, known = sys.exc_info()[1], outcome.read(task_result)
    if known.status == outcome.FAILED and error is not None:
        reporter.fail(error)
    elif known.status == outcome.READY:  # its backend runs it again
        reporter.note_error(error)
        reporter.hand_back()
    elif known.is_complete:
        known.report_to(reporter)
    else:
        _report_asked(reporter, task_result, known)


def _report_asked(reporter: Reporter, task_result: "TaskResult[Any, Any]", known: Outcome) -> None:
    stored = outcome.ask(task_result)
    if stored is not None and not stored.is_final:
        get_late_outcomes().add(reporter, task_result, known)
    else:
        (stored or known).report_to(reporter)


@never_raise
def on_row_saved(*, instance: Any, **kwargs: Any) -> None:
    """Report the failure of a task that a `db_worker` could not import; no signal reports that."""
    task_id = str(instance.pk)
    if instance.status == compat.TaskResultStatus.FAILED and find_reporter(task_id) is None:
        _end_unstarted(task_id, instance)


def _end_unstarted(task_id: str, row: Any) -> None:
    known = Snapshot.queued(task_id, row.task_path, now=get_flusher().clock.now())
    outcome.read_failure(row).report_to(attempts.adopt_unread(known))
