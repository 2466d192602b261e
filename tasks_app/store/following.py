"""Notes of which tasks are to be sent after a task, for who finds that its process is gone."""

import math
from collections.abc import Iterable, Sequence

from ..conf import get_settings
from .keys import make_followers_key
from .store import get_store


def note_followers(task_id: str, followers: Sequence[str], *, delay: float = 0) -> None:
    """Store the ids of the tasks that are to be sent after a task.

    Args:
        delay: the seconds until the task may begin.
    """
    get_store().cache.set(make_followers_key(task_id), list(followers), math.ceil(get_settings().ACTIVE_TTL + delay))


def find_followers(task_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of the tasks that were to be sent after each of these tasks, where that is noted."""
    keys = {make_followers_key(task_id): task_id for task_id in task_ids}
    found = get_store().cache.get_many(list(keys)) if keys else {}
    return {keys[key]: [*filter(_is_text, ids)] for key, ids in found.items() if isinstance(ids, list)}


def _is_text(value: object) -> bool:
    return isinstance(value, str)
