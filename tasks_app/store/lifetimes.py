"""The seconds for which the cache keeps what is stored of a task."""

import math

from ..conf import get_settings
from ..snapshot import Snapshot


def time_to_live(snapshot: Snapshot) -> int:
    """Return for how long a snapshot is kept."""
    return to_seconds(get_settings().RETENTION) if snapshot.is_terminal else active_time_to_live(snapshot)


def active_time_to_live(snapshot: Snapshot) -> int:
    """Return for how long a task that has not ended is kept, which nobody writes while it waits."""
    return to_seconds(get_settings().ACTIVE_TTL + snapshot.waits_for)


def page_time_to_live() -> int:
    """Return for how long a page of a log is kept: it is not written again at the end of its task."""
    settings = get_settings()
    return to_seconds(max(settings.ACTIVE_TTL, settings.RETENTION))


def to_seconds(time: float) -> int:
    """Return a time to live in whole seconds: Redis cuts off fractions, and deletes at once for 0."""
    return math.ceil(time)
