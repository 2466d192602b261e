"""The remains of a task whose owner was deleted. Pure: the time is passed in."""

from dataclasses import replace
from datetime import datetime

from .snapshot import Snapshot
from .state import DEFAULT_STATUS, GENERIC_MESSAGE, GENERIC_TYPE, GONE


def disown(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot of a task that has not ended as belonging to nobody; viewers see no difference in it."""
    return replace(snapshot, owner=GONE)


def empty(snapshot: Snapshot, *, now: datetime) -> Snapshot:
    """Return what is kept of an ended task: how and when it ended, and nothing that its owner or its job has said."""
    error = snapshot.error and {"type": GENERIC_TYPE, "message": GENERIC_MESSAGE}
    return replace(
        snapshot,
        owner=GONE,
        label=None,
        unit=None,
        result=None,
        result_omitted=None,
        conclusion=None,
        status=DEFAULT_STATUS[snapshot.state],
        stages=(),
        meta={},
        error=error,
        logged=0,
        seq=snapshot.seq + 1,
        updated_at=now,
    )
