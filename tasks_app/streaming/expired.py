"""The end of tasks whose executor dropped them without a word, because they expired before they began."""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from .. import wakeups
from ..conf import get_settings
from ..reporting import with_children
from ..snapshot import EXPIRED, Snapshot, is_expired
from ..store import decode, find_received, get_store
from .relatives import note_ends

logger = logging.getLogger("tasks_app")


def find_expired(snapshots: Iterable[Snapshot | None]) -> list[Snapshot]:
    """Return the tasks that wait although they expired LOST_AFTER seconds ago: clocks differ, and executors report."""
    with_end = [snapshot for snapshot in snapshots if snapshot is not None and snapshot.expires_at is not None]
    since = datetime.now(UTC) - timedelta(seconds=get_settings().LOST_AFTER)
    return [snapshot for snapshot in with_end if is_expired(snapshot, since)]


def declare_expired(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Store these tasks as cancelled, except those that an executor holds or has begun; return the stored snapshots.

    A failure of the cache is logged, and the tasks are shown as they are until the next look.
    """
    try:
        return _declare_expired(snapshots)
    except Exception:  # whatever a cache backend raises
        logger.exception("tasks %s can't be stored as expired", [snapshot.task_id for snapshot in snapshots])
        return []


def _declare_expired(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    texts = get_store().read(snapshot.task_id for snapshot in snapshots)
    expired = find_expired(decode(task_id, text) for task_id, text in texts.items())
    received = find_received(snapshot.task_id for snapshot in expired)
    now = datetime.now(UTC)
    cancelled = with_children(
        [item.cancelled(now=now, status=EXPIRED) for item in expired if item.task_id not in received]
    )
    if not cancelled:
        return []
    logger.info("tasks %s expired before they began", [snapshot.task_id for snapshot in cancelled])
    versions, refused = get_store().save(cancelled)
    wakeups.publish(versions)
    if refused:
        logger.error("the cache refused to store that tasks %s expired", sorted(refused))
    stored = [item for item in cancelled if item.task_id in versions]
    note_ends(stored)
    return stored
