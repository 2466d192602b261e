"""The children of which this process has made parents, to be stored again if the cache loses who they are.

The parent's own record is stored again by who keeps that. Which children it has is known to nobody else.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..conf import get_settings
from ..snapshot import Snapshot, awaits_children, runs_nothing
from ..store import RECENT_TASKS, count_itself, decode, find_broods, get_store, restore_children

#: The most parents read in one round trip.
BATCH = 200

#: The most children kept, of the latest RECENT_TASKS parents.
MAX_KEPT = 100_000

#: Sees to a parent whose children are stored again: it may have ended, or been cancelled.
SeeTo = Callable[[str], object]


@dataclass(slots=True)
class Kept:
    """The children of a parent, and the weight of each.

    Attributes:
        see_to: called once they are stored again.
        seen_at: when the parent was seen last, by the monotonic clock.
        total: how many children were seen then.
    """

    children: dict[str, float]
    see_to: SeeTo
    seen_at: float
    total: int = 0


class KeptFamilies:
    """The children of the parents of this process that have not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._number = 0
        self._next_look = 0.0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, task_id: str, children: Mapping[str, float], *, see_to: SeeTo, monotonic: float) -> None:
        """Keep children that a parent was given, until that is seen to have ended.

        Args:
            see_to: called with its id in another thread, once they are stored again.
        """
        with self._lock:
            if not self._kept:  # most tasks end before the first look
                self._next_look = monotonic + get_settings().HEARTBEAT
            kept = self._kept.setdefault(task_id, Kept({}, see_to, monotonic))
            self._number -= len(kept.children)
            kept.children |= children
            self._number += len(kept.children)
            while len(self._kept) > 1 and (self._number > MAX_KEPT or len(self._kept) > RECENT_TASKS):
                self._drop(next(iter(self._kept)))

    def forget(self, task_id: str) -> None:
        """Forget the children of a parent that has ended."""
        with self._lock:
            self._drop(task_id)

    def find_lost(self, *, monotonic: float) -> dict[str, Kept]:
        """Look for the parents if that is due, and return those whose children the cache has lost.

        Raises:
            Exception: any error of the cache; nothing is forgotten.
        """
        if not self._kept or monotonic < self._next_look:
            return {}
        kept = dict(self._kept)
        owns = _read_owns(list(kept))
        for task_id, item in kept.items():
            self._note(task_id, item, owns.get(task_id), monotonic=monotonic)
        broods = find_broods([task_id for task_id in owns if task_id in self._kept])
        self._next_look = monotonic + get_settings().HEARTBEAT
        return {task_id: kept[task_id] for task_id, brood in broods.items() if _is_lost(kept[task_id], brood.total)}

    def _note(self, task_id: str, kept: Kept, own: Snapshot | None, *, monotonic: float) -> None:
        if own is None:
            has_ended = monotonic - kept.seen_at > get_settings().RETENTION
        else:
            kept.seen_at = monotonic
            has_ended = own.is_terminal and not awaits_children(own)
        if has_ended:
            self.forget(task_id)

    def _drop(self, task_id: str) -> None:
        if (kept := self._kept.pop(task_id, None)) is not None:
            self._number -= len(kept.children)


def _read_owns(task_ids: list[str]) -> dict[str, Snapshot]:
    owns: dict[str, Snapshot] = {}
    for start in range(0, len(task_ids), BATCH):
        texts = get_store().read(task_ids[start : start + BATCH])
        owns |= _decode(texts.items())
    return owns


def _decode(texts: Iterable[tuple[str, str]]) -> dict[str, Snapshot]:
    return {task_id: own for task_id, text in texts if (own := decode(task_id, text)) is not None}


def _is_lost(kept: Kept, total: int) -> bool:
    """Return whether fewer children are stored than were; others may have added theirs since."""
    is_lost = total < max(kept.total, len(kept.children))
    kept.total = total
    return is_lost


def restore_family(task_id: str, children: Mapping[str, float]) -> None:
    """Store the children of a parent again that the cache has lost.

    Raises:
        Exception: any error of the cache; it may be tried again.
    """
    own = get_store().get(task_id)
    runs = own is not None and not runs_nothing(own) and not own.is_terminal
    restore_children(task_id, children, waits=int(runs and count_itself(task_id)))
