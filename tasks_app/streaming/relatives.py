"""The end of tasks that nobody sends any more, because the one before them ended without a process to tell."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from .. import wakeups
from ..metering import get_meter
from ..reporting import get_flusher
from ..snapshot import Snapshot, end_like, is_unsent
from ..store import decode, find_followers, get_store

logger = logging.getLogger("tasks_app")


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
    ends = [end_like(item, before[item.task_id], now=now) for item in stored if item is not None and is_unsent(item)]
    if ends:
        versions, refused = get_store().save(ends)
        wakeups.publish(versions)
        ended = [version.snapshot for version in versions.values()]
        for snapshot in ended:
            get_meter().note_ended(snapshot)
        get_flusher().sums.note_ends(ended)
        if refused:
            logger.error("the cache refused to store that tasks %s are not sent any more", sorted(refused))
