"""Looking at a task, and asking it to stop, from Python."""

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from ..exceptions import TaskAlreadyEnded, TaskNotFound
from ..reporting import find_reporter, get_flusher
from ..snapshot import Snapshot
from ..store import get_store
from ..streaming import observe
from .frameworks import find_framework


def get_snapshot(task_id: str) -> Snapshot:
    """Return what is known of a task, with all that was reported in this process before the call.

    Who asks again and again sees, as those who stream it do, that a task is `stalled` or lost.

    Raises:
        TaskNotFound: no task with this id is known.
        StoreUnavailable: the cache did not take that the task is lost.
    """
    if find_reporter(task_id) is not None:
        get_flusher().flush()
    snapshot = observe(task_id)
    if snapshot is None:
        raise TaskNotFound(f"no task {task_id!r} is known")
    return snapshot


async def aget_snapshot(task_id: str) -> Snapshot:
    """Do what `get_snapshot` does, from async code."""
    return await sync_to_async(get_snapshot, thread_sensitive=False)(task_id)


def cancel(task_id: str) -> None:
    """Ask a task to stop.

    A task that waits in this process, in a database or for a Celery worker is taken back; a coroutine is cancelled;
    sync code stops at its next step of `progress.track()` or call of `progress.raise_if_cancelled()`.

    Raises:
        TaskNotFound: no task with this id is known.
        TaskAlreadyEnded: it has ended before.
    """
    snapshot = get_snapshot(task_id)
    if snapshot.is_terminal:
        raise TaskAlreadyEnded(f"task {task_id!r} has ended before: {snapshot.state}")
    get_store().request_cancel(task_id)
    if (reporter := find_reporter(task_id)) is not None:
        reporter.request_cancel()
    if (framework := find_framework(snapshot.runner)) is not None:
        framework.withdraw(task_id)


async def acancel(task_id: str) -> None:
    """Do what `cancel` does, from async code."""
    await sync_to_async(_cancel_in_thread, thread_sensitive=False)(task_id)


def _cancel_in_thread(task_id: str) -> None:
    try:
        cancel(task_id)
    finally:
        close_old_connections()
