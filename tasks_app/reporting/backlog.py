"""Writes still owed to the cache: first snapshots, the recent list, and what the cache may lose."""

import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from .. import wakeups
from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot, Version, is_wrongly_lost, take_back, waits_elsewhere
from ..store import RECENT_TASKS, decode, get_store
from ..utils.clock import Clock
from .histories import Histories
from .kept_parents import KeptParents
from .mark import Mark
from .waiting_tasks import WaitingTasks

#: Terminal snapshots read in one round trip, since each may be large; first snapshots stored in one turn.
BATCH = 100

#: The most tasks kept of which no first snapshot could be stored.
MAX_UNSTORED = 10_000


class Backlog:
    """The writes that this process owes to the cache for tasks that none of its reporters writes.

    Args:
        end_parent: ends a parent, if all its children have ended.
    """

    def __init__(self, end_parent: Callable[[str], object] = lambda task_id: None) -> None:
        self.parents = KeptParents(end_parent)
        self.new_tasks, self.terminal_snapshots, self.waiting_tasks = NewTasks(), TerminalSnapshots(), WaitingTasks()
        #: The durations of runs that have ended.
        self.histories = Histories()
        self._mark = Mark()

    def __bool__(self) -> bool:
        own = self.new_tasks or self.terminal_snapshots or self.waiting_tasks or self.histories
        return bool(own or self.parents)

    @property
    def delays_exit(self) -> bool:
        """Whether the process should not end before a part of this is written."""
        return bool(self.new_tasks or self.histories or self.parents.owed)

    def add(self, snapshot: Snapshot, *, is_stored: bool, monotonic: float) -> None:
        """Add a new task, to be listed; see `NewTasks.add`. One that waits elsewhere is kept while it does."""
        get_store().recent.note_sharer(snapshot.task_id)
        self.new_tasks.add(snapshot, is_stored=is_stored)
        self._keep_waiting(snapshot, monotonic)

    def keep(self, version: Version, *, monotonic: float) -> None:
        """Keep the last version that this process has stored of a task, which the cache may lose."""
        if version.snapshot.is_terminal:
            self.terminal_snapshots.keep(version, monotonic=monotonic)
        self._keep_waiting(version.snapshot, monotonic)

    def find(self, task_id: str) -> Snapshot | None:
        """Return what is kept of a task, or None."""
        return (
            self.parents.sent.find(task_id)
            or self.waiting_tasks.find(task_id)
            or self.terminal_snapshots.find(task_id)
        )

    def note(self, told: Snapshot, *, monotonic: float) -> None:
        """Note a change of a task that is told, perhaps its end."""
        self.histories.note(told)
        self.parents.note(told, monotonic=monotonic)

    def forget(self, task_id: str) -> None:
        """Drop what is kept of a task, which has a new reporter."""
        self.terminal_snapshots.forget(task_id)
        self.waiting_tasks.forget(task_id)

    def sweep(self, reported: Iterable[Snapshot], *, clock: Clock) -> None:
        """Give signs of life of parents that are being sent; list new tasks; store again what the cache has lost.

        Args:
            reported: the tasks that reporters of this process write, and so store again by themselves.

        Raises:
            Exception: any error of the cache; what is owed is kept for the next call.
        """
        monotonic = clock.monotonic()
        self.parents.sent.beat(monotonic=monotonic, now=clock.now())  # first: whatever fails takes no sign of life
        self.new_tasks.list_all()
        self.terminal_snapshots.restore(monotonic=monotonic, on_missing=self.new_tasks.add)
        for snapshot in self.waiting_tasks.restore(monotonic=monotonic, now=clock.now()):
            self.new_tasks.add(snapshot)
        self.parents.restore(monotonic=monotonic)
        if (snapshots := list(reported)) and self._mark.was_lost(monotonic=monotonic):
            for snapshot in snapshots:
                self.new_tasks.add(snapshot)

    def _keep_waiting(self, snapshot: Snapshot, monotonic: float) -> None:
        if waits_elsewhere(snapshot):
            self.waiting_tasks.keep(snapshot, monotonic=monotonic)


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
            is_stored: False if it could not be stored; `store_some` then stores it first.
        """
        with self._lock:
            if is_stored and snapshot.parent is None:  # a child stands below its parent
                _keep(self._waiting, snapshot, RECENT_TASKS)
            elif not is_stored:
                _keep(self._unstored, snapshot, MAX_UNSTORED)

    def store_some(self) -> bool:
        """Store at most BATCH of the added tasks that could not be stored before; `list_all` then lists them.

        After a long outage there may be thousands, and the snapshots of running tasks must not wait for all of them.

        Returns:
            Whether all are stored.

        Raises:
            Exception: any error of the cache; the tasks are kept for the next call.
        """
        with self._lock:
            unstored = list(islice(self._unstored.values(), BATCH))
        for snapshot in unstored:
            _store_first(snapshot)
            self.add(snapshot)
            with self._lock:
                self._unstored.pop(snapshot.task_id, None)
        return not self._unstored

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


class Due(NamedTuple):
    """A terminal snapshot to look for at a time, and the pause before the next look if it must be stored again."""

    at: float
    pause: float
    version: Version


class TerminalSnapshots:
    """Terminal snapshots to be stored again if the cache lost or dropped them, or holds the task as lost.

    A cache server may have been killed and restarted empty. A database cache drops what it can't write, and says
    nothing. Another process may have declared the task lost just before it ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[str, Due] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def keep(self, version: Version, *, monotonic: float) -> None:
        """Keep a terminal snapshot, to check once more that the cache has it.

        The check is due after HEARTBEAT, or half of RETENTION if that is shorter. A cache in the memory of this
        process needs none.
        """
        if not get_store().is_local:
            settings = get_settings()
            pause = min(settings.HEARTBEAT, settings.RETENTION / 2)
            with self._lock:
                self._due[version.snapshot.task_id] = Due(monotonic + pause, pause, version)

    def find(self, task_id: str) -> Snapshot | None:
        """Return the kept terminal snapshot of a task, or None."""
        due = self._due.get(task_id)
        return None if due is None else due.version.snapshot

    def forget(self, task_id: str) -> None:
        """Drop the terminal snapshot of a task, which has a new reporter."""
        with self._lock:
            self._due.pop(task_id, None)

    def restore(self, *, monotonic: float, on_missing: Callable[[Snapshot], object] = lambda snapshot: None) -> None:
        """Store the due snapshots again that the cache has not; later entries are left alone.

        What was stored again is looked for once more, after pauses that double, until half of RETENTION.

        Args:
            monotonic: the time, in seconds.
            on_missing: called with each snapshot that was stored again since the cache held nothing of the task.

        Raises:
            StoreUnavailable: the cache refused some snapshots; these are kept.
            Exception: any error of the cache; the snapshots not checked yet are kept.
        """
        with self._lock:
            due = [(task_id, item.version) for task_id, item in self._due.items() if item.at <= monotonic]
        for start in range(0, len(due), BATCH):
            self._restore(dict(due[start : start + BATCH]), monotonic, on_missing)

    def _restore(self, kept: dict[str, Version], monotonic: float, on_missing: Callable[[Snapshot], object]) -> None:
        store = get_store()
        texts = store.read(kept)
        missing = [
            found for task_id, item in kept.items() if (found := _find_missing(item, texts.get(task_id))) is not None
        ]
        versions, refused = store.save(missing)
        for task_id in kept.keys() - versions.keys() - refused:
            self._replace(kept[task_id], None, monotonic)
        for task_id, version in versions.items():
            self._replace(kept[task_id], version, monotonic)
            if task_id not in texts:
                on_missing(version.snapshot)
        wakeups.publish(versions)
        if refused:
            raise StoreUnavailable(f"the cache refused the terminal snapshots of {sorted(refused)!r}")

    def _replace(self, version: Version, stored: Version | None, monotonic: float) -> None:
        """Look for `stored` later, which was stored in place of `version`; for nothing if it is None."""
        task_id = version.snapshot.task_id
        with self._lock:
            due = self._due.get(task_id)
            if due is None or due.version is not version:  # a later one has replaced it
                return
            pause = due.pause * 2
            if stored is None or pause > get_settings().RETENTION / 2:
                del self._due[task_id]
            else:
                self._due[task_id] = Due(monotonic + pause, pause, stored)


def _find_missing(version: Version, text: str | None) -> Snapshot | None:
    """Return what to store so that the cache has this snapshot, or None if it has.

    It may hold none, an older one from a restored dump, or one by which others declared the attempt lost.
    """
    if text == version.text:  # nearly always
        return None
    snapshot = version.snapshot
    stored = decode(snapshot.task_id, text)
    if stored is None:
        return snapshot
    if is_wrongly_lost(stored, snapshot):
        return take_back(snapshot, stored)
    return snapshot if stored.seq < snapshot.seq and stored.attempt <= snapshot.attempt else None
