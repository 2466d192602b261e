"""What must still be written to the cache: new tasks to be listed, and last snapshots that it may have lost."""

import threading

from .. import wakeups
from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from ..store import RECENT_TASKS, decode, get_store

#: Tasks that are looked for in one round trip: a last snapshot may be large.
BATCH = 100


class Arrivals:
    """Keeps new tasks until they are listed; if that fails for long, the latest of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Snapshot] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, snapshot: Snapshot) -> None:
        """Have a task listed soon."""
        with self._lock:
            self._waiting[snapshot.task_id] = snapshot
            if len(self._waiting) > RECENT_TASKS:
                del self._waiting[next(iter(self._waiting))]

    def list_all(self) -> None:
        """List what has been added.

        Raises:
            Exception: whatever the cache raised; all of it waits on.
        """
        with self._lock:
            waiting = list(self._waiting.values())
        if waiting:
            get_store().list_as_recent(waiting)
            with self._lock:
                for snapshot in waiting:
                    self._waiting.pop(snapshot.task_id, None)


class Ends:
    """Sees to it that viewers can learn of an end although the cache server was killed and has started empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str, tuple[float, Snapshot]] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def keep(self, snapshot: Snapshot, *, monotonic: float) -> None:
        """Keep the last snapshot of a task, and look once more whether the cache has it: after HEARTBEAT.

        A cache in the memory of this process loses nothing by itself.
        """
        if not get_store().is_local:
            settings = get_settings()
            until = monotonic + min(settings.HEARTBEAT, settings.RETENTION / 2)
            with self._lock:
                self._due[snapshot.task_id] = until, snapshot

    def forget(self, task_id: str) -> None:
        """Let an end go: the task begins again."""
        with self._lock:
            self._due.pop(task_id, None)

    def restore(self, *, monotonic: float) -> None:
        """Store again what is due and the cache has lost; what was written in its place meanwhile stays.

        Raises:
            StoreUnavailable: the cache did not take some of it; that is kept.
            Exception: whatever the cache raised; nothing is let go.
        """
        with self._lock:
            due = [snapshot for until, snapshot in self._due.values() if until <= monotonic]
        for start in range(0, len(due), BATCH):
            self._restore({snapshot.task_id: snapshot for snapshot in due[start : start + BATCH]})

    def _forget_restored(self, snapshot: Snapshot) -> None:
        with self._lock:
            if self._due.get(snapshot.task_id, (0.0, None))[1] is snapshot:  # else a later end is due by now
                del self._due[snapshot.task_id]

    def _restore(self, snapshots: dict[str, Snapshot]) -> None:
        store = get_store()
        texts = store.read(snapshots)
        lost = [snapshot for task_id, snapshot in snapshots.items() if _is_lost(snapshot, texts.get(task_id))]
        versions, refused = store.save(lost)
        for task_id in snapshots.keys() - refused:
            self._forget_restored(snapshots[task_id])
        wakeups.publish(versions)
        if refused:
            raise StoreUnavailable(f"the cache did not take the ends of {sorted(refused)!r}")


def _is_lost(snapshot: Snapshot, text: str | None) -> bool:
    """Whether the cache holds nothing of this end, or what was before it, since it has started with an old dump."""
    stored = decode(snapshot.task_id, text)
    return stored is None or (stored.seq < snapshot.seq and stored.attempt <= snapshot.attempt)
