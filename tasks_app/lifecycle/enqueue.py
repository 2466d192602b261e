"""The first snapshot of an enqueued task, with the name and the owner that `start()` gives it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction

from ..exceptions import StoreUnavailable
from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import get_store

logger = logging.getLogger("tasks_app")

#: Stores a name and an owner with the task itself.
Keep = Callable[[str, str | None], None]


@dataclass(slots=True)
class Start:
    """The name and the owner of the task that `start()` enqueues, and the outcome."""

    name: str | None
    owner: str | None
    snapshot: Snapshot | None = None
    error: Exception | None = None


_start: ContextVar[Start | None] = ContextVar("tasks_app_start", default=None)


@contextmanager
def starting(name: str | None, owner: str | None) -> Iterator[None]:
    """Give the task that is enqueued in this block a name and an owner.

    Args:
        name: None for the name that the framework gives it.
        owner: None for a task without owner.

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
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    database: str | None = None,
    keep: Keep | None = None,
) -> tuple[Snapshot, bool]:
    """Store the first snapshot of an enqueued task.

    Args:
        task_id: the id of the task.
        task, owner: its name and owner, unless `starting` gives others.
        runner: the name of the framework that can withdraw the task.
        beat: 1 if this process gives signs of life while the task waits, else None.
        not_before: the time at which the task may begin; None: at once.
        expires_at: the time after which no executor begins it; None: it does not expire.
        database: the alias of a database whose open transaction holds the task. The snapshot is stored at the commit,
            because a rollback undoes the task.
        keep: stores the name and the owner from `starting` with the task itself, in that transaction. A worker may
            begin before the snapshot is stored, or after the cache was emptied, and needs them then.

    Returns:
        The snapshot, and whether it is stored or will be at the commit. If the task is known already, because a
        worker was faster or it was enqueued before, this is the stored snapshot.

    Raises:
        StoreUnavailable: the cache failed in a `starting` block; elsewhere the snapshot is stored later.
    """
    start = _start.get()
    if start is None or start.snapshot is not None:  # not started, or enqueued by the started task in its own context
        start = Start(None, owner)
    is_awaited = start is _start.get()  # only `start()` may wait for a cache that hangs
    snapshot = Snapshot.queued(
        task_id,
        start.name or task,
        now=get_flusher().clock.now(),
        owner=start.owner,
        runner=runner,
        beat=beat,
        not_before=not_before,
        expires_at=expires_at,
    )
    start.snapshot = snapshot
    try:
        if database is None:
            return _add(snapshot, is_awaited), True
        _add_at_commit(snapshot, database, keep if is_awaited else None)
    except Exception as error:
        start.error = error
        if is_awaited:
            raise StoreUnavailable("the state of the new task could not be stored") from error
        _keep_unstored(snapshot)
        return snapshot, False
    return snapshot, True


def find_queued(task_id: str) -> Snapshot | None:
    """Return the snapshot that `queue` made of this task in the current `starting` block, or None."""
    start = _start.get()
    if start is None or start.snapshot is None or start.snapshot.task_id != task_id:
        return None
    return start.snapshot


def _add(snapshot: Snapshot, is_awaited: bool) -> Snapshot:
    return _add_now(snapshot) if is_awaited else get_store().call_briefly(_add_now, snapshot)


def _add_now(snapshot: Snapshot) -> Snapshot:
    store = get_store()
    if store.add(snapshot):
        get_flusher().enlist(snapshot)
        return snapshot
    known = store.get(snapshot.task_id)
    if known is None:
        raise StoreUnavailable(f"the cache did not store task {snapshot.task_id!r}")
    return known


def _add_at_commit(snapshot: Snapshot, database: str, keep: Keep | None) -> None:
    if keep is not None:
        get_store().get(snapshot.task_id)  # an unreachable cache makes `start()` raise now, not at the commit
        keep(snapshot.task, snapshot.owner)
    transaction.on_commit(partial(_add_late, snapshot, keep is not None), using=database)


def _add_late(snapshot: Snapshot, is_awaited: bool) -> None:
    try:
        _add(snapshot, is_awaited)
    except Exception:
        _keep_unstored(snapshot)


def _keep_unstored(snapshot: Snapshot) -> None:
    logger.exception("task %s: its first snapshot could not be stored at once", snapshot.task_id)
    if snapshot.beat is None:  # else its reporter stores it
        get_flusher().enlist(snapshot, is_stored=False)
