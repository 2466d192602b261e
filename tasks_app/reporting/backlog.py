"""Writes still owed to the cache: first snapshots, the recent list, terminal snapshots that it may have lost."""

import threading

from .. import wakeups
from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot, State, Version
from ..store import RECENT_TASKS, decode, get_store

#: Terminal snapshots read in one round trip, since each may be large.
BATCH = 100

#: The most tasks kept of which no first snapshot could be stored.
MAX_UNSTORED = 10_000


class NewTasks:
    """The new tasks that are not stored, or not on the recent list yet.

    In a long outage, the latest MAX_UNSTORED are stored, and the latest RECENT_TASKS listed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Snapshot] = {}
        self._unstored: dict[str, Snapshot] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._unstored)

    def add(self, snapshot: Snapshot, *, is_stored: bool = True) -> None:
        """Add a task, which `list_all` then lists.

        Args:
            is_stored: False if it could not be stored; `store_all` then stores it first.
        """
        with self._lock:
            if is_stored:
                _keep(self._waiting, snapshot, RECENT_TASKS)
            else:
                _keep(self._unstored, snapshot, MAX_UNSTORED)

    def store_all(self) -> None:
        """Store the added tasks that could not be stored before; `list_all` then lists them.

        Raises:
            Exception: any error of the cache; the tasks are kept for the next call.
        """
        with self._lock:
            unstored = list(self._unstored.values())
        for snapshot in unstored:
            _store_first(snapshot)
            self.add(snapshot)
            with self._lock:
                self._unstored.pop(snapshot.task_id, None)

    def list_all(self) -> None:
        """Put the added tasks on the recent list.

        Raises:
            Exception: any error of the cache; the tasks are kept for the next call.
        """
        with self._lock:
            waiting = list(self._waiting.values())
        if waiting:
            get_store().list_as_recent(waiting)
            with self._lock:
                for snapshot in waiting:
                    self._waiting.pop(snapshot.task_id, None)


def _keep(snapshots: dict[str, Snapshot], snapshot: Snapshot, limit: int) -> None:
    snapshots[snapshot.task_id] = snapshot
    if len(snapshots) > limit:
        del snapshots[next(iter(snapshots))]


def _store_first(snapshot: Snapshot) -> None:
    """Store the first snapshot of a task, unless an executor has stored a later one."""
    store = get_store()
    if store.add(snapshot):
        wakeups.publish({snapshot.task_id: Version.of(snapshot)})
    elif store.get(snapshot.task_id) is None:
        raise StoreUnavailable(f"the cache did not store task {snapshot.task_id!r}")


class TerminalSnapshots:
    """Terminal snapshots to be stored again if a cache server was killed and restarted empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str, tuple[float, Snapshot]] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def keep(self, snapshot: Snapshot, *, monotonic: float) -> None:
        """Keep a terminal snapshot, to check once more that the cache has it.

        The check is due after HEARTBEAT, or half of RETENTION if that is shorter. A cache in the memory of this
        process needs none.
        """
        if not get_store().is_local:
            settings = get_settings()
            until = monotonic + min(settings.HEARTBEAT, settings.RETENTION / 2)
            with self._lock:
                self._due[snapshot.task_id] = until, snapshot

    def forget(self, task_id: str) -> None:
        """Drop the terminal snapshot of a task, which has a new reporter."""
        with self._lock:
            self._due.pop(task_id, None)

    def restore(self, *, monotonic: float) -> None:
        """Store the due snapshots again that the cache has lost; later entries are left alone.

        Raises:
            StoreUnavailable: the cache refused some snapshots; these are kept.
            Exception: any error of the cache; the snapshots not checked yet are kept.
        """
        with self._lock:
            due = [snapshot for until, snapshot in self._due.values() if until <= monotonic]
        for start in range(0, len(due), BATCH):
            self._restore({snapshot.task_id: snapshot for snapshot in due[start : start + BATCH]})

    def _forget_restored(self, snapshot: Snapshot) -> None:
        with self._lock:
            if self._due.get(snapshot.task_id, (0.0, None))[1] is snapshot:  # else a later one has replaced it
                del self._due[snapshot.task_id]

    def _restore(self, snapshots: dict[str, Snapshot]) -> None:
        store = get_store()
        texts = store.read(snapshots)
        missing = [item for task_id, item in snapshots.items() if _is_missing(item, texts.get(task_id))]
        versions, refused = store.save(missing)
        for task_id in snapshots.keys() - refused:
            self._forget_restored(snapshots[task_id])
        wakeups.publish(versions)
        if refused:
            raise StoreUnavailable(f"the cache refused the terminal snapshots of {sorted(refused)!r}")


def is_superseded(snapshot: Snapshot, text: str) -> bool:
    """Whether this attempt was declared lost, or a later one has begun elsewhere, as the stored text says."""
    stored = decode(snapshot.task_id, text)
    if stored is None:
        return False
    return stored.attempt > snapshot.attempt or (stored.state is State.LOST and stored.attempt == snapshot.attempt)


def _is_missing(snapshot: Snapshot, text: str | None) -> bool:
    """Return whether the cache lacks this snapshot: it holds none, or an older one from a restored dump."""
    stored = decode(snapshot.task_id, text)
    return stored is None or (stored.seq < snapshot.seq and stored.attempt <= snapshot.attempt)
