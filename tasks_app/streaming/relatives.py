"""The tasks beside those that end without a process to tell: their parents, and what nobody sends any more."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from .. import wakeups
from ..metering import get_meter
from ..reporting import get_flusher, with_children
from ..snapshot import Snapshot, awaits_children, end_like, is_unsent
from ..store import decode, find_followers, get_store

logger = logging.getLogger("tasks_app")


def note_ends(ended: Sequence[Snapshot]) -> None:
    """Count the ends of tasks that are stored, and end what was to be sent after them, and their parents."""
    end_followers(ended)
    _note_ends(ended)


def end_followers(ended: Sequence[Snapshot]) -> None:
    """End the tasks that were to be sent after these, as these ended; a failure of the cache is logged."""
    by_id = {snapshot.task_id: snapshot for snapshot in ended}
    try:
        _end_unsent({task_id: by_id[before] for before, ids in find_followers(by_id).items() for task_id in ids})
    except Exception:  # whatever a cache backend raises
        logger.exception("what was to be sent after tasks %s can't be ended", sorted(by_id))


def _end_unsent(before: Mapping[str, Snapshot]) -> None:
    stored = [decode(task_id, text) for task_id, text in get_store().read(before).items()]
    now = datetime.now(UTC)
    unsent = [item for item in stored if item is not None and is_unsent(item)]
    ends = with_children([end_like(item, before[item.task_id], now=now) for item in unsent])
    if ends:
        versions, refused = get_store().save(ends)
        wakeups.publish(versions)
        ended = [version.snapshot for version in versions.values()]
        _note_ends(ended)
        if refused:
            logger.error("the cache refused to store that tasks %s are not sent any more", sorted(refused))


def _note_ends(ended: Sequence[Snapshot]) -> None:
    for snapshot in ended:
        if not awaits_children(snapshot):  # else it goes on until these have ended
            get_meter().note_ended(snapshot)
    get_flusher().sums.note_ends(ended)
