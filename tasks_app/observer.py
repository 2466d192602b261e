"""Tells those who ask from time to time whether a task still lives, as the hub tells those who stream it."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from . import wakeups
from .conf import get_settings
from .exceptions import StoreUnavailable
from .silence import Silence
from .state import Snapshot
from .store import get_store

logger = logging.getLogger("tasks_app")

#: Tasks that are remembered between two looks; beyond these, the one that was not asked for the longest is forgotten.
MAX_OBSERVED = 10_000


def observe(task_id: str) -> Snapshot | None:
    """Return what is known of a task: as stalled, or as lost, where this process has seen nothing new for so long.

    One look tells nothing: who asks once gets the task as it was stored last.

    Raises:
        StoreUnavailable: it was to be declared lost, which the cache refused.
        Exception: whatever the cache raised.
    """
    text = get_store().read([task_id]).get(task_id)
    settings = get_settings()
    seen = _observer.look(task_id, text, patience=settings.STALLED_AFTER, monotonic=time.monotonic())
    if seen is None or seen.silence <= settings.STALLED_AFTER:
        return seen and seen.snapshot
    if seen.silence <= settings.LOST_AFTER:
        return seen.snapshot.as_stalled()
    return declare_lost([seen.snapshot])[0]


async def aobserve(task_id: str) -> Snapshot | None:
    """Do what `observe` does, from async code."""
    return await get_store().arun(observe, task_id)


def declare_lost(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Store that these tasks are lost, and return them so.

    It is the one write of a reader: nobody else is left to do it.

    Raises:
        StoreUnavailable: the cache refused some of them.
        Exception: whatever the cache raised.
    """
    now = datetime.now(UTC)
    lost = [snapshot.lost(now=now) for snapshot in snapshots]
    task_ids = [snapshot.task_id for snapshot in lost]
    logger.warning("no sign of life any more from tasks %s", task_ids)
    if refused := get_store().save(lost):
        raise StoreUnavailable(f"the cache did not take {sorted(refused)!r}")
    wakeups.publish(task_ids)
    return lost


class Sight(NamedTuple):
    """A task, and for how many seconds it has been silent."""

    snapshot: Snapshot
    silence: float


class Observer:
    """Remembers what was seen of tasks that have not ended, from one look to the next."""

    def __init__(self, limit: int = MAX_OBSERVED) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[Silence, float]] = OrderedDict()

    def look(self, task_id: str, text: str | None, *, patience: float, monotonic: float) -> Sight | None:
        """Take in what the store holds of a task, and return it; None if that is nothing.

        The time between two looks counts for `patience` seconds at the most: nobody knows whether the cache could be
        written in the rest of it.

        Raises:
            ValueError: the text is not that of a snapshot.
        """
        with self._lock:
            silence, looked_at = self._seen.pop(task_id, (Silence(), monotonic))
            if text is None:
                return None
            silence.forgive(max(0.0, monotonic - looked_at - patience))
            silence.hear(text, monotonic=monotonic)
            snapshot = silence.snapshot
            assert snapshot is not None
            if not snapshot.is_terminal:
                self._seen[task_id] = silence, monotonic
                if len(self._seen) > self._limit:
                    self._seen.popitem(last=False)
            return Sight(snapshot, silence.measure(monotonic=monotonic))


_observer = Observer()
