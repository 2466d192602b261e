"""The state of tasks that begin, read for many of them at once."""

from collections.abc import Sequence

from ..snapshot import Snapshot
from .keys import make_cancel_key, make_task_key
from .store import decode, get_store

#: The snapshot of a task, or None, and whether its cancel was requested.
Loaded = tuple[Snapshot | None, bool]


def load_many(task_ids: Sequence[str]) -> dict[str, Loaded]:
    """Do what `Store.load` does for each of these tasks, with one `get_many`."""
    keys = [make(task_id) for task_id in task_ids for make in (make_task_key, make_cancel_key)]
    found = get_store().cache.get_many(keys) if keys else {}
    return {
        task_id: (decode(task_id, found.get(make_task_key(task_id))), make_cancel_key(task_id) in found)
        for task_id in task_ids
    }
