"""Notes of deleted users, for the processes that run their tasks, and the removal of what their tasks have left."""

from collections.abc import Iterable

from ..conf import get_settings
from ..snapshot import PAGE_LINES, Snapshot, count_pages
from .details import MAX_ATTEMPTS
from .keys import make_details_key, make_gone_key, make_page_key
from .lifetimes import to_seconds
from .store import get_store


def note_gone(owners: Iterable[str], *, at: float) -> None:
    """Store that these users were deleted at this time, in seconds since 1970, for as long as a task may wait."""
    notes = dict.fromkeys(map(make_gone_key, owners), at)
    get_store().cache.set_many(notes, to_seconds(get_settings().ACTIVE_TTL))


def find_gone(owners: Iterable[str]) -> dict[str, float]:
    """Return when those of these users were deleted that are gone."""
    keys = {make_gone_key(owner): owner for owner in owners}
    found = get_store().cache.get_many(list(keys)) if keys else {}
    return {keys[key]: at for key, at in found.items() if isinstance(at, int | float)}


def count_stored_pages(snapshot: Snapshot) -> int:
    """Return how many pages of a task's log may be stored."""
    return min(count_pages(snapshot.logged), count_most_pages())


def count_most_pages() -> int:
    """Return how many pages the log of a task has at the most."""
    return count_pages(get_settings().LOG_LINES + PAGE_LINES)


def delete_contents(snapshot: Snapshot) -> None:
    """Delete the log and the details of an ended task."""
    pages = count_stored_pages(snapshot)
    attempts = range(max(snapshot.attempt - MAX_ATTEMPTS + 1, 0), snapshot.attempt + 1)
    for key in (
        *(make_page_key(snapshot.task_id, slot) for slot in range(pages)),
        *(make_details_key(snapshot.task_id, attempt) for attempt in attempts),
    ):
        get_store().cache.delete(key)
