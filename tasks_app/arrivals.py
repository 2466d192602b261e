"""New tasks on their way to the list of recent ones."""

import threading

from .snapshot import Snapshot
from .store import RECENT_TASKS, get_store


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
