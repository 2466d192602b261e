"""The end of a task that will not be sent, since the one that it was to follow ended. Pure: the time is passed in."""

from datetime import datetime

from .snapshot import Snapshot
from .state import GENERIC_MESSAGE, State


def end_like(snapshot: Snapshot, other: Snapshot, *, now: datetime) -> Snapshot:
    """Return the terminal snapshot of a task that ends as `other` did, which did not succeed."""
    if other.state is State.FAILED and other.error is not None:
        message = other.error["message"]
        return snapshot.failed(other.error["type"], None if message == GENERIC_MESSAGE else message, now=now)
    if other.state is State.CANCELLED:
        return snapshot.cancelled(now=now, status=None if other.cancel_requested else other.status)
    return snapshot.lost(now=now)
