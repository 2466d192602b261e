"""The one write of a reader: that a task whose process says nothing any more is lost."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from .. import wakeups
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from ..store import get_store

logger = logging.getLogger("tasks_app")


def declare_lost(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Store that these tasks are lost, and return them so.

    Raises:
        StoreUnavailable: the cache refused some of them.
        Exception: whatever the cache raised.
    """
    now = datetime.now(UTC)
    lost = [snapshot.lost(now=now) for snapshot in snapshots]
    task_ids = [snapshot.task_id for snapshot in lost]
    logger.warning("no sign of life any more from tasks %s", task_ids)
    versions, refused = get_store().save(lost)
    wakeups.publish(versions)
    if refused:
        raise StoreUnavailable(f"the cache did not take {sorted(refused)!r}")
    return lost
