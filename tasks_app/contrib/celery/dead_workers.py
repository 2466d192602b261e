"""Receivers in the main process of a worker: the end of tasks that never began or whose process died."""

import os
import threading
import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from celery.app.task import Context
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from django.db import close_old_connections

from ...integration import (
    EXIT_SECONDS,
    EXPIRED,
    MAX_BACKOFF,
    MIN_BACKOFF,
    DaemonExecutor,
    Notes,
    Reporter,
    Snapshot,
    State,
    adopt,
    get_flusher,
    get_store,
    never_raise,
    per_process,
    renumber,
)
from . import common
from .common import is_tracked, logger, read_header
from .followers import end_followers

#: Seconds to wait for the death of a process that was told to die, before it is taken to go on.
DEATH_SECONDS = 5.0


class Held:
    """The tasks that the main process of a worker holds, and their ends that it reports."""

    def __init__(self) -> None:
        #: The requests, by task id; each knows the process that runs it.
        self.requests: WeakValueDictionary[str, Any] = WeakValueDictionary()
        #: The requests that are acknowledged late: in a cold shutdown, Celery drops them before it sends any signal.
        self.unacknowledged: dict[str, Any] = {}
        #: Ends that are being reported.
        self.unfinished: set[futures.Future[None]] = set()
        self.notes = Notes(self.requests.__contains__)
        self.executor = DaemonExecutor(max_workers=4, name="tasks_app-celery")


@per_process()
def get_held() -> Held:
    """Return the held tasks of this process."""
    return Held()


@never_raise
def on_received(*, request: Any, **kwargs: Any) -> None:
    """Remember the request of a received task."""
    if is_tracked(request.type, request.id):
        get_held().requests[request.id] = request
        _hold(request)
        if request.expires is not None:  # it may wait here for longer, and begin
            get_held().notes.add(request.id)


@never_raise
def on_revoked(*, request: Any, terminated: bool, expired: bool, **kwargs: Any) -> None:
    """Report that a task will not begin, or that its process is killed."""
    status = EXPIRED if expired else None
    _end_soon(request.id, lambda reporter: reporter.end_cancelled(status), get_context=lambda: request)


@never_raise
def on_unknown(*, id: str, message: Any, **kwargs: Any) -> None:
    """Report that the worker does not know the task that it received."""
    _end_soon(
        id,
        lambda reporter: reporter.fail_openly("NotRegistered", "The worker does not know this task."),
        get_context=lambda: Context(message.payload[2]),
    )


@never_raise
def on_rejected(*, message: Any, **kwargs: Any) -> None:
    """Report that the worker could not read the message."""
    if (task_id := (message.headers or {}).get("id")) is not None:
        _end_soon(
            task_id, lambda reporter: reporter.fail_openly("InvalidTaskError", "The worker can't read the message.")
        )


def fail(task_id: str, error: BaseException) -> None:
    """Report the failure of a task that could not begin, or whose process was killed or is gone."""
    if isinstance(error, WorkerLostError):
        _end_soon(task_id, Reporter.end_lost)
    elif isinstance(error, TimeLimitExceeded):
        _end_soon(task_id, lambda reporter: common.fail(reporter, error))
    else:  # a task that began in another process is reported there
        _end_soon(task_id, lambda reporter: common.fail(reporter, error), only_in=State.QUEUED)


def hand_back(task_id: str) -> None:
    """Report that a task whose process was killed waits for its next attempt."""
    get_held().unacknowledged.pop(task_id, None)
    _end_soon(task_id, Reporter.hand_back, only_in=State.RUNNING)


def hand_back_cancelled() -> None:
    """Report the tasks that a cold shutdown gives back to the broker, and wait until that is stored.

    This also waits for the reports of all other ended tasks, since Celery sends no signal at the end of a cold
    shutdown. It waits at most EXIT_SECONDS in total.
    """
    unacknowledged = get_held().unacknowledged
    cancelled = [request.id for request in list(unacknowledged.values()) if _is_given_back(request)]
    unacknowledged.clear()  # the broker redelivers the others once the connection is closed
    for task_id in cancelled:
        hand_back(task_id)
    began = time.monotonic()
    drain(EXIT_SECONDS)
    if cancelled:
        get_flusher().drain(EXIT_SECONDS - (time.monotonic() - began))


