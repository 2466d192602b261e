"""Parents under the ids of tasks that have ended."""

from dataclasses import replace

from ..exceptions import StoreUnavailable
from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import forget_family
from ..streaming import observe
from .chosen_ids import begin_again, check_is_free, is_chosen


def open_again(own: Snapshot) -> Snapshot:
    """Store a parent under the id of a task that has ended, and return it; nothing of its children is left.

    Raises:
        TaskIdTaken: the task has not ended, or has another owner.
        StoreUnavailable: the cache did not store it.
        Exception: any other error of the cache.
    """
    if (known := observe(own.task_id)) is None:
        raise StoreUnavailable(f"the cache did not store task {own.task_id!r}")
    check_is_free(known, own.owner)
    get_flusher().backlog.parents.forget(own.task_id)  # else they may be stored again
    forget_family(known, is_chosen)
    return begin_again(replace(known, attempt=known.attempt + 1), own)
