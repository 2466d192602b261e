"""Notes that an executor holds the message of a task, which then does not expire unnoticed."""

import math
from collections.abc import Iterable

from ..conf import get_settings
from .keys import make_received_key
from .store import get_store


def note_received(task_id: str) -> None:
    """Store that an executor has received a task in time; it will begin the task, or say that it does not."""
    get_store().cache.set(make_received_key(task_id), 1, math.ceil(get_settings().ACTIVE_TTL))


def forget_received(task_id: str) -> None:
    """Delete the note of a task, which is about to be sent once more."""
    get_store().cache.delete(make_received_key(task_id))


def find_received(task_ids: Iterable[str]) -> set[str]:
    """Return the ids of those tasks that an executor has received."""
    keys = {make_received_key(task_id): task_id for task_id in task_ids}
    return {keys[key] for key in get_store().cache.get_many(list(keys))} if keys else set()