def drain(timeout: float) -> None:
    """Wait for all ends to be reported, at most `timeout` seconds; later calls skip those that were late."""
    unfinished = get_held().unfinished
    _, late = futures.wait(list(unfinished), timeout)
    unfinished.difference_update(late)


def _hold(request: Any) -> None:
    unacknowledged = get_held().unacknowledged
    for task_id, held in list(unacknowledged.items()):
        if held.acknowledged:
            unacknowledged.pop(task_id, None)
    if request.task.acks_late:
        unacknowledged[request.id] = request


def _is_given_back(request: Any) -> bool:
    # Nothing else tells that Celery killed a process in its own shutdown. It can't kill a thread.
    return request._already_cancelled and not request.acknowledged and request.worker_pid not in (None, os.getpid())


def _end_soon(
    task_id: str,
    end: Callable[[Reporter], None],
    *,
    only_in: State | None = None,
    get_context: Callable[[], Any] | None = None,
) -> None:
    """End a task and what was to follow it in another thread, because the worker's main loop must not wait.

    Args:
        end: called with a reporter of the task.
        only_in: the state that the task must be in; None for any state that is not terminal.
        get_context: returns the context of a task that was not received.
    """
    held = get_held()
    request = held.requests.get(task_id)
    if get_context is None and request is not None:
        get_context = partial(getattr, request, "_context")
    future = held.executor.submit(_end, task_id, request, end, only_in, get_context or Context)
    held.unfinished.add(future)
    future.add_done_callback(held.unfinished.discard)


def _end(
    task_id: str,
    request: Any,
    end: Callable[[Reporter], None],
    only_in: State | None,
    get_context: Callable[[], Any],
) -> None:
    try:
        pid = getattr(request, "worker_pid", None)
        if not _await_death(pid):
            logger.warning(
                "task %s: process %s was told to die, but goes on and reports the task",
                task_id,
                pid,
                extra={"task_id": task_id},
            )
            return
        snapshot = _load(task_id)
        if snapshot is None and request is not None and only_in is None:
            snapshot = _read_message(request)
        if snapshot is not None and only_in in (None, snapshot.state):
            end(reporter := adopt(snapshot))
            end_followers(get_context(), reporter.snapshot)
    except Exception:
        logger.exception("task %s: its end could not be reported", task_id, extra={"task_id": task_id})
    finally:
        close_old_connections()


def _await_death(pid: int | None) -> bool:
    """Wait until the process that ran a task is dead, since it may write until then; return whether it is."""
    pause, deadline = threading.Event(), time.monotonic() + DEATH_SECONDS
    while pid is not None and pid != os.getpid() and _is_alive(pid):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True


def _is_alive(pid: int) -> bool:
    """Whether this child process lives; a dead one stays a zombie for seconds, until Celery's pool reaps it."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _load(task_id: str) -> Snapshot | None:
    """Return the stored snapshot of a task, with retries until the cache answers."""
    pause, failures = threading.Event(), 0
    while True:
        try:
            return get_store().get(task_id)
        except Exception:
            if failures == 0:
                logger.exception(
                    "task %s: its snapshot could not be read; retrying", task_id, extra={"task_id": task_id}
                )
            pause.wait(min(MIN_BACKOFF * 2**failures, MAX_BACKOFF))
            failures = min(failures + 1, 16)


def _read_message(request: Any) -> Snapshot:
    """Return a snapshot from the message of a task whose process was killed before it stored one."""
    flusher = get_flusher()
    snapshot = read_header(request.id, request.type, Context(request.request_dict))
    flusher.enlist(snapshot)
    return renumber(snapshot, now=flusher.clock.now())
