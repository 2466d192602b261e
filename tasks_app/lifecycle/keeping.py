"""The keeping of parents: what they are and who their children are is stored again where the cache fails."""

from collections.abc import Mapping, Sequence

from .. import wakeups
from ..exceptions import StoreUnavailable
from ..reporting import Step, get_flusher
from ..snapshot import Snapshot
from ..store import get_store
from .stopping import cancel_children

#: The status of what was to be sent, but was not.
NOT_SENT = "Not sent"


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
    if get_store().find_cancelled([task_id]):
        cancel_children(task_id)
