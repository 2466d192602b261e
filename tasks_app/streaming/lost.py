"""The only write of the streaming side: a task whose process has fallen silent is lost."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from .. import wakeups
from ..conf import get_settings
from ..reporting import with_children
from ..snapshot import EXPIRED, Snapshot, State, as_lost, is_expired
from ..store import decode, get_store
from .probe import Probe
from .relatives import note_ends

logger = logging.getLogger("tasks_app")


class Verdict(NamedTuple):
    """The tasks that are stored as lost, and whether the cache took every declaration.

    Attributes:
        lost: the stored snapshots; a task that expired before it began is cancelled in these.
        refused: ids of the tasks of which the cache refused it; silence is to be counted from now for these.
        has_failed: whether the cache does not work, so that silence is to be counted from now for every task.
    """

    lost: Sequence[Snapshot]
    refused: set[str]
    has_failed: bool = False


def declare_lost(snapshots: Sequence[Snapshot], probe: Probe, monotonic: float) -> Verdict:
    """Store these tasks as lost, unless they have changed meanwhile; a failure of the cache is logged.

    A process that can't write declares nothing, since the writer of the task may be refused as well; nor does one that
    reads what is old, since the task may have ended.
    """
    try:
        if probe.prove(monotonic=monotonic, max_age=get_settings().LOST_AFTER):
            return _declare_lost(_drop_changed(snapshots))
    except Exception:  # whatever a cache backend raises
        logger.exception("tasks %s can't be declared lost", [snapshot.task_id for snapshot in snapshots])
    return Verdict([], set(), has_failed=True)


def _declare_lost(snapshots: Sequence[Snapshot]) -> Verdict:
    now = datetime.now(UTC)
    ended = with_children([_end(snapshot, now) for snapshot in snapshots])
    versions, refused = get_store().save(ended)
    if lost := [item.task_id for item in ended if item.task_id in versions and item.state is State.LOST]:
        logger.warning("no sign of life from tasks %s; declaring them lost", lost)
    if refused:
        logger.error("the cache refused to store that tasks %s are lost", sorted(refused))
    wakeups.publish(versions)
    stored = [snapshot for snapshot in ended if snapshot.task_id in versions]
    note_ends(stored)
    return Verdict(stored, refused)


def _end(snapshot: Snapshot, now: datetime) -> Snapshot:
    if is_expired(snapshot, now):
        return snapshot.cancelled(now=now, status=EXPIRED)
    return as_lost(snapshot, now=now)


def _drop_changed(snapshots: Sequence[Snapshot]) -> Sequence[Snapshot]:
    """Drop the tasks that were written since they were read, perhaps with their end."""
    texts = get_store().read(snapshot.task_id for snapshot in snapshots)
    stored = {task_id: decode(task_id, text) for task_id, text in texts.items()}
    return [item for item in snapshots if _is_same(item, stored.get(item.task_id))]


def _is_same(known: Snapshot, stored: Snapshot | None) -> bool:
    """Return whether the store holds this version of a task still, or none."""
    # Times are not compared: they are stored to the millisecond.
    return stored is None or _identify(known) == _identify(stored)


def _identify(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.attempt, snapshot.seq, snapshot.state, snapshot.beat, snapshot.logged
