"""The ends of children that this process has written, stored again if the cache loses them before the parent ends."""

import threading
from dataclasses import dataclass, field

from ..conf import get_settings
from ..snapshot import Part, Snapshot, awaits_children
from ..store import RECENT_TASKS, decode, find_ends, get_store

#: The most ends kept, of the latest RECENT_TASKS parents.
MAX_KEPT = 100_000


@dataclass(slots=True)
class Ends:
    """The ends of children of one parent, which was seen last at a time of the monotonic clock."""

    seen_at: float
    parts: dict[str, Part] = field(default_factory=dict)


class KeptEnds:
    """The ends of children whose parents have not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Ends] = {}
        self._number = 0
        self._next_look = 0.0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, parent: str, child: Snapshot, *, monotonic: float) -> None:
        """Keep the end of a child, until its parent is seen to have ended."""
        with self._lock:
            if not self._kept:
                self._next_look = monotonic + get_settings().HEARTBEAT
            parts = self._kept.setdefault(parent, Ends(monotonic)).parts
            self._number += child.task_id not in parts
            parts[child.task_id] = Part.of(child)
            while len(self._kept) > 1 and (self._number > MAX_KEPT or len(self._kept) > RECENT_TASKS):
                self._drop(next(iter(self._kept)))

    def forget(self, parent: str) -> None:
        """Forget the children of a parent that has ended."""
        with self._lock:
            self._drop(parent)

    def find_lost(self, *, monotonic: float) -> dict[str, dict[str, Part]]:
        """Look for the first end of each parent if that is due, and return all ends of those where it is gone.

        Raises:
            Exception: any error of the cache; nothing is forgotten.
        """
        if not self._kept or monotonic < self._next_look:
            return {}
        kept = dict(self._kept)
        texts = get_store().read(kept)
        for parent, ends in kept.items():
            self._note(parent, ends, decode(parent, texts.get(parent)), monotonic=monotonic)
        first = [(parent, next(iter(ends.parts))) for parent, ends in kept.items() if parent in texts]
        stored = find_ends(first)
        self._next_look = monotonic + get_settings().HEARTBEAT
        return {pair[0]: dict(kept[pair[0]].parts) for pair in first if pair not in stored and pair[0] in self._kept}

    def _note(self, parent: str, ends: Ends, own: Snapshot | None, *, monotonic: float) -> None:
        if own is not None:
            ends.seen_at = monotonic
        has_ended = own is not None and own.is_terminal and not awaits_children(own)
        if has_ended or monotonic - ends.seen_at > get_settings().RETENTION:
            self.forget(parent)

    def _drop(self, parent: str) -> None:
        if (ends := self._kept.pop(parent, None)) is not None:
            self._number -= len(ends.parts)
