"""Functions that start many tasks at once, as the children of a parent that runs nothing itself."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any

from asgiref.sync import sync_to_async

from ..exceptions import InvalidArguments
from ..reporting import get_flusher
from ..snapshot import BATCH, Snapshot, expect_children
from .batch_calls import Call, read_calls, read_weights
from .batch_sending import Batch, send, send_late, send_unpromised
from .children import RUNNING, Link, choose_parent, link_to
from .commits import call_at_commit, choose_transactions
from .frameworks import Framework, Promise, commits_with, get_framework, make_promise
from .identity import Identity
from .roster import Roster


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
        TypeError, ValueError: there are too many calls, or an argument of this function can't be that.
        StoreUnavailable, TaskQueueFull, BrokerUnavailable: as for `start()`. A batch is accepted as a whole if the
            in-process queue has a place for its first task, however large it is.
    """
    identity = choose_parent(parent, Identity.make(owner, label))
    link = link_to(identity.parent, weight)
    batch = _make_batch(task, calls, identity, link, name, allow_failures, weights)
    databases = _find_databases(batch, on_commit)
    if batch.promises is None:
        send_unpromised(batch)
    elif databases:
        call_at_commit(partial(send_late, batch), databases)
    else:
        send(batch)
    return batch.own.task_id


async def astart_batch(task: Any, calls: Iterable[Any], **options: Any) -> str:
    """Do what `start_batch` does, from async code."""
    return await sync_to_async(partial(start_batch, task, calls, **options))()


def _make_batch(
    task: Any,
    calls: Iterable[Any],
    identity: Identity,
    link: Link | None,
    name: str | None,
    allow_failures: bool,
    weights: Iterable[float] | None,
) -> Batch:
    framework = get_framework(task)
    read = read_calls(framework, task, calls)
    now, (_, owner, label, parent) = get_flusher().clock.now(), identity
    shown = name or getattr(task, "module_path", None) or getattr(task, "name", None) or str(task)
    own = Snapshot.queued(
        token_hex(16),
        str(shown),
        now=now,
        owner=owner,
        label=label,
        parent=parent,
        runner=BATCH,
        allows_failures=bool(allow_failures),
    )
    own = replace(expect_children(own, len(read), now=now), seq=1)
    promises, each = _promise_each(framework, task, read), read_weights(weights, len(read))
    known = dict(zip((promise.task_id for promise in promises or ()), each, strict=False))
    return Batch(framework, task, read, each, identity, own, link, promises, Roster(own.task_id, known))


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
