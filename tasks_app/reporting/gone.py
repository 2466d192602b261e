"""The tasks of a process whose owners were deleted meanwhile."""

import math
from collections.abc import Iterable

from ..conf import get_settings
from ..snapshot import Snapshot, disown
from ..store import find_gone
from .reporter import Reporter


class Gone:
    """Asks every HEARTBEAT which owners are gone; their tasks run on, and belong to nobody."""

    def __init__(self) -> None:
        self._next = -math.inf

    def sweep(self, reporters: Iterable[Reporter], *, monotonic: float) -> None:
        """Disown the tasks of deleted users that were made before these were deleted, if it is time to ask.

        Raises:
            Exception: any error of the cache.
        """
        owned = [item for item in reporters if item.snapshot.owner]
        if monotonic < self._next or not owned:
            return
        found = find_gone({item.snapshot.owner for item in owned if item.snapshot.owner})
        self._next = monotonic + get_settings().HEARTBEAT
        for reporter in owned:
            if reporter.snapshot.created_at.timestamp() <= found.get(reporter.snapshot.owner or "", -math.inf):
                reporter.change(disown)


def disown_if_gone(snapshot: Snapshot) -> Snapshot:
    """Return a task as belonging to nobody if its owner was deleted after it was made, else as it is.

    Raises:
        Exception: any error of the cache.
    """
    if not snapshot.owner:
        return snapshot
    deleted_at = find_gone([snapshot.owner]).get(snapshot.owner, -math.inf)
    return disown(snapshot) if snapshot.created_at.timestamp() <= deleted_at else snapshot
