"""Tells those who ask from time to time whether a task still lives, as the hub tells those who stream it."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from .. import wakeups
from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Silence, Snapshot
from ..store import get_store
from ..utils.lazy import per_process

logger = logging.getLogger("tasks_app")

#: Tasks that are remembered between two looks; beyond these, the one that was not asked for the longest is forgotten.
MAX_OBSERVED = 10_000


def observe(task_id: str) -> Snapshot | None:
    """Return what is known of a task: as stalled, or as lost, where this process has seen nothing new for so long.

    One look tells nothing: who asks once gets the task as it was stored last.

    Raises:
        ValueError: what is stored of it is no snapshot.
        StoreUnavailable: it was to be declared lost, which the cache refused.
        Exception: whatever the cache raised.
    """
    sight = _look(task_id, get_store().read([task_id]).get(task_id))
    return None if sight is None else _judge([sight])[0]


def observe_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe` does for several tasks at once, in this order, and leave out those of which nothing is known.

    Raises:
        StoreUnavailable: one was to be declared lost, which the cache refused.
        Exception: whatever the cache raised.
    """
    return observe_texts(task_ids, get_store().read(task_ids))


def observe_texts(task_ids: Sequence[str], texts: Mapping[str, str]) -> list[Snapshot]:
    """Do what `observe_many` does with the texts of tasks that were just read from the store."""
    return _judge([sight for task_id in task_ids if (sight := _try_to_look(task_id, texts.get(task_id))) is not None])


async def aobserve(task_id: str) -> Snapshot | None:
    """Do what `observe` does, from async code."""
    return await get_store().aask(observe, task_id)


async def aobserve_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe_many` does, from async code."""
    return await get_store().aask(observe_many, task_ids)


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
    versions, refused = get_store().save(lost)
    wakeups.publish(versions)
    if refused:
        raise StoreUnavailable(f"the cache did not take {sorted(refused)!r}")
    return lost


def _look(task_id: str, text: str | None) -> "Sight | None":
    return get_observer().look(task_id, text, patience=get_settings().STALLED_AFTER, monotonic=time.monotonic())


def _try_to_look(task_id: str, text: str | None) -> "Sight | None":
    try:
        return _look(task_id, text)
    except ValueError:
        logger.exception("task %s: what the cache holds is no snapshot", task_id)
        return None


def _judge(sights: Sequence["Sight"]) -> list[Snapshot]:
    settings = get_settings()
    silent = [sight.snapshot for sight in sights if sight.silence > settings.LOST_AFTER]
    lost = {snapshot.task_id: snapshot for snapshot in declare_lost(silent)} if silent else {}
    return [lost.get(sight.snapshot.task_id) or sight.show(settings.STALLED_AFTER) for sight in sights]


class Sight(NamedTuple):
    """A task, and for how many seconds it has been silent."""

    snapshot: Snapshot
    silence: float

    def show(self, stalled_after: float) -> Snapshot:
        """Return what a viewer sees."""
        return self.snapshot.as_stalled() if self.silence > stalled_after else self.snapshot


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


@per_process()
def get_observer() -> Observer:
    """Return the observer of this process."""
    return Observer()
