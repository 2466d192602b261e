"""The recent tasks as the monitor shows them, read at most once a second for all its viewers."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..permissions import needs_only_user
from ..snapshot import Snapshot
from ..store import get_store
from ..streaming import observe_texts
from ..utils.lazy import per_process

#: Seconds for which a read is reused.
MAX_AGE = 1.0

#: How many tasks one round trip reads; their results may be large.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class Recent:
    """The recent tasks, the newest first, and the names found so far of their owners.

    `result` and `meta`, which may be large, are empty, unless a policy of the site may need them.
    """

    snapshots: Sequence[Snapshot]
    owner_names: dict[str, str] = field(default_factory=dict)


class RecentReader:
    """A reader of the recent tasks, in a thread; calls until MAX_AGE seconds after a read share its result."""

    def __init__(self, get_monotonic: Callable[[], float] = time.monotonic) -> None:
        self._get_monotonic = get_monotonic
        self._lock = threading.Lock()
        self._future: Future[Recent] | None = None
        self._read_at = -math.inf
        self._known: dict[str, _Known] = {}

    async def aread(self) -> Recent:
        """Return the recent tasks.

        Raises:
            Exception: any error of the cache.
        """
        return await asyncio.shield(asyncio.wrap_future(self._find()))  # a cancelled caller must not cancel the others

    def read(self, *, timeout: float) -> Sequence[Snapshot]:
        """Return the recent tasks; the calling thread waits at most `timeout` seconds.

        Raises:
            TimeoutError: the cache has not answered in time.
            Exception: any error of the cache.
        """
        return self._find().result(timeout).snapshots

    def _find(self) -> "Future[Recent]":
        with self._lock:
            if self._future is None or (self._future.done() and self._is_old()):
                self._future = get_store().submit(self._read)
            return self._future

    def _is_old(self) -> bool:
        """Whether the last successful read is MAX_AGE or more seconds old; a failed read is not kept."""
        return self._get_monotonic() - self._read_at >= MAX_AGE

    def _read(self) -> Recent:
        task_ids = get_store().find_recent()
        batches = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        found = {task_id: item for batch in batches for task_id, item in self._read_batch(batch).items()}
        self._known = found
        self._read_at = self._get_monotonic()
        return Recent([found[task_id].snapshot for task_id in task_ids if task_id in found])

    def _read_batch(self, task_ids: Sequence[str]) -> dict[str, "_Known"]:
        """Return the tasks of a batch, decoding only what is new; most ended long ago and are known."""
        texts = get_store().read(task_ids)
        known = {task_id: self._known[task_id] for task_id in texts if self._knows(task_id, texts[task_id])}
        unknown = [task_id for task_id in task_ids if task_id not in known]
        dropped = _choose_what_to_drop()
        return known | {
            snapshot.task_id: _Known(hash(texts[snapshot.task_id]), replace(snapshot, **dropped))
            for snapshot in observe_texts(unknown, texts)
        }

    def _knows(self, task_id: str, text: str) -> bool:
        known = self._known.get(task_id)
        return known is not None and known.snapshot.is_terminal and known.digest == hash(text)


class _Known(NamedTuple):
    """A snapshot, and a digest of the text that it was decoded from."""

    digest: int
    snapshot: Snapshot


@per_process("CACHES", "TASKS_APP")
def get_recent_reader() -> RecentReader:
    """Return the reader of this process."""
    return RecentReader()


def _choose_what_to_drop() -> dict[str, Any]:
    is_user_enough = needs_only_user("can_view") and needs_only_user("can_cancel")
    return {"meta": {}, "result": None} if is_user_enough else {}
