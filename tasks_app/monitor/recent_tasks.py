"""The recent tasks as the monitor shows them: read and decoded at most once a second, however many people watch."""

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

#: Seconds for which what was read is good.
MAX_AGE = 1.0

#: How many tasks are read at once: their results may be large.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class Recent:
    """The recent tasks, the newest first, and what was learned of their owners.

    Without `result` and `meta`, which may be large, unless a policy of the site's own may judge by them.
    """

    snapshots: Sequence[Snapshot]
    owner_names: dict[str, str] = field(default_factory=dict)


class RecentReader:
    """Reads the recent tasks in a thread; who asks meanwhile, or up to MAX_AGE seconds later, shares what it finds."""

    def __init__(self, get_monotonic: Callable[[], float] = time.monotonic) -> None:
        self._get_monotonic = get_monotonic
        self._lock = threading.Lock()
        self._future: Future[Recent] | None = None
        self._read_at = -math.inf
        self._known: dict[str, _Known] = {}

    async def aread(self) -> Recent:
        """Return the recent tasks.

        Raises:
            Exception: whatever the cache raised.
        """
        return await asyncio.shield(asyncio.wrap_future(self._find()))  # one who goes does not take it from the others

    def _find(self) -> "Future[Recent]":
        with self._lock:
            if self._future is None or (self._future.done() and self._is_old()):
                self._future = get_store().submit(self._read)
            return self._future

    def _is_old(self) -> bool:
        """Was the last success so long ago? A failure is not kept: before it, it was."""
        return self._get_monotonic() - self._read_at >= MAX_AGE

    def _read(self) -> Recent:
        task_ids = get_store().find_recent()
        batches = [task_ids[start : start + BATCH_SIZE] for start in range(0, len(task_ids), BATCH_SIZE)]
        found = {task_id: item for batch in batches for task_id, item in self._read_batch(batch).items()}
        self._known = found
        self._read_at = self._get_monotonic()
        return Recent([found[task_id].snapshot for task_id in task_ids if task_id in found])

    def _read_batch(self, task_ids: Sequence[str]) -> dict[str, "_Known"]:
        """Decode, of a batch, what is new; the most have ended long ago."""
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
    """What was found of a task, and a digest of the text that it was found in."""

    digest: int
    snapshot: Snapshot


@per_process("CACHES", "TASKS_APP")
def get_recent_reader() -> RecentReader:
    """Return the one of this process."""
    return RecentReader()


def _choose_what_to_drop() -> dict[str, Any]:
    is_user_enough = needs_only_user("can_view") and needs_only_user("can_cancel")
    return {"meta": {}, "result": None} if is_user_enough else {}
