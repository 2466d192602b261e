"""Parents under the ids of tasks that have ended."""

from dataclasses import replace

from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from ..streaming import observe
from .chosen_ids import begin_again, check_is_free


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
    return begin_again(replace(known, attempt=known.attempt + 1), own)
