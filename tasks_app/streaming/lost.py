"""The only write of the streaming side: a task whose process has fallen silent is lost."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from .. import wakeups
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from ..store import get_store

logger = logging.getLogger("tasks_app")


def declare_lost(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Store these tasks as lost, and return the stored snapshots.

    Raises:
        StoreUnavailable: the cache refused some of them.
        Exception: raised by the cache.
    """
    now = datetime.now(UTC)
    lost = [snapshot.lost(now=now) for snapshot in snapshots]
    task_ids = [snapshot.task_id for snapshot in lost]
    logger.warning("no sign of life from tasks %s; declaring them lost", task_ids)
    versions, refused = get_store().save(lost)
    wakeups.publish(versions)
    if refused:
        raise StoreUnavailable(f"the cache did not store {sorted(refused)!r}")
    return lost
