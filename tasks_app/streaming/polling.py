"""Stalled and lost tasks as seen by callers that poll; for streams, the hub does the same."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ..conf import get_settings
from ..snapshot import Silence, Snapshot, judge
from ..store import decode, get_store
from ..utils.lazy import per_process
from .expired import declare_expired, find_expired
from .lost import declare_lost

#: The most tasks remembered between two polls; then the one polled longest ago is forgotten.
MAX_OBSERVED = 10_000


def observe(task_id: str) -> Snapshot | None:
    """Return the snapshot of a task, or None.

    It is stalled, or declared lost, if this process has polled the task long enough without seeing a change. The
    first poll of a task returns it as stored, unless it expired before it began.

    Raises:
        StoreUnavailable: the cache refused to store that the task is lost.
        Exception: raised by the cache.
    """
    sight = _look(task_id, get_store().read([task_id]).get(task_id))
    return None if sight is None else _judge([sight])[0]


def observe_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe` does for several tasks at once, in this order, leaving out those that are not stored.

    Raises:
        StoreUnavailable: the cache refused to store that a task is lost.
        Exception: raised by the cache.
    """
    return observe_texts(task_ids, get_store().read(task_ids))


def observe_texts(task_ids: Sequence[str], texts: Mapping[str, str]) -> list[Snapshot]:
    """Do what `observe_many` does, with texts that were just read from the store."""
    return _judge([sight for task_id in task_ids if (sight := _look(task_id, texts.get(task_id))) is not None])


async def aobserve(task_id: str) -> Snapshot | None:
    """Do what `observe` does, from async code."""
    return await get_store().acall_unless_late(observe, task_id)


async def aobserve_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe_many` does, from async code."""
    return await get_store().acall_unless_late(observe_many, task_ids)


def _look(task_id: str, text: str | None) -> "Sight | None":
    return get_observer().look(task_id, text, max_gap=get_settings().STALLED_AFTER, monotonic=time.monotonic())


def _judge(sights: Sequence["Sight"]) -> list[Snapshot]:
    settings, shown = get_settings(), {sight.snapshot.task_id: sight.snapshot for sight in sights}
    silences = {sight.snapshot.task_id: sight.silence for sight in sights}
    stalled, lost = judge(silences, stalled_after=settings.STALLED_AFTER, lost_after=settings.LOST_AFTER)
    shown |= {task_id: shown[task_id].as_stalled() for task_id in stalled}
    if lost:
        shown |= {snapshot.task_id: snapshot for snapshot in declare_lost([shown[task_id] for task_id in lost])}
    if expired := find_expired(shown.values()):
        shown |= {snapshot.task_id: snapshot for snapshot in declare_expired(expired)}
    return [shown[sight.snapshot.task_id] for sight in sights]


class Sight(NamedTuple):
    """A task's snapshot, and the seconds for which it has been silent."""

    snapshot: Snapshot
    silence: float


class Observer:
    """The memory of tasks that are polled, from one poll to the next, until they end."""

    def __init__(self, limit: int = MAX_OBSERVED) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[Silence, float]] = OrderedDict()

    def look(self, task_id: str, text: str | None, *, max_gap: float, monotonic: float) -> Sight | None:
        """Take in the stored text of a task, and return the task; None if there is no snapshot in it.

        Args:
            max_gap: the most seconds between two polls that count as silence. Nothing is known of a longer gap: the
                cache may have been unreachable to the task's process.
            monotonic: the time, in seconds.
        """
        with self._lock:
            silence, looked_at = self._seen.pop(task_id, (Silence(partial(decode, task_id)), monotonic))
            if text is None:
                return None
            silence.forgive(max(0.0, monotonic - looked_at - max_gap))
            silence.hear(text, monotonic=monotonic)
            snapshot = silence.snapshot
            if snapshot is None or silence.is_garbled:
                return None
            if not snapshot.is_terminal:
                self._seen[task_id] = silence, monotonic
                if len(self._seen) > self._limit:
                    self._seen.popitem(last=False)
            return Sight(snapshot, silence.measure(monotonic=monotonic))


@per_process()
def get_observer() -> Observer:
    """Return the observer of this process."""
    return Observer()
