"""The keeping of parents: what they are and who their children are is stored again where the cache fails."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from .. import wakeups
from ..exceptions import StoreUnavailable
from ..reporting import Step, disown_if_gone, get_flusher, take_back_parent
from ..snapshot import Part, Snapshot, State, as_whole
from ..store import HELD, count_left_again, expect_ends, get_store, restore_ends
from .stopping import cancel_children

logger = logging.getLogger("tasks_app")

#: The status of what was to be sent, but was not.
NOT_SENT = "Not sent"


def begin_sending(own: Snapshot) -> None:
    """Give signs of life of a parent, which is stored with the first one, until `end_sending` is called."""
    flusher = get_flusher()
    flusher.backlog.parents.sent.add(own, monotonic=flusher.clock.monotonic())
    flusher.wake()


def end_sending(own: Snapshot, number: int) -> list[Step]:
    """Give no more signs of life of a parent, and return the steps to store it without one and have it end.

    Args:
        number: how many children it has, instead of HELD, for which it waits.
    """
    whole, task_id = as_whole(own, now=get_flusher().clock.now()), own.task_id
    if stop_beating(task_id):
        return [partial(_save_late, whole), partial(_release, task_id, partial(count_left_again, task_id))]
    return [partial(_save_whole, whole), partial(_release, task_id, partial(expect_ends, task_id, number - HELD))]


def stop_beating(task_id: str) -> bool:
    """Give no more signs of life of a parent, and return whether it may have been declared lost."""
    flusher = get_flusher()
    return flusher.backlog.parents.sent.remove(task_id, monotonic=flusher.clock.monotonic())


def _save_late(own: Snapshot) -> None:
    _save_whole(take_back_parent(own))


def _save_whole(own: Snapshot) -> None:
    """Store a parent whose children are sent, without an owner who was deleted meanwhile."""
    save(disown_if_gone(own))


def _release(task_id: str, count: Callable[[], int]) -> None:
    if count() <= 0:
        get_flusher().sums.end(task_id)


def settle(task_id: str, steps: Sequence[Step], *, failure: str, children: Mapping[str, float]) -> None:
    """Take steps for a parent, and keep who its children are until it has ended.

    What fails is logged, and tried again.

    Args:
        failure: what can't be done then, for the log.
        children: their ids, and the weight of each.
    """
    flusher = get_flusher()
    monotonic = flusher.clock.monotonic()
    flusher.backlog.parents.owed.settle(task_id, steps, failure=failure, monotonic=monotonic)
    if children:
        flusher.backlog.parents.families.keep(task_id, children, see_to=see_to, monotonic=monotonic)
    flusher.wake()


def give_up_part(parent: str, known: Snapshot) -> None:
    """Have a parent count a part as lost that is the unfinished task of another parent, or of none.

    Args:
        parent: the id of the parent.
        known: that task.
    """
    task_id, now = known.task_id, get_flusher().clock.now()
    logger.warning(
        "task %s: it is sent as a part of task %s, but runs apart from that already; that part counts as lost",
        task_id,
        parent,
        extra={"task_id": task_id},
    )
    steps: list[Step] = [
        partial(restore_ends, parent, {task_id: Part(State.LOST, 0.0, 0, now)}),
        partial(_release, parent, partial(expect_ends, parent, -1)),
    ]
    settle(parent, steps, failure=f"its part {task_id} can't be given up", children={})


def save(own: Snapshot) -> None:
    """Store the own record of a parent that runs nothing, and keep it, since the cache may lose it.

    Raises:
        StoreUnavailable: the cache refused it.
        Exception: any other error of the cache.
    """
    versions, refused = get_store().save([own])
    if refused:
        raise StoreUnavailable(f"the cache did not store task {own.task_id!r}")
    wakeups.publish(versions)
    flusher = get_flusher()
    flusher.backlog.keep(versions[own.task_id], monotonic=flusher.clock.monotonic())


def see_to(task_id: str) -> None:
    """End a parent if all its children have ended, or cancel them if its cancel was requested.

    Raises:
        Exception: any error of the cache.
    """
    get_flusher().sums.end(task_id)
    cancel_if_asked(task_id)


def cancel_if_asked(task_id: str) -> None:
    """Cancel the children of a parent whose cancel was requested.

    Raises:
        Exception: any error of the cache.
    """
    if get_store().find_cancelled([task_id]):
        cancel_children(task_id)
