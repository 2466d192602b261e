"""In the process that runs a task."""

import sys
import time
from typing import Any

from billiard.process import current_process
from celery import states
from celery.exceptions import Ignore, Reject, WorkerLostError

from ...integration import (
    EXIT_SECONDS,
    Reporter,
    State,
    TaskCancelled,
    adopt,
    begin,
    drain_process,
    enter,
    find_reporter,
    get_flusher,
    get_store,
    leave,
    never_raise,
    pass_on,
    use_store,
    write,
)
from . import dead_workers
from .common import fail, find_own, is_mirrored, read_header


class JobCancelled(TaskCancelled, Ignore):  # type: ignore[misc]
    """Stops a Celery task; as an `Ignore`, so that Celery neither retries it nor reports a failure."""


@never_raise
def on_prerun(*, task_id: str, task: Any, **kwargs: Any) -> None:
    """Report the task from this process, and make it the one that `progress` stands for."""
    if not is_mirrored(task.name, task_id):
        return
    reporter = begin(read_header(task_id, task.name, task.request), find_reporter(task_id))
    enter(reporter)
    reporter.stop_by(JobCancelled)
    _heed_cancel(reporter)


@never_raise
def on_success(*, sender: Any, result: Any, **kwargs: Any) -> None:
    """Report the result."""
    if (reporter := find_own(sender.request.id)) is not None:
        reporter.succeed(result)


@never_raise
def on_failure(*, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """Report the failure; if the task ran in another process, it has died, or could not even begin."""
    if (reporter := find_own(task_id)) is not None:
        fail(reporter, exception)
    else:
        dead_workers.fail(task_id, exception)


@never_raise
def on_retry(*, sender: Any, request: Any, reason: Any = None, **kwargs: Any) -> None:
    """Hand the task back; where a message was sent, `on_publish` has done it before."""
    if (reporter := find_own(request.id)) is not None:
        reporter.hand_back()
    elif reason is None and sender.acks_late:  # the worker has killed its process; the broker will send it anew
        dead_workers.hand_back(request.id)
    elif reason is None:  # the same in a cold shutdown, when its message was acknowledged: nobody will
        dead_workers.fail(request.id, WorkerLostError())


@never_raise
def on_postrun(*, task_id: str, task: Any, retval: Any, state: str | None, **kwargs: Any) -> None:
    """Unbind the task, and report what has no signal of its own."""
    if (reporter := find_own(task_id)) is None:
        return
    leave(task_id)
    if state == states.IGNORED:
        _end_ignored(reporter, retval, task)
    elif state == states.REJECTED:
        _end_rejected(reporter, retval)
    elif not reporter.has_ended and (error := sys.exc_info()[1]) is not None:
        _end_by(reporter, error)


@never_raise
def on_internal_error(*, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """Report that Celery itself failed around the task."""
    on_failure(task_id=task_id, exception=exception)


@never_raise
def on_shutdown(**kwargs: Any) -> None:
    """Write what is not written yet: in a child of a prefork pool, Python calls nothing at exit."""
    began = time.monotonic()
    get_flusher().end_all()  # and while the orphans are waited for, that is written
    dead_workers.drain(EXIT_SECONDS)
    drain_process(EXIT_SECONDS - (time.monotonic() - began))


def _heed_cancel(reporter: Reporter) -> None:
    """End a task at once that was cancelled before it began.

    It is written before the flag is read here, while `cancel` sets the flag before it reads the task: at least one of
    the two sees the other, so that no task ends as cancelled for its viewers and goes on for its worker.
    """
    if not reporter.is_read or not write(reporter):
        return  # the cache fails, and the flusher looks when it is back
    what = "whether it was cancelled could not be read; it is tried again"
    if use_store(reporter.task_id, what, get_store().find_cancelled, [reporter.task_id]):
        reporter.request_cancel()
        reporter.end_cancelled()


def _end_ignored(reporter: Reporter, error: BaseException, task: Any) -> None:
    if isinstance(error, TaskCancelled):
        reporter.end_cancelled()
        _tell_celery(task)
    else:
        reporter.end_cancelled("Ended without a result")


def _tell_celery(task: Any) -> None:
    """Have `AsyncResult` know that the task is over: of one that is ignored, Celery stores nothing."""
    request = task.request
    if not request.is_eager:
        task.backend.mark_as_revoked(request.id, "cancelled", request=request, store_result=not request.ignore_result)


def _end_rejected(reporter: Reporter, error: Any) -> None:
    if error.requeue:
        pass_on(reporter)
        return
    if reporter.snapshot.state is State.QUEUED:  # its retry could not be sent
        reporter = adopt(reporter.snapshot)
    reporter.fail(error)


def _end_by(reporter: Reporter, error: BaseException) -> None:
    if isinstance(error, Reject):
        _end_rejected(reporter, error)
    elif isinstance(error, Exception) or current_process().name == "MainProcess":
        fail(reporter, error)
    else:  # this process is dying: its parent knows of what, and says so
        get_flusher().remove(reporter)
