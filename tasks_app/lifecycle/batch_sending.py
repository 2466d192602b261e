"""The sending of the tasks of a batch, and of their parent before them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..exceptions import StoreUnavailable
from ..reporting import Step, foretell, get_flusher
from ..snapshot import GENERIC_TYPE, Snapshot, expect_children
from ..store import add_children, drop_family, expect_ends, get_store
from .attempts import adopt_promised
from .batch_calls import Call
from .children import Link, open_link
from .commits import call_at_commit, find_transactions
from .enqueue import starting
from .frameworks import Framework, Promise, commits_with
from .identity import Identity
from .keeping import NOT_SENT, save, settle
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
    own: Snapshot
    #: None if only the framework chooses ids.
    promises: Sequence[Promise] | None = None
    task_ids: list[str] = field(default_factory=list)

    @property
    def child_identity(self) -> Identity:
        """The attributes that each child is given."""
        return Identity(None, self.identity.owner, None, self.own.task_id)

    def weigh(self, start: int = 0) -> dict[str, float]:
        """Return the weights of the children from this one on, by id."""
        return dict(zip(self.task_ids[start:], self.weights[start:], strict=False))


def send(batch: Batch, link: Link | None, *, is_known: bool = False) -> None:
    """Store a parent, then enqueue its children, whose ids are known.

    Args:
        is_known: whether the id of the parent was given away, so that the parent tells of each failure.
    """
    _open(batch, link)
    promises = batch.promises or ()
    for number, promise in enumerate(promises):
        try:
            _enqueue(batch, promise, is_accepted=number > 0)
        except Exception:
            if number or is_known:
                _give_up(batch, link, number, promises[number:])
            else:
                _drop(batch, link)
            raise
    _finish(batch, link)


def send_late(batch: Batch, link: Link | None) -> None:
    """Do what `send` does after a commit, whose other hooks must go on."""
    try:
        send(batch, link, is_known=True)
    except Exception:
        task_id = batch.own.task_id
        logger.exception(
            "task %s: the batch could not be enqueued after the commit", task_id, extra={"task_id": task_id}
        )


def send_unpromised(batch: Batch, link: Link | None) -> None:
    """Enqueue children, whose ids the framework chooses, and store their parent with them."""
    try:
        get_store().get(batch.own.task_id)
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the new batch could not be stored") from error
    with batch.framework.hold_back():
        databases = find_transactions() if commits_with(batch.framework, batch.task, find_transactions()) else []
        # Before the hooks of the children.
        call_at_commit(partial(_open_late if databases else _open, batch, link), databases)
        for number, call in enumerate(batch.calls):
            try:
                with starting(batch.child_identity, is_accepted=number > 0):
                    batch.task_ids.append(batch.framework.enqueue(batch.task, *call))
            except Exception:
                if not databases:
                    _give_up(batch, link, number, ()) if number else _drop(batch, link)
                raise
        if not databases:
            _store_children(batch)
    if not databases:
        _finish(batch, link)


def _enqueue(batch: Batch, promise: Promise, *, is_accepted: bool) -> None:
    with starting(batch.child_identity, promised_id=promise.task_id, is_accepted=is_accepted):
        batch.framework.enqueue(batch.task, promise.args, promise.kwargs)


def _open(batch: Batch, link: Link | None) -> None:
    """Store a parent and the ids of its children, as far as they are known.

    Raises:
        ValueError: its own parent has MAX_CHILDREN.
        StoreUnavailable: the cache can't be reached.
    """
    if link is not None:
        open_link(link)
    try:
        expect_ends(batch.own.task_id, len(batch.calls))
        batch.own = foretell(batch.own)
        if not get_store().add(batch.own):
            raise StoreUnavailable(f"the cache did not store task {batch.own.task_id!r}")
        _store_children(batch)
    except Exception as error:  # whatever a cache backend raises
        if link is not None:
            link.forget()
        raise StoreUnavailable("the state of the new batch could not be stored") from error


def _open_late(batch: Batch, link: Link | None) -> None:
    """Do what `_open` does after a commit, which nothing can undo; without a parent, its children run all the same."""
    try:
        _open(batch, link)
        _finish(batch, link)
    except Exception:
        task_id = batch.own.task_id
        logger.exception("task %s: the batch was enqueued, but can't be shown", task_id, extra={"task_id": task_id})


def _store_children(batch: Batch) -> None:
    if batch.task_ids:
        add_children(batch.own.task_id, batch.weigh())


def _drop(batch: Batch, link: Link | None) -> None:
    """Forget a parent of which nothing was sent."""
    drop_family(batch.own.task_id)
    if link is not None:
        link.forget()


def _give_up(batch: Batch, link: Link | None, number: int, unsent: Sequence[Promise]) -> None:
    """Cancel what was sent of a batch, have its parent say so, and end what was not sent.

    What fails is logged, and tried again.
    """
    total, now, task_id = len(batch.calls), get_flusher().clock.now(), batch.own.task_id
    get_flusher().enlist(batch.own)
    message = f"{number} of {total} calls were sent, then it failed; these were cancelled"
    own, steps = batch.own, list[Step]()
    if batch.promises is None:
        own = expect_children(replace(own, children=None), number, now=now)
        steps = [partial(expect_ends, task_id, number - total), partial(_store_children, batch)]
    steps.append(partial(save, own.failed(GENERIC_TYPE, message, now=now)))
    steps += [partial(_end_unsent, batch, promise) for promise in unsent]
    steps.append(partial(cancel_children, task_id))
    settle(task_id, steps, failure="what was sent of the batch can't be cancelled", children=batch.weigh())
    if link is not None:
        link.tell(task_id)


def _end_unsent(batch: Batch, promise: Promise) -> None:
    _, owner, label, parent = batch.child_identity
    now = get_flusher().clock.now()
    known = Snapshot.queued(promise.task_id, promise.name, now=now, owner=owner, label=label, parent=parent)
    adopt_promised(known).end_cancelled(NOT_SENT)


def _finish(batch: Batch, link: Link | None) -> None:
    """See to a batch that was sent: it may have no child, and may have been cancelled meanwhile."""
    task_id = batch.own.task_id
    get_flusher().enlist(batch.own)
    if link is not None:
        link.tell(task_id)
    settle(task_id, [partial(_see_to, batch)], failure=_UNSEEN, children=batch.weigh())


_UNSEEN = "whether it is to be cancelled can't be read"


def _see_to(batch: Batch) -> None:
    task_id = batch.own.task_id
    if not batch.calls:
        get_flusher().sums.end(task_id)
    elif get_store().find_cancelled([task_id]):
        cancel_children(task_id)
