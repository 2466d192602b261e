"""Functions that read and cancel a task from Python."""

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from ..exceptions import TaskAlreadyEnded, TaskNotFound
from ..reporting import find_reporter, get_flusher
from ..snapshot import Snapshot
from ..store import get_store
from ..streaming import observe
from .stopping import cancel_children, stop


def get_snapshot(task_id: str) -> Snapshot:
    """Return the snapshot of a task, with everything reported in this process before the call.

    A single call finds that a task is `stalled` by the age of its last sign of life; repeated calls in one process
    find that it is lost, as streams do.

    Raises:
        TaskNotFound: no task with this id is known.
        Exception: any error of the cache backend.
    """
    return look_up(task_id, waits=True)


def look_up(task_id: str, *, waits: bool) -> Snapshot:
    """Do what `get_snapshot` does, for a page without waiting for a write that is under way."""
    if find_reporter(task_id) is not None:
        get_flusher().flush(waits=waits)
    snapshot = observe(task_id)
    if snapshot is None:
        raise TaskNotFound(f"no task {task_id!r} is known")
    return snapshot


async def aget_snapshot(task_id: str) -> Snapshot:
    """Do what `get_snapshot` does, from async code."""
    return await sync_to_async(get_snapshot, thread_sensitive=False)(task_id)


def cancel(task_id: str) -> None:
    """Ask a task to stop.

    A task that still waits in this process, in a database or for a Celery worker is withdrawn. A coroutine of
    `InProcessBackend` is cancelled. Any other job stops at its next step of `progress.track()` or call of
    `progress.raise_if_cancelled()`. With a parent, its children are cancelled that have not ended, also those that it
    starts later.

    Raises:
        TaskNotFound: no task with this id is known.
        TaskAlreadyEnded: the task has ended.
        Exception: any error of the cache backend.
    """
    snapshot = get_snapshot(task_id)
    if snapshot.is_terminal:
        raise TaskAlreadyEnded(f"task {task_id!r} has already ended: {snapshot.state}")
    get_store().request_cancel(task_id, delay=snapshot.waits_for)
    stop([snapshot])
    cancel_children(task_id)  # which it may have just been given


async def acancel(task_id: str) -> None:
    """Do what `cancel` does, from async code."""
    await sync_to_async(_cancel_in_thread, thread_sensitive=False)(task_id)


def _cancel_in_thread(task_id: str) -> None:
    try:
        cancel(task_id)
    finally:
        close_old_connections()
