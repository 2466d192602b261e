"""The recent tasks as the monitor shows them: read and decoded at most once a second, however many people watch."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from django.core.signals import setting_changed

from .lazy import Lazy
from .observer import observe_many
from .state import Snapshot
from .store import get_store

#: Seconds for which what was read is good.
MAX_AGE = 1.0

#: How many tasks are read at once: their results, which are not kept, may be large.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class Recent:
    """The recent tasks, the newest first, without `result` and `meta`; and what was learned of their owners."""

    snapshots: Sequence[Snapshot]
    owner_names: dict[str, str] = field(default_factory=dict)


class RecentReader:
    """Reads the recent tasks in a thread; who asks meanwhile, or up to MAX_AGE seconds later, shares what it finds."""

    def __init__(self, get_monotonic: Callable[[], float] = time.monotonic) -> None:
        self._get_monotonic = get_monotonic
        self._lock = threading.Lock()
        self._future: Future[Recent] | None = None
        self._read_at = 0.0

    async def aread(self) -> Recent:
        """Return the recent tasks.

        Raises:
            Exception: whatever the cache raised.
        """
        return await asyncio.shield(asyncio.wrap_future(self._find()))  # one who goes does not take it from the others

    def _find(self) -> "Future[Recent]":
        with self._lock:
            if self._future is None or self._is_used_up(self._future):
                self._future = get_store().submit(self._read)
            return self._future

    def _is_used_up(self, future: "Future[Recent]") -> bool:
        if not future.done():
            return False
        return future.exception() is not None or self._get_monotonic() - self._read_at >= MAX_AGE

    def _read(self) -> Recent:
        task_ids = get_store().find_recent()
        batches = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        recent = Recent([_without_data(snapshot) for batch in batches for snapshot in observe_many(batch)])
        self._read_at = self._get_monotonic()
        return recent


@Lazy
def get_recent_reader() -> RecentReader:
    """Return the one of this process."""
    return RecentReader()


def _without_data(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, meta={}, result=None)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in ("CACHES", "TASKS_APP"):
        get_recent_reader.cache_clear()


setting_changed.connect(_forget, dispatch_uid="tasks_app.recent")
