"""The sending of the tasks of a batch, and of their parent before them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..exceptions import StoreUnavailable
from ..reporting import Step, foretell, get_flusher
from ..snapshot import GENERIC_TYPE, Snapshot, expect_children
from ..store import drop_family, get_store, open_family
from .attempts import adopt_promised
from .batch_calls import Call
from .children import Link, open_link
from .commits import call_at_commit, find_transactions
from .enqueue import starting
from .frameworks import Framework, Promise, commits_with
from .identity import Identity
from .keeping import NOT_SENT, begin_sending, cancel_if_asked, end_sending, settle, stop_beating
from .roster import Roster
from .stopping import cancel_children

logger = logging.getLogger("tasks_app")


@dataclass(slots=True)
class Batch:
    """A batch that is to be sent."""

    framework: Framework
    task: Any
    calls: Sequence[Call]
    weights: Sequence[float]
    identity: Identity
    #: The parent's own record.
    own: Snapshot
    #: The link to its own parent.
    link: Link | None
    #: None if only the framework chooses ids.
    promises: Sequence[Promise] | None
    roster: Roster
    is_told: bool = False

    @property
    def child_identity(self) -> Identity:
        """The attributes that each child is given."""
        return Identity(None, self.identity.owner, None, self.own.task_id)


def send(batch: Batch, *, is_known: bool = False) -> None:
    """Store a parent, then enqueue its children, whose ids are known.

    Args:
        is_known: whether the id of the parent was given away, so that the parent tells of each failure.
    """
    _open(batch)
    promises = batch.promises or ()
    for number, promise in enumerate(promises):
        try:
            _enqueue(batch, promise, is_accepted=number > 0)
        except BaseException:
            if number or is_known:
                _give_up(batch, number, promises[number:])
            else:
                _drop(batch)
            raise
        _tell(batch)
    _finish(batch)


def send_late(batch: Batch) -> None:
    """Do what `send` does after a commit, whose other hooks must go on."""
    try:
        send(batch, is_known=True)
    except Exception:
        task_id = batch.own.task_id
        logger.exception(
            "task %s: the batch could not be enqueued after the commit", task_id, extra={"task_id": task_id}
        )


def send_unpromised(batch: Batch) -> None:
    """Enqueue children, whose ids the framework chooses, and store their parent with them."""
    try:
        get_store().get(batch.own.task_id)
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the new batch could not be stored") from error
    with batch.framework.hold_back():
        databases = find_transactions() if commits_with(batch.framework, batch.task, find_transactions()) else []
        # Before the hooks of the children.
        call_at_commit(partial(_open_late if databases else _open, batch), databases)
        for number, call in enumerate(batch.calls):
            try:
                with starting(batch.child_identity, is_accepted=number > 0):
                    child = batch.framework.enqueue(batch.task, *call)
            except BaseException:
                if not databases:
                    _give_up(batch, number, ()) if number else _drop(batch)
                raise
            batch.roster.add(child, batch.weights[number], is_late=bool(databases))
            if not databases:
                _tell(batch)
    if not databases:
        _finish(batch)


def _enqueue(batch: Batch, promise: Promise, *, is_accepted: bool) -> None:
    with starting(batch.child_identity, promised_id=promise.task_id, is_accepted=is_accepted):
        batch.framework.enqueue(batch.task, promise.args, promise.kwargs)


def _open(batch: Batch) -> None:
    """Store a parent and the ids of its children, as far as they are known.

    Raises:
        ValueError: its own parent has MAX_CHILDREN.
        StoreUnavailable: the cache can't be reached.
    """
    if batch.link is not None:
        open_link(batch.link)
    try:
        open_family(batch.own.task_id)
        batch.own = foretell(batch.own).beating().written(now=get_flusher().clock.now())
        if not get_store().add(batch.own):
            raise StoreUnavailable(f"the cache did not store task {batch.own.task_id!r}")
        batch.roster.store()
    except Exception as error:  # whatever a cache backend raises
        if batch.link is not None:
            batch.link.forget()
        raise StoreUnavailable("the state of the new batch could not be stored") from error
    begin_sending(batch.own)


def _open_late(batch: Batch) -> None:
    """Do what `_open` does after a commit, which nothing can undo; without a parent, its children run all the same."""
    try:
        _open(batch)
        _finish(batch)
    except Exception:
        task_id = batch.own.task_id
        logger.exception("task %s: the batch was enqueued, but can't be shown", task_id, extra={"task_id": task_id})


def _drop(batch: Batch) -> None:
    """Forget a parent of which nothing was sent."""
    stop_beating(batch.own.task_id)
    drop_family(batch.own.task_id)
    if batch.link is not None:
        batch.link.forget()


def _tell(batch: Batch) -> None:
    """List a parent, and tell its own parent of it, since nothing takes it back any more."""
    if not batch.is_told:
        batch.is_told = True
        get_flusher().enlist(batch.own)
        if batch.link is not None:
            batch.link.tell(batch.own.task_id)


def _give_up(batch: Batch, number: int, unsent: Sequence[Promise]) -> None:
    """Cancel what was sent of a batch, have its parent say so, and end what was not sent.

    What fails is logged, and tried again.
    """
    _tell(batch)
    total, now, task_id = len(batch.calls), get_flusher().clock.now(), batch.own.task_id
    message = f"{number} of {total} calls were sent, then it failed; these were cancelled"
    children = len(batch.roster.weights)
    own = expect_children(replace(batch.own, children=None), children, now=now)
    steps = [batch.roster.store, *end_sending(own.failed(GENERIC_TYPE, message, now=now), children)]
    steps += [partial(_end_unsent, batch, promise) for promise in unsent]
    steps.append(partial(cancel_children, task_id))
    settle(task_id, steps, failure="what was sent of the batch can't be cancelled", children=batch.roster.weights)


def _end_unsent(batch: Batch, promise: Promise) -> None:
    _, owner, label, parent = batch.child_identity
    now = get_flusher().clock.now()
    known = Snapshot.queued(promise.task_id, promise.name, now=now, owner=owner, label=label, parent=parent)
    adopt_promised(known).end_cancelled(NOT_SENT)


def _finish(batch: Batch) -> None:
    """See to a batch that was sent: it may have no child, and may have ended or been cancelled meanwhile."""
    _tell(batch)
    task_id = batch.own.task_id
    steps: list[Step] = [] if batch.promises is not None else [batch.roster.store]
    steps += [*end_sending(batch.own, len(batch.calls)), partial(cancel_if_asked, task_id)]
    settle(task_id, steps, failure="that all of it was sent can't be shown", children=batch.roster.weights)
