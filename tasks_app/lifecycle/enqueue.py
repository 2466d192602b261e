"""The first snapshot of an enqueued task, with the name, the owner and the label that `start()` gives it."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from django.db import transaction

from ..exceptions import StoreUnavailable, TaskIdTaken
from ..reporting import foretell, get_flusher
from ..snapshot import Snapshot, as_sent, expect_children, is_unsent
from ..store import get_store
from .bursts import hold
from .chosen_ids import begin_again, check_are_free, check_is_free, is_of_another_run, name_run, refuse
from .identity import Identity, inherit_owner

logger = logging.getLogger("tasks_app")

#: Stores what a task keeps with the task itself.
Keep = Callable[[Identity], None]


@dataclass(slots=True)
class Start:
    """The identity that `start()` gives the task that it enqueues, its id if that was promised, and the outcome."""

    identity: Identity
    promised_id: str | None = None
    snapshot: Snapshot | None = None
    error: Exception | None = None
    #: Whether it is one of a batch whose first task was accepted.
    is_accepted: bool = False


#: The most started tasks kept of which their backends have not told yet.
MAX_UNTOLD = 10_000

_untold: OrderedDict[str, Start] = OrderedDict()
_start: ContextVar[Start | None] = ContextVar("tasks_app_start", default=None)


@contextmanager
def starting(identity: Identity, *, promised_id: str | None = None, is_accepted: bool = False) -> Iterator[None]:
    """Give the task that is enqueued in this block a name, an owner and a label.

    Args:
        identity: what the task is given.
        promised_id: the id that was given away before. The task is then enqueued also if its first snapshot can't be
            stored.
        is_accepted: whether it is one of a batch whose first task was accepted: no queue is then too full for it.

    Raises:
        StoreUnavailable: its first snapshot could not be stored.
        Exception: the process can't start the thread that is to report the task; the block is not entered.
    """
    start = Start(identity, promised_id, is_accepted=is_accepted)
    with get_flusher().thread.hold():
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
    label: str | None = None,
    parent: str | None = None,
    children: int | None = None,
    runner: str | None = None,
    beat: int | None = None,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    position: int | None = None,
    database: str | None = None,
    keep: Keep | None = None,
    is_in_burst: bool = False,
    is_new_run: bool = False,
) -> tuple[Snapshot, bool]:
    """Store the first snapshot of an enqueued task.

    Args:
        task_id: the id of the task.
        task, owner, label, parent: its name, owner, label and parent, unless `starting` gives others.
        children: how many children it is known to get; None if it has none.
        runner: the name of the framework that can withdraw the task.
        beat: 1 if this process gives signs of life while the task waits, else None.
        not_before: the time at which the task may begin; None: at once.
        expires_at: the time after which no executor begins it; None: it does not expire.
        position: the position of the task in its queue, if that is known; 1 is next.
        database: the alias of a database whose open transaction holds the task. The snapshot is stored at the commit,
            because a rollback undoes the task.
        keep: stores what `starting` gives the task with the task itself, in that transaction. A worker may
            begin before the snapshot is stored, or after the cache was emptied, and needs them then.
        is_in_burst: whether this process reports the task and enqueues many, whose first snapshots need not be
            written one by one; of what is started here, only the later tasks of a batch.
        is_new_run: whether this is the first message of a run whose id its caller has chosen: a task that has ended
            under the same id then begins again, as a new record. Without that, so does one of another parent.

    Returns:
        The snapshot, and whether it is stored or will be at the commit; if not, the caller has it written. If the
        task is known already, because a worker was faster or it was enqueued or announced before, this is the stored
        snapshot.

    Raises:
        StoreUnavailable: the cache failed in a `starting` block; elsewhere the snapshot is stored later.
        TaskIdTaken: a `starting` block gives an owner to a task that has another one, or begins a new run under the id
            of a task that has not ended.
    """
    start = _untold.pop(task_id, None) or _start.get()
    if start is None or start.snapshot is not None:  # not started, or enqueued by the started task in its own context
        start = Start(Identity(None, inherit_owner() if owner is None else owner, label, parent))
    # Only `start()` may wait for a cache that hangs.
    is_awaited = start is _start.get() and start.promised_id is None
    snapshot = Snapshot.queued(
        task_id,
        start.identity.name or task,
        now=get_flusher().clock.now(),
        label=start.identity.label,
        owner=start.identity.owner,
        parent=start.identity.parent,
        runner=runner,
        beat=beat,
        not_before=not_before,
        expires_at=expires_at,
        queue_position=position,
    )
    if children is not None:
        snapshot = replace(expect_children(snapshot, children, now=snapshot.created_at), seq=snapshot.seq)
    start.snapshot = snapshot
    if is_in_burst and (start is not _start.get() or start.is_accepted):
        snapshot = foretell(snapshot, reads=False)
        return snapshot, hold(snapshot)
    try:
        if database is None:
            is_started = start is _start.get()
            if is_started and is_new_run:
                _check_id(snapshot)
            known = _add(snapshot, is_awaited, is_new_run)
            return _choose_run(snapshot, known, is_started, is_new_run), True
        _add_at_commit(snapshot, database, keep if is_awaited else None)
    except TaskIdTaken:
        raise
    except Exception as error:
        if is_awaited:
            start.error = error
            raise StoreUnavailable("the state of the new task could not be stored") from error
        _keep_unstored(snapshot)
        return snapshot, False
    return snapshot, True


def check_owner(known: Snapshot, owner: str | None) -> None:
    """Check that a task is not someone else's, who would see what it does for the one who starts it under its id.

    An executor that was faster than this process may not know the owner.

    Raises:
        TaskIdTaken: it has another owner.
    """
    if None not in (owner, known.owner) and owner != known.owner:
        raise TaskIdTaken(f"task {known.task_id!r} exists already, and has another owner; use another id")


def _check_id(snapshot: Snapshot) -> None:
    if (known := get_store().get(snapshot.task_id)) is not None:
        check_is_free(known, snapshot.owner)


def _choose_run(snapshot: Snapshot, known: Snapshot, is_started: bool, is_new_run: bool) -> Snapshot:
    """Return the stored task that a message is of, or `snapshot` if it is of a run that nobody sees under this id."""
    if is_new_run and is_of_another_run(known, name_run(snapshot)):
        if is_started:  # another one has begun since it was checked
            refuse(known)
        return known if known.owner == snapshot.owner else snapshot
    if is_started:
        check_owner(known, snapshot.owner)
    return known


def get_promised_id() -> str | None:
    """Return the id that the task which is now enqueued must have; None if its framework chooses one."""
    start = _start.get()
    return None if start is None or start.snapshot is not None else start.promised_id


def check_parts(task_ids: Iterable[str]) -> None:
    """Check that the owner of the task which is now started may give these ids to its parts.

    Raises:
        TaskIdTaken: a task with such an id has not ended, or has another owner.
        StoreUnavailable: the cache can't be reached.
    """
    start = _start.get()
    check_are_free(task_ids, inherit_owner() if start is None else start.identity.owner)


def is_accepted() -> bool:
    """Whether the task which is now enqueued belongs to a batch whose first task was accepted."""
    start = _start.get()
    return start is not None and start.snapshot is None and start.is_accepted


def keep_for(task_id: str) -> bool:
    """Keep what the started task was given for a later call of `queue`; return False if that was called."""
    start = _start.get()
    if start is None or start.snapshot is not None:
        return False
    _untold[task_id] = Start(start.identity)
    if len(_untold) > MAX_UNTOLD:  # a transaction that is rolled back tells nobody
        _untold.popitem(last=False)
    return True


def is_untold(task_id: str) -> bool:
    """Whether `queue` was not called for a task since `keep_for`."""
    return task_id in _untold


def find_queued(task_id: str) -> Snapshot | None:
    """Return the snapshot that `queue` made of this task in the current `starting` block, or None."""
    start = _start.get()
    if start is None or start.snapshot is None or start.snapshot.task_id != task_id:
        return None
    return start.snapshot


def _add(snapshot: Snapshot, is_awaited: bool, is_new_run: bool = False) -> Snapshot:
    add = partial(_add_now, snapshot, is_new_run)
    return add() if is_awaited else get_store().call_briefly(add)


def _add_now(snapshot: Snapshot, is_new_run: bool) -> Snapshot:
    store = get_store()
    snapshot = foretell(snapshot)
    if store.add(snapshot):
        if is_new_run:
            store.forget_words(snapshot.task_id)  # of a run whose end is kept no longer
        get_flusher().enlist(snapshot)
        return snapshot
    known = store.get(snapshot.task_id)
    if known is None:
        raise StoreUnavailable(f"the cache did not store task {snapshot.task_id!r}")
    if is_unsent(known):
        return _send(as_sent(known, snapshot))
    is_new_run = is_new_run or snapshot.parent not in (None, known.parent)
    return _begin_again(known, snapshot) if is_new_run and known.is_terminal else known


def _begin_again(ended: Snapshot, snapshot: Snapshot) -> Snapshot:
    run = begin_again(ended, snapshot)
    get_flusher().enlist(run)
    return run


def _send(snapshot: Snapshot) -> Snapshot:
    """Store that a follower is sent; no executor has it yet, so nobody else writes it."""
    if snapshot.waits_for:
        get_flusher().enlist(snapshot)  # for as long on the list
    if get_store().save([snapshot]).refused:
        raise StoreUnavailable(f"the cache did not store task {snapshot.task_id!r}")
    return snapshot


def _add_at_commit(snapshot: Snapshot, database: str, keep: Keep | None) -> None:
    if keep is not None:
        get_store().get(snapshot.task_id)  # an unreachable cache makes `start()` raise now, not at the commit
        keep(Identity(snapshot.task, snapshot.owner, snapshot.label, snapshot.parent))
    transaction.on_commit(partial(_add_late, snapshot, keep is not None), using=database)


def _add_late(snapshot: Snapshot, is_awaited: bool) -> None:
    try:
        _add(snapshot, is_awaited)
    except Exception:
        _keep_unstored(snapshot)


def _keep_unstored(snapshot: Snapshot) -> None:
    logger.exception(
        "task %s: its first snapshot could not be stored at once",
        snapshot.task_id,
        extra={"task_id": snapshot.task_id},
    )
    if snapshot.beat is None:  # else its reporter stores it
        get_flusher().enlist(snapshot, is_stored=False)
