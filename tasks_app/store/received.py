"""Notes that an executor holds the messages of tasks, which then do not expire unnoticed."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable

from django.db import close_old_connections

from ..conf import get_settings
from ..utils.backoff import Failures
from ..utils.threads import DaemonExecutor
from .keys import make_received_key
from .store import get_store

logger = logging.getLogger("tasks_app")


def note_received(task_ids: Iterable[str]) -> None:
    """Store that an executor holds tasks that it received in time; it will begin them, or say that it does not.

    A note lasts LOST_AFTER: of one that is not renewed for as long, the executor is dead.
    """
    notes = dict.fromkeys(map(make_received_key, task_ids), 1)
    get_store().cache.set_many(notes, math.ceil(get_settings().LOST_AFTER))


def forget_received(task_id: str) -> None:
    """Delete the note of a task, which is about to be sent once more."""
    get_store().cache.delete(make_received_key(task_id))


def find_received(task_ids: Iterable[str]) -> set[str]:
    """Return the ids of those tasks that an executor has received."""
    keys = {make_received_key(task_id): task_id for task_id in task_ids}
    return {keys[key] for key in get_store().cache.get_many(list(keys))} if keys else set()


class Notes:
    """The notes of one executor, which a thread renews every HEARTBEAT while it holds any of the tasks.

    Args:
        is_held: tells whether the executor still holds a task.
    """

    def __init__(self, is_held: Callable[[str], bool]) -> None:
        self._is_held = is_held
        self._lock = threading.Lock()
        self._task_ids: set[str] = set()
        self._new: set[str] = set()
        self._renew_at = 0.0
        self._is_running = False
        self._has_more = threading.Event()
        self._failures = Failures()
        self._threads = DaemonExecutor(max_workers=1, name="tasks_app-notes")

    def add(self, task_id: str) -> None:
        """Note that the executor holds a task, soon and until it does no more.

        Raises:
            Exception: the process can't start the thread.
        """
        with self._lock:
            self._task_ids.add(task_id)
            self._new.add(task_id)
            if not self._is_running:
                self._threads.submit(self._run)
                self._is_running = True
        self._has_more.set()

    def _run(self) -> None:
        while self._goes_on():
            self._write(self._take_due())
            self._has_more.wait(get_settings().HEARTBEAT)

    def _goes_on(self) -> bool:
        with self._lock:
            self._task_ids = set(filter(self._is_held, self._task_ids))
            self._is_running = bool(self._task_ids)
            return self._is_running

    def _take_due(self) -> set[str]:
        """Return the tasks to note now: the new ones, and every HEARTBEAT all of them."""
        with self._lock:
            self._has_more.clear()
            new, self._new, monotonic = self._new, set(), time.monotonic()
            if monotonic < self._renew_at:
                return new
            self._renew_at = monotonic + get_settings().HEARTBEAT
            return set(self._task_ids)

    def _write(self, task_ids: Iterable[str]) -> None:
        try:
            note_received(task_ids)
            self._failures.clear()
        except Exception:  # whatever a cache backend raises
            if self._failures.note():
                logger.exception("viewers may be told that tasks expired which this worker holds")
        finally:
            close_old_connections()
