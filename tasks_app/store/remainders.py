"""How many parts of each parent have not ended.

It is only a hint, by which the process that ends the last one knows that without reading all of them.
"""

from ..snapshot import Snapshot
from .keys import make_counted_key, make_left_key, make_summed_key
from .lifetimes import note_time_to_live
from .store import get_store

#: A number of parts that no parent has, for which one waits while its children are sent.
HELD = 1_000_000_000


def expect_family(task_id: str, number: int) -> None:
    """Have a parent that nobody knows yet wait for so many parts."""
    get_store().cache.set(make_left_key(task_id), number, note_time_to_live())


def expect_ends(task_id: str, number: int) -> int:
    """Add `number` to how many parts of a parent have not ended, and return how many these are, as far as is known."""
    return get_store().cache.count(make_left_key(task_id), number, note_time_to_live())


def count_itself(task_id: str) -> bool:
    """Return whether a parent that runs is to be counted by `expect_ends` as well: only at the first call."""
    return get_store().cache.add(make_counted_key(task_id), 1, note_time_to_live())


def claim_sum(snapshot: Snapshot) -> bool:
    """Return whether this process is the first to store the end of a parent and all its children."""
    cache = get_store().cache
    is_first = cache.add(_make_key(snapshot), 1, note_time_to_live())
    if is_first:
        cache.delete(make_left_key(snapshot.task_id))
        cache.delete(make_counted_key(snapshot.task_id))
    return is_first


def reopen_sum(own: Snapshot) -> None:
    """Have a parent wait until its children are sent, which was ended since its sender was taken for gone."""
    get_store().cache.delete(_make_key(own))
    expect_family(own.task_id, HELD)


def _make_key(own: Snapshot) -> str:
    return make_summed_key(own.task_id, own.attempt, own.created_at)
