"""The seconds for which the cache keeps what is stored of a task."""

import math

from ..conf import get_settings
from ..snapshot import Snapshot, awaits_children


def time_to_live(snapshot: Snapshot) -> int:
    """Return for how long a snapshot is kept; that of a parent, until its children have ended."""
    has_ended = snapshot.is_terminal and not awaits_children(snapshot)
    return to_seconds(get_settings().RETENTION) if has_ended else active_time_to_live(snapshot)


def active_time_to_live(snapshot: Snapshot) -> int:
    """Return for how long a task that has not ended is kept, which nobody writes while it waits."""
    return to_seconds(get_settings().ACTIVE_TTL + snapshot.waits_for)


def page_time_to_live() -> int:
    """Return for how long a page of a log is kept: it is not written again at the end of its task."""
    settings = get_settings()
    return to_seconds(max(settings.ACTIVE_TTL, settings.RETENTION))


def note_time_to_live() -> int:
    """Return for how long the notes are kept by which a parent knows its children and their ends."""
    return to_seconds(get_settings().ACTIVE_TTL)


def to_seconds(time: float) -> int:
    """Return a time to live in whole seconds: Redis cuts off fractions, and deletes at once for 0."""
    return math.ceil(time)
