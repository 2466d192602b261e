"""What each client takes of a cache that drops entries beyond a number: a tenth of it, so that the others stay."""

import logging
import threading
from collections import OrderedDict
from itertools import islice

from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import decode, delete_contents, get_store, make_claim_key, make_task_key
from ..utils.lazy import per_process
from ..utils.rarely import Rarely

logger = logging.getLogger("tasks_app")

#: The part of the cache's entries, as a divisor, that the tasks of one client may be.
PART = 10


class Shares:
    """The tasks that this process has started for each client, of which the oldest ended ones make room for the next.

    Args:
        limit: the most tasks of a client.
        total: the most tasks that are remembered of all clients.
    """

    def __init__(self, limit: int, total: int) -> None:
        self._limit, self._total = limit, total
        self._lock = threading.Lock()
        #: Each client's tasks, with the names of their idempotency claims; the client that started last is the last.
        self._started: OrderedDict[str, dict[str, str | None]] = OrderedDict()
        self._clients: dict[str, str] = {}

    def add(self, client: str, task_id: str) -> None:
        """Count a task for the client that has started it, and delete what ended first of those above the limit.

        Raises:
            Exception: raised by the cache.
        """
        with self._lock:
            self._started.setdefault(client, {})[task_id] = None
            self._started.move_to_end(client)
            self._clients[task_id] = client
            self._forget_some()
            started = self._started.get(client, {})
            over = list(islice(started, max(len(started) - self._limit, 0)))
        texts = get_store().read(over)
        for task_id in over:
            snapshot = decode(task_id, texts.get(task_id))
            self._keep(client, task_id) if snapshot and not snapshot.is_terminal else self._drop(task_id, snapshot)

    def add_claim(self, task_id: str, claim: str) -> None:
        """Count an idempotency claim with its task."""
        with self._lock:
            if (client := self._clients.get(task_id)) is not None:
                self._started[client][task_id] = claim

    def _forget_some(self) -> None:
        """Forget the clients whose last start is longest ago: the cache holds no more than `total` tasks anyway."""
        while len(self._clients) > self._total and len(self._started) > 1:
            for task_id in self._started.popitem(last=False)[1]:
                del self._clients[task_id]

    def _keep(self, client: str, task_id: str) -> None:
        """Look at a task that has not ended after the others."""
        with self._lock:
            started = self._started.get(client, {})
            if task_id in started:
                started[task_id] = started.pop(task_id)

    def _drop(self, task_id: str, snapshot: Snapshot | None) -> None:
        with self._lock:
            client = self._clients.pop(task_id, None)
            claim = self._started[client].pop(task_id) if client is not None else None
        get_flusher().backlog.forget(task_id)  # else it may be stored again
        if snapshot is not None:
            delete_contents(snapshot)
            get_store().cache.delete(make_task_key(task_id))
        if claim is not None:
            get_store().cache.delete(make_claim_key(claim))


async def keep_share(client: str, task_id: str) -> None:
    """Count a task for the client that has started it, where the cache may drop entries."""
    if not (shares := get_shares()):
        return
    try:
        await get_store().arun(shares[0].add, client, task_id)
    except Exception:  # whatever a cache backend raises; the task has started
        if _failures.is_due("share"):
            logger.exception("ended tasks could not be deleted (said once a minute)")


def keep_claim(task_id: str, claim: str) -> None:
    """Count an idempotency claim with its task."""
    for shares in get_shares():
        shares.add_claim(task_id, claim)


_failures = Rarely()


@per_process("CACHES", "TASKS_APP")
def get_shares() -> tuple[Shares, ...]:
    """Return the shares of this process; none if the cache drops nothing."""
    total = get_store().cache.max_entries
    return () if total is None else (Shares(max(total // PART, 1), total),)
