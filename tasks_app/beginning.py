"""What a process that begins a task makes of what is known of it."""

import logging
from dataclasses import replace

from .flusher import get_flusher
from .reporter import Progress
from .state import Snapshot
from .store import get_store

logger = logging.getLogger("tasks_app")


def begin(task_id: str, task: str, before: Progress | None = None) -> Progress:
    """Begin an attempt of a task in this process, and return its reporter.

    Args:
        task: its name, if nothing is known of it.
        before: the reporter of the last attempt, if that is still here.
    """
    reporter = _make_reporter(task_id, task) if before is None else _follow(before)
    reporter.begin()
    get_flusher().add(reporter)
    return reporter


class Unread(Progress):
    """A task whose first snapshot could not be read when it began; it is read before another is written over it."""

    is_read = False

    def take(self) -> Snapshot | None:
        """Return the snapshot to write; none while the one that is stored can't be read."""
        if not self.is_read and not self._read():
            return None
        return super().take()

    def _read(self) -> bool:
        try:
            stored, _ = _load(self.task_id)
        except Exception as error:  # whatever a cache backend raises; that it failed was logged when the task began
            logger.debug("task %s: its snapshot still can't be read: %s", self.task_id, error)
            return False
        with self._lock:
            self.is_read = True
            if stored is not None:
                self._snapshot = _continue(stored, self._snapshot)
        return True


def _follow(before: Progress) -> Progress:
    is_unread = isinstance(before, Unread) and not before.is_read
    return Unread(before.snapshot) if is_unread else Progress(before.snapshot)


def _load(task_id: str) -> tuple[Snapshot | None, bool]:
    try:
        return get_store().load(task_id)
    except ValueError:
        logger.exception("task %s: what is stored of it is no snapshot; it is made anew", task_id)
        return None, False


def _make_reporter(task_id: str, task: str) -> Progress:
    anew = Snapshot.queued(task_id, task, now=get_flusher().clock.now())
    try:
        stored, is_cancelled = _load(task_id)
    except Exception:
        logger.exception("task %s: its snapshot could not be read; that is tried again", task_id)
        return Unread(anew)
    if stored is None:
        get_flusher().enlist(anew)
    reporter = Progress(stored or anew)
    if is_cancelled:
        reporter.request_cancel()
    return reporter


def _continue(stored: Snapshot, now: Snapshot) -> Snapshot:
    """Return `now`, which was made without knowing what is stored of the task, as what comes after that."""
    return replace(
        now,
        task=stored.task,
        owner=stored.owner,
        created_at=stored.created_at,
        attempt=stored.attempt + now.attempt,
        seq=stored.seq + now.seq,
    )
