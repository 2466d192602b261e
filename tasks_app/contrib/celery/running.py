"""Receivers in the process that runs a task."""

import sys
import time
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

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
    get_bound,
    get_flusher,
    get_store,
    leave,
    never_raise,
    pass_on,
    use_store,
    write,
)
from . import dead_workers
from .canvases import join_eagerly
from .common import RUN, fail, find_delivery, find_own, is_tracked, make_call, read_header
from .followers import keep_followers, settle_followers
from .signatures import HEADER, MAPS


class JobCancelled(TaskCancelled, Ignore):  # type: ignore[misc]
    """The exception that stops a Celery task; an `Ignore`, so that Celery neither retries it nor reports a failure."""


@never_raise
def on_prerun(*, task_id: str, task: Any, args: Any = (), kwargs: Any = None, **options: Any) -> None:
    """Begin an attempt in this process, and make `progress` stand for the task."""
    if not is_tracked(task.name, task_id):
        return
    if (outer := get_bound()) is not None and outer.task_id == task_id and _is_replacement(outer, task.request):
        _replaced[outer] = _replaced.get(outer, 0) + 1
        return
    known, get_call = read_header(task_id, task.name, task.request), partial(make_call, task, args or (), kwargs or {})
    if task.request.is_eager:
        known = join_eagerly(known)
    delivery, run = find_delivery(task.request), (task.request.get(HEADER) or {}).get(RUN)
    reporter = begin(known, find_reporter(task_id), delivery=delivery, get_call=get_call, run=run)
    enter(reporter)
    reporter.stop_by(JobCancelled)
    _count_items(task, kwargs, reporter)
    keep_followers(task.request, reporter)
    _heed_cancel(reporter)


@never_raise
def on_success(*, sender: Any, result: Any, **kwargs: Any) -> None:
    """Report the result of the task."""
    if (reporter := find_own(sender.request.id)) is not None and reporter not in _replaced:
        reporter.succeed(result)


@never_raise
def on_failure(*, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """Report the failure of a task, which ran in this process, died in another one, or could not begin."""
    if (reporter := find_own(task_id)) in _replaced:
        return
    if reporter is not None:
        fail(reporter, exception)
    else:
        dead_workers.fail(task_id, exception)


@never_raise
def on_retry(*, sender: Any, request: Any, reason: Any = None, **kwargs: Any) -> None:
    """Hand the task back, unless `on_publish` did so when the message of the retry was sent."""
    if (reporter := find_own(request.id)) in _replaced:
        return
    if reporter is not None:
        reporter.hand_back()
    elif reason is None and sender.acks_late:  # the worker killed its process; the broker redelivers it
        dead_workers.hand_back(request.id)
    elif reason is None:  # the same in a cold shutdown, but acknowledged: it is not redelivered
        dead_workers.fail(request.id, WorkerLostError())


@never_raise
def on_postrun(*, task_id: str, task: Any, retval: Any, state: str | None, **kwargs: Any) -> None:
    """Unbind the task, and report an end that has no signal."""
    if (reporter := find_own(task_id)) is None:
        return
    if reporter in _replaced:
        _leave_replacement(reporter)
        return
    leave(task_id)
    if state == states.IGNORED:
        _end_ignored(reporter, retval, task)
    elif state == states.REJECTED:
        reporter = _end_rejected(reporter, retval)
    elif not reporter.has_ended and (error := sys.exc_info()[1]) is not None:
        reporter = _end_by(reporter, error)
    settle_followers(task.request, reporter)


@never_raise
def on_internal_error(*, task_id: str, exception: BaseException, **kwargs: Any) -> None:
    """Report an error of Celery itself while it ran the task."""
    on_failure(task_id=task_id, exception=exception)


@never_raise
def on_shutdown(**kwargs: Any) -> None:
    """Write what is not written yet, because `atexit` does not run in a child of a prefork pool."""
    began = time.monotonic()
    get_flusher().end_all()  # the flusher writes that during the next wait
    dead_workers.drain(EXIT_SECONDS)
    drain_process(EXIT_SECONDS - (time.monotonic() - began))


def _is_replacement(outer: Reporter, request: Any) -> bool:
    """Whether a task that runs inside itself is what replaced it where it was started, not its retry.

    Celery then goes on with the outer one, whose end is that of the task.
    """
    return outer in _replaced or (not outer.has_ended and not request.retries)


def _leave_replacement(reporter: Reporter) -> None:
    _replaced[reporter] -= 1
    if not _replaced[reporter]:
        del _replaced[reporter]


#: How many replacements, one in another, run inside a task that is run where it was started.
_replaced: WeakKeyDictionary[Reporter | None, int] = WeakKeyDictionary()


def _count_items(task: Any, kwargs: Any, reporter: Reporter) -> None:
    """Have a map report its items, since it can't be changed to do so itself; Celery calls it with these `kwargs`."""
    if task.name in MAPS and isinstance(kwargs, dict) and isinstance(kwargs.get("it"), list):
        kwargs["it"] = reporter.progress.track(kwargs["it"], unit="items")


def _heed_cancel(reporter: Reporter) -> None:
    """End a task at once if it was cancelled before it began.

    The task is written before the cancel request is read here, and `cancel` stores the request before it reads the
    task. So one of the two sees the other, and no task is shown as cancelled while its job goes on.
    """
    if not reporter.is_read or not write(reporter):
        return  # the cache fails; the flusher reads the request when it is back
    what = "its cancel request could not be read; retrying"
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
    """Store for `AsyncResult` that the task is over; Celery stores nothing of an ignored task."""
    request = task.request
    if not request.is_eager:
        task.backend.mark_as_revoked(request.id, "cancelled", request=request, store_result=not request.ignore_result)


def _end_rejected(reporter: Reporter, error: Any) -> Reporter:
    if error.requeue:
        pass_on(reporter)
        return reporter
    if reporter.snapshot.state is State.QUEUED:  # its retry could not be sent
        reporter = adopt(reporter.snapshot)
    reporter.fail(error)
    return reporter


def _end_by(reporter: Reporter, error: BaseException) -> Reporter:
    if isinstance(error, Reject):
        return _end_rejected(reporter, error)
    if isinstance(error, Exception) or current_process().name == "MainProcess":
        fail(reporter, error)
    else:  # this process is dying; its parent knows why and reports it
        get_flusher().remove(reporter)
    return reporter
