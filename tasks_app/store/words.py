"""What is stored for the processes that run tasks: requests to cancel, later attempts, and children."""

from collections.abc import Iterable
from typing import NamedTuple

from .broods import read_brood
from .keys import make_attempt_key, make_brood_key, make_cancel_key
from .store import get_store


class Words(NamedTuple):
    """What is stored for the processes that run some tasks.

    Attributes:
        cancelled: the ids of tasks whose cancel was requested.
        attempts: the latest attempt of each task that has one stored.
        totals: how many children each task has that has some.
    """

    cancelled: set[str]
    attempts: dict[str, int]
    totals: dict[str, int]


def find_words(task_ids: Iterable[str]) -> Words:
    """Return what is stored for the processes that run these tasks, read with one `get_many`."""
    cancels = {make_cancel_key(task_id): task_id for task_id in task_ids}
    attempts = {make_attempt_key(task_id): task_id for task_id in cancels.values()}
    broods = {make_brood_key(task_id): task_id for task_id in cancels.values()}
    found = get_store().cache.get_many([*cancels, *attempts, *broods]) if cancels else {}
    return Words(
        {cancels[key] for key in found.keys() & cancels.keys()},
        {attempts[key]: found[key] for key in found.keys() & attempts.keys() if isinstance(found[key], int)},
        {broods[key]: total for key in found.keys() & broods.keys() if (total := read_brood(found[key]).total)},
    )
