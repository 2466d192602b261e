"""Functions that start many tasks at once, as the children of a parent that runs nothing itself."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from secrets import token_hex
from typing import Any

from asgiref.sync import sync_to_async

from .. import wakeups
from ..exceptions import InvalidArguments, StoreUnavailable
from ..reporting import foretell, get_flusher
from ..snapshot import BATCH, GENERIC_TYPE, Snapshot, expect_children
from ..store import add_children, drop_family, expect_ends, get_store
from .attempts import adopt_promised
from .batch_calls import Call, read_calls, read_weights
from .children import RUNNING, Link, choose_parent, link_to
from .commits import call_at_commit, choose_transactions, find_transactions
from .enqueue import starting
from .frameworks import Framework, Promise, commits_with, get_framework, make_promise
from .identity import Identity
from .stopping import cancel_children

logger = logging.getLogger("tasks_app")


def start_batch(
    task: Any,
    calls: Iterable[Any],
    *,
    owner: object = None,
    name: str | None = None,
    label: object = None,
    allow_failures: bool = False,
    weights: Iterable[float] | None = None,
    parent: object = RUNNING,
    weight: float = 1,
    on_commit: bool | None = None,
) -> str:
    """Enqueue a task many times, and return the id of their parent, which runs nothing itself.

    The parent shows all of them as one: their mean progress, and how many have ended. It ends with the last of them.

    Nothing is enqueued unless all calls fit. If the queue or the broker fails at the first call, neither is anything
    left; if it fails later, those that were sent are cancelled, and the parent ends as failed, and says why.

    Args:
        task: a task, as for `start()`.
        calls: the arguments of each: a tuple for positional ones, a dict for keywords, or a pair of both. At most
            MAX_CHILDREN.
        owner: the user that may see and cancel the parent and its children, as for `start()`.
        name: the name of the parent; None for that of the task.
        label: what people call the parent.
        allow_failures: whether the parent succeeds although some of its children did not.
        weights: how much of the progress each call is, as numbers above 0; None for equal parts.
        parent, weight: of the batch itself, as for `start()`.
        on_commit: as for `start()`.

    Returns:
        The id of the parent.

    Raises:
        InvalidArguments: a call does not fit the signature of the task; the message names both.
        ValueError: there are too many calls, or an argument of this function can't be that.
        StoreUnavailable, TaskQueueFull, BrokerUnavailable: as for `start()`. A batch is accepted as a whole if the
            in-process queue has a place for its first task, however large it is.
    """
    identity = choose_parent(parent, Identity.make(owner, label))
    batch = _make_batch(task, calls, identity, name, allow_failures, weights)
    link = link_to(identity.parent, weight)
    databases = _find_databases(batch, on_commit)
    if batch.promises is None:
        _send_unpromised(batch, link)
    elif databases:
        call_at_commit(partial(_send_late, batch, link), databases)
    else:
        _send(batch, link)
    return batch.own.task_id


async def astart_batch(task: Any, calls: Iterable[Any], **options: Any) -> str:
    """Do what `start_batch` does, from async code."""
    return await sync_to_async(partial(start_batch, task, calls, **options))()


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


def _make_batch(
    task: Any,
    calls: Iterable[Any],
    identity: Identity,
    name: str | None,
    allow_failures: bool,
    weights: Iterable[float] | None,
) -> Batch:
    framework = get_framework(task)
    read = read_calls(framework, task, calls)
    now, (_, owner, label, parent) = get_flusher().clock.now(), identity
    known = name or getattr(task, "module_path", None) or getattr(task, "name", None) or str(task)
    own = Snapshot.queued(
        token_hex(16),
        str(known),
        now=now,
        owner=owner,
        label=label,
        parent=parent,
        runner=BATCH,
        allows_failures=bool(allow_failures),
    )
    own = replace(expect_children(own, len(read), now=now), seq=1)
    batch = Batch(framework, task, read, read_weights(weights, len(read)), identity, own)
    batch.promises = _promise_each(framework, task, read)
    if batch.promises is not None:
        batch.task_ids = [promise.task_id for promise in batch.promises]
    return batch


def _promise_each(framework: Framework, task: Any, calls: Iterable[Call]) -> list[Promise] | None:
    promises = []
    for number, call in enumerate(calls):
        try:
            promise = make_promise(framework, task, *call)
        except TypeError as error:
            raise InvalidArguments(f"calls[{number!r}]: {error}") from error
        if promise is None:
            return None
        promises.append(promise)
    return promises


def _find_databases(batch: Batch, on_commit: object) -> list[str]:
    """Return the databases whose commit the batch waits for.

    Raises:
        ValueError: `on_commit` can't be that, or is True for a task that can't wait.
    """
    databases = choose_transactions(on_commit)
    if on_commit and batch.promises is None and not commits_with(batch.framework, batch.task, databases):
        raise ValueError(f"on_commit=True: tasks of the framework {batch.framework.name!r} can't wait for a commit")
    return databases


def _send(batch: Batch, link: Link | None, *, is_known: bool = False) -> None:
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


def _send_late(batch: Batch, link: Link | None) -> None:
    """Do what `_send` does after a commit, whose other hooks must go on."""
    try:
        _send(batch, link, is_known=True)
    except Exception:
        task_id = batch.own.task_id
        logger.exception(
            "task %s: the batch could not be enqueued after the commit", task_id, extra={"task_id": task_id}
        )


def _enqueue(batch: Batch, promise: Promise, *, is_accepted: bool) -> None:
    with starting(batch.child_identity, promised_id=promise.task_id, is_accepted=is_accepted):
        batch.framework.enqueue(batch.task, promise.args, promise.kwargs)


def _send_unpromised(batch: Batch, link: Link | None) -> None:
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


def _open(batch: Batch, link: Link | None) -> None:
    """Store a parent and the ids of its children, as far as they are known.

    Raises:
        StoreUnavailable: the cache can't be reached.
    """
    try:
        if link is not None:
            link.expect()
        expect_ends(batch.own.task_id, len(batch.calls))
        batch.own = foretell(batch.own)
        if not get_store().add(batch.own):
            raise StoreUnavailable(f"the cache did not store task {batch.own.task_id!r}")
        _store_children(batch)
    except Exception as error:  # whatever a cache backend raises
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
    """Cancel what was sent of a batch, have its parent say so, and end what was not sent; what fails is logged."""
    total, now, task_id = len(batch.calls), get_flusher().clock.now(), batch.own.task_id
    get_flusher().enlist(batch.own)
    message = f"{number} of {total} calls were sent, then it failed; these were cancelled"
    try:
        own = batch.own
        if batch.promises is None:
            own = expect_children(replace(own, children=None), number, now=now)
            expect_ends(task_id, number - total)
            _store_children(batch)
        versions = get_store().save([own.failed(GENERIC_TYPE, message, now=now)]).versions
        wakeups.publish(versions)
        for promise in unsent:
            _, owner, label, parent = batch.child_identity
            known = Snapshot.queued(promise.task_id, promise.name, now=now, owner=owner, label=label, parent=parent)
            adopt_promised(known).end_cancelled("Not sent")
        cancel_children(task_id)
        if link is not None:
            link.tell(task_id)
    except Exception:  # whatever a cache backend raises
        logger.exception("task %s: what was sent of the batch can't be cancelled", task_id, extra={"task_id": task_id})


def _finish(batch: Batch, link: Link | None) -> None:
    """See to a batch that was sent: it may have no child, and may have been cancelled meanwhile."""
    task_id = batch.own.task_id
    get_flusher().enlist(batch.own)
    if link is not None:
        link.tell(task_id)
    if not batch.calls:
        get_flusher().sums.end(task_id)
    elif get_store().find_cancelled([task_id]):
        cancel_children(task_id)
