"""A task is enqueued: its first snapshot, with the owner and the name that `start()` gives it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from ..exceptions import StoreUnavailable
from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import get_store

logger = logging.getLogger("tasks_app")

#: What keeps the name and the owner of a task with it.
Keep = Callable[[str, str | None], None]


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


def queue(
    task_id: str,
    task: str,
    *,
    owner: str | None = None,
    runner: str | None = None,
    beat: int | None = None,
    delay: float = 0,
    database: str | None = None,
    keep: Keep | None = None,
) -> tuple[Snapshot, bool]:
    """Make the first snapshot of a task that is enqueued, and return it and whether it could be stored.

    Where the task is known already, since a worker was faster or it was enqueued before, that snapshot is returned.

    Args:
        task, owner: its name and owner, unless `starting` gives it others.
        runner: the name of the framework that can take it back.
        beat: 1 if this process gives signs of life while the task waits.
        delay: seconds until it may begin.
        database: the alias of a database whose open transaction holds the task: it is stored at the commit, since
            after a rollback it never was.
        keep: what keeps the name and the owner that `starting` gives with the task itself, in that transaction: a
            worker may be faster than what is called at the commit, and must know them even if the cache is emptied.

    Raises:
        StoreUnavailable: the cache failed, and whoever enqueues it wants to know; else that is logged.
    """
    start = _start.get()
    if start is None or start.snapshot is not None:  # enqueued by a task that was started, and runs, in this context
        start = Start(None, owner)
    is_awaited = start is _start.get()  # by whoever starts it; else nobody must wait for a cache that hangs
    now = get_flusher().clock.now()
    snapshot = Snapshot.queued(task_id, start.name or task, now=now, owner=start.owner, runner=runner, beat=beat)
    start.snapshot = snapshot
    try:
        if database is None:
            return _add(snapshot, delay, is_awaited), True
        _add_at_commit(snapshot, delay, database, keep if is_awaited else None)
    except Exception as error:
        start.error = error
        if is_awaited:
            raise StoreUnavailable("the state of the new task could not be stored") from error
        logger.exception("task %s: its first snapshot could not be stored", task_id)
        return snapshot, False
    return snapshot, True


def find_queued(task_id: str) -> Snapshot | None:
    """Return the snapshot that `queue` has made of this task, if it is the one that is started in this context."""
    start = _start.get()
    if start is None or start.snapshot is None or start.snapshot.task_id != task_id:
        return None
    return start.snapshot


def _add(snapshot: Snapshot, delay: float, is_awaited: bool) -> Snapshot:
    return _add_now(snapshot, delay) if is_awaited else get_store().call_briefly(_add_now, snapshot, delay)


def _add_now(snapshot: Snapshot, delay: float) -> Snapshot:
    store = get_store()
    if store.add(snapshot, delay=delay):
        get_flusher().enlist(snapshot)
        return snapshot
    known = store.get(snapshot.task_id)
    if known is None:
        raise StoreUnavailable(f"the cache did not take task {snapshot.task_id!r}")
    return known


def _add_at_commit(snapshot: Snapshot, delay: float, database: str, keep: Keep | None) -> None:
    if keep is not None:
        get_store().get(snapshot.task_id)  # whoever starts it is told now that the cache can't be reached
        keep(snapshot.task, snapshot.owner)
    transaction.on_commit(partial(_add_late, snapshot, delay, keep is not None), using=database)


def _add_late(snapshot: Snapshot, delay: float, is_awaited: bool) -> None:
    try:
        _add(snapshot, delay, is_awaited)
    except Exception:
        logger.exception("task %s: its first snapshot could not be stored", snapshot.task_id)
