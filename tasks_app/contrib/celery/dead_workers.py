"""In the main process of a worker: the end of tasks that never began, or whose process has died."""

import os
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any
from weakref import WeakValueDictionary

from celery.app.task import Context
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from django.db import close_old_connections

from ...integration import (
    EXIT_SECONDS,
    MAX_BACKOFF,
    MIN_BACKOFF,
    DaemonExecutor,
    Reporter,
    Snapshot,
    State,
    adopt,
    get_flusher,
    get_store,
    never_raise,
    per_process,
)
from . import common
from .common import is_mirrored, logger, read_header

#: How long a process that was told to die may take until it is thought to go on.
DEATH_SECONDS = 5.0


class Held:
    """What the main process of a worker knows of the tasks that it holds."""

    def __init__(self) -> None:
        #: The requests, which know the processes that run them.
        self.requests: WeakValueDictionary[str, Any] = WeakValueDictionary()
        #: Those acknowledged late: in a cold shutdown, Celery lets go of them before it sends any signal.
        self.unacknowledged: dict[str, Any] = {}
        #: Ends that are being reported.
        self.unfinished: set[futures.Future[None]] = set()
        self.executor = DaemonExecutor(max_workers=4, name="tasks_app-celery")


@per_process()
def get_held() -> Held:
    """Return what this process holds."""
    return Held()


@never_raise
def on_received(*, request: Any, **kwargs: Any) -> None:
    """Remember the request."""
    if is_mirrored(request.type, request.id):
        get_held().requests[request.id] = request
        _hold(request)


@never_raise
def on_revoked(*, request: Any, terminated: bool, expired: bool, **kwargs: Any) -> None:
    """Report that the task will not begin, or that its process is being killed."""
    status = "Expired before it began" if expired else None
    _end_soon(request.id, lambda reporter: reporter.end_cancelled(status))


@never_raise
def on_unknown(*, id: str, **kwargs: Any) -> None:
    """Report that the worker which got the task does not have it."""
    _end_soon(id, lambda reporter: reporter.fail_openly("NotRegistered", "The worker does not know this task."))


@never_raise
def on_rejected(*, message: Any, **kwargs: Any) -> None:
    """Report that the worker could not read the message."""
    if (task_id := (message.headers or {}).get("id")) is not None:
        _end_soon(
            task_id, lambda reporter: reporter.fail_openly("InvalidTaskError", "The worker can't read the message.")
        )


def fail(task_id: str, error: BaseException) -> None:
    """Report a task as failed that ran in a process which was killed, or is gone; or one that could not begin."""
    if isinstance(error, WorkerLostError):
        _end_soon(task_id, Reporter.end_lost)
    elif isinstance(error, TimeLimitExceeded):
        _end_soon(task_id, lambda reporter: common.fail(reporter, error))
    else:  # what began in another process is reported there
        _end_soon(task_id, lambda reporter: common.fail(reporter, error), only_in=State.QUEUED)


def hand_back(task_id: str) -> None:
    """Report that a task whose process was killed waits to be begun anew."""
    get_held().unacknowledged.pop(task_id, None)
    _end_soon(task_id, Reporter.hand_back, only_in=State.RUNNING)


def hand_back_cancelled() -> None:
    """Report what a cold shutdown gives back to the broker, and wait until that is stored, some seconds at most.

    And until all that it has killed is reported: at the end of such a shutdown, Celery sends no signal.
    """
    unacknowledged = get_held().unacknowledged
    cancelled = [request.id for request in list(unacknowledged.values()) if _is_given_back(request)]
    unacknowledged.clear()  # once the connection is closed, the broker itself has the others sent anew
    for task_id in cancelled:
        hand_back(task_id)
    began = time.monotonic()
    drain(EXIT_SECONDS)
    if cancelled:
        get_flusher().drain(EXIT_SECONDS - (time.monotonic() - began))


def drain(timeout: float) -> None:
    """Wait until all is reported, `timeout` seconds at most; what was waited for in vain isn't waited for again."""
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
    # Celery says nowhere else that it has killed a process for its own end; a thread it can't kill.
    return request._already_cancelled and not request.acknowledged and request.worker_pid not in (None, os.getpid())


def _end_soon(task_id: str, end: Callable[[Reporter], None], *, only_in: State | None = None) -> None:
    """Say the last word on a task, in a thread: the worker's main loop must not wait for the cache."""
    held = get_held()
    future = held.executor.submit(_end, task_id, held.requests.get(task_id), end, only_in)
    held.unfinished.add(future)
    future.add_done_callback(held.unfinished.discard)


def _end(task_id: str, request: Any, end: Callable[[Reporter], None], only_in: State | None) -> None:
    try:
        pid = getattr(request, "worker_pid", None)
        if not _await_death(pid):
            logger.warning("task %s: process %s, which was told to die, goes on and reports it", task_id, pid)
            return
        snapshot = _load(task_id)
        if snapshot is None and request is not None and only_in is None:
            snapshot = _read_message(request)
        if snapshot is not None and not snapshot.is_terminal and only_in in (None, snapshot.state):
            end(adopt(snapshot))
    except Exception:
        logger.exception("task %s: its end could not be reported", task_id)
    finally:
        close_old_connections()


def _await_death(pid: int | None) -> bool:
    """Wait until the process that ran a task is gone: it may write until then."""
    pause, deadline = threading.Event(), time.monotonic() + DEATH_SECONDS
    while pid is not None and pid != os.getpid() and _is_alive(pid):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True


def _is_alive(pid: int) -> bool:
    """Does this child process live? Until Celery's pool takes note of its end, for seconds, it is a zombie."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _load(task_id: str) -> Snapshot | None:
    """Return what is stored of a task, when the cache can say it."""
    pause, failures = threading.Event(), 0
    while True:
        try:
            return get_store().get(task_id)
        except Exception:
            if failures == 0:
                logger.exception("task %s: its snapshot could not be read; it is tried again", task_id)
            pause.wait(min(MIN_BACKOFF * 2**failures, MAX_BACKOFF))
            failures = min(failures + 1, 16)


def _read_message(request: Any) -> Snapshot:
    """Make a task of its message: nobody could store anything of it before its process was killed."""
    flusher = get_flusher()
    snapshot = read_header(request.id, request.type, Context(request.request_dict))
    flusher.enlist(snapshot)
    return snapshot.renumbered(now=flusher.clock.now())
