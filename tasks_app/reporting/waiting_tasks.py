"""The tasks that this process has sent and that wait elsewhere, to be stored again if the cache loses them.

Nobody else may know of them: no executor has begun them, and their messages can't be read. So this process looks at
them every HEARTBEAT, with one read for up to BATCH tasks. One that it sees begun or ended is left to its executor. One
that is gone although it waited at the last look waits still, or has ended since: then the process that ran it stores
the end over what is stored here, since it looks for that until HEARTBEAT after the end.
"""

import threading
from datetime import datetime
from typing import NamedTuple

from .. import wakeups
from ..conf import get_settings
from ..snapshot import Snapshot, Version, waits_elsewhere
from ..store import RECENT_TASKS, decode, get_store

#: The most tasks read in one round trip, or stored again in one sweep.
BATCH = 200

#: The most tasks kept, the latest ones; no more are listed either.
MAX_WAITING = RECENT_TASKS


class Waiting(NamedTuple):
    """A task that waited when it was seen last, by the monotonic clock; its stored text is None until it is read."""

    snapshot: Snapshot
    seen_at: float
    text: str | None = None


class WaitingTasks:
    """The tasks of this process that wait elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Waiting] = {}
        self._lost: dict[str, Snapshot] = {}
        self._next_look = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def keep(self, snapshot: Snapshot, *, monotonic: float) -> None:
        """Keep a task that waits elsewhere until it is seen to have begun or ended."""
        with self._lock:
            if not self._waiting:  # most tasks begin before the first look
                self._next_look = monotonic + get_settings().HEARTBEAT
            self._waiting.pop(snapshot.task_id, None)
            self._waiting[snapshot.task_id] = Waiting(snapshot, monotonic)
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def forget(self, task_id: str) -> None:
        """Forget a task that begins or ends in this process."""
        with self._lock:
            self._waiting.pop(task_id, None)
            self._lost.pop(task_id, None)

    def find(self, task_id: str) -> Snapshot | None:
        """Return a kept task, or None."""
        waiting = self._waiting.get(task_id)
        return None if waiting is None else waiting.snapshot

    def restore(self, *, monotonic: float, now: datetime) -> list[Snapshot]:
        """Look for the tasks if that is due, store at most BATCH lost ones again, and return these.

        Raises:
            Exception: any error of the cache; nothing is forgotten.
        """
        if monotonic >= self._next_look:
            self._look(monotonic=monotonic, now=now)
            self._next_look = monotonic + get_settings().HEARTBEAT
        return [snapshot for snapshot in list(self._lost.values())[:BATCH] if self._store(snapshot)]

    def _look(self, *, monotonic: float, now: datetime) -> None:
        waiting = dict(self._waiting)
        task_ids = list(waiting)
        for start in range(0, len(task_ids), BATCH):
            batch = task_ids[start : start + BATCH]
            texts = get_store().read(batch)
            for task_id in batch:
                self._note(waiting[task_id], texts.get(task_id), monotonic=monotonic, now=now)

    def _note(self, before: Waiting, text: str | None, *, monotonic: float, now: datetime) -> None:
        snapshot = before.snapshot if text == before.text else decode(before.snapshot.task_id, text)
        with self._lock:
            if self._waiting.get(before.snapshot.task_id) is not before:  # it is sent again, or begins here
                return
            if text is None and _is_lost(before, monotonic=monotonic, now=now):
                self._lost[before.snapshot.task_id] = before.snapshot
            elif snapshot is not None and waits_elsewhere(snapshot) and _is_older(snapshot, before.snapshot):
                self._lost[snapshot.task_id] = before.snapshot  # another process put back what it had sent
            elif text is not None and snapshot is not None and waits_elsewhere(snapshot):
                self._waiting[snapshot.task_id] = Waiting(snapshot, monotonic, text)
            else:
                del self._waiting[before.snapshot.task_id]

    def _store(self, snapshot: Snapshot) -> bool:
        """Store a lost task again unless it is there, and return whether it was stored."""
        is_stored = get_store().add(snapshot) or _replace_older(snapshot)
        with self._lock:
            self._lost.pop(snapshot.task_id, None)
        if is_stored:
            wakeups.publish({snapshot.task_id: Version.of(snapshot)})
        return is_stored


def _replace_older(snapshot: Snapshot) -> bool:
    """Store a waiting task over an older version of it, and return whether there was one."""
    stored = get_store().get(snapshot.task_id)
    is_older = stored is not None and waits_elsewhere(stored) and _is_older(stored, snapshot)
    return is_older and not get_store().save([snapshot]).refused


def _is_older(snapshot: Snapshot, other: Snapshot) -> bool:
    return (snapshot.attempt, snapshot.seq) < (other.attempt, other.seq)


def _is_lost(waiting: Waiting, *, monotonic: float, now: datetime) -> bool:
    """Return whether the cache has lost a task that it does not hold, rather than kept it for as long as it should."""
    settings, snapshot = get_settings(), waiting.snapshot
    is_overdue = (now - snapshot.updated_at).total_seconds() > settings.ACTIVE_TTL + snapshot.waits_for
    return not is_overdue and monotonic - waiting.seen_at < settings.RETENTION
