"""The share of each client in a cache that drops entries beyond a number: a tenth of it, so that the others stay."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice

from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import (
    count_most_pages,
    count_stored_pages,
    decode,
    delete_contents,
    get_store,
    make_claim_key,
    make_task_key,
)
from ..utils.lazy import per_process
from ..utils.rarely import Rarely

logger = logging.getLogger("tasks_app")

#: The part of the cache's entries, as a divisor, that the tasks of one client, and the pages of their logs, may be.
PART = 10


#: How many of a client's tasks are looked at whenever it starts one.
LOOK = 2


@dataclass(slots=True)
class _Client:
    """The tasks that this process has started for a client: those that may yet run, and the ended ones' places."""

    waiting: dict[str, None] = field(default_factory=dict)
    #: How many places of its share each ended task takes: one, and one for each page of its log.
    ended: dict[str, int] = field(default_factory=dict)
    #: The names of the idempotency claims.
    claims: dict[str, str] = field(default_factory=dict)
    taken: int = 0

    def see(self, task_id: str, places: int | None) -> None:
        """Note what a task takes that waited; None: it may yet run, and is looked at after the others."""
        if task_id in self.waiting:
            del self.waiting[task_id]
            if places is None:
                self.waiting[task_id] = None
            else:
                self.ended[task_id] = places
                self.taken += places

    def find_over(self, limit: int) -> list[str]:
        """Return the tasks that ended first, without which no more than the limit is taken."""
        over, taken = [], self.taken + len(self.waiting)
        for task_id, places in self.ended.items():
            if taken <= limit:
                break
            over.append(task_id)
            taken -= places
        return over

    def take_back(self, task_id: str) -> None:
        """Count an ended task as one that waits."""
        self.taken -= self.ended.pop(task_id, 0)
        self.waiting[task_id] = None

    def forget(self, task_id: str) -> str | None:
        """Count an ended task no more, and return the name of its claim."""
        self.taken -= self.ended.pop(task_id, 0)
        return self.claims.pop(task_id, None)


class Shares:
    """The tasks that this process has started for each client, of which the oldest ended ones make room for the next.

    Args:
        limit: the most places of a client, each for a task or a page of its log.
        total: the most tasks that are remembered of all clients.
    """

    def __init__(self, limit: int, total: int) -> None:
        self._limit, self._total = limit, total
        self._lock = threading.Lock()
        #: The client that started last is the last.
        self._started: OrderedDict[str, _Client] = OrderedDict()
        self._clients: dict[str, str] = {}

    def add(self, client: str, task_id: str) -> None:
        """Count a task for the client that has started it, and delete what ended first of those above the limit.

        Raises:
            Exception: raised by the cache.
        """
        with self._lock:
            started = self._started.setdefault(client, _Client())
            started.waiting[task_id] = None
            self._started.move_to_end(client)
            self._clients[task_id] = client
            self._forget_some()
            if not self._may_be_much(started):
                return
            looked_at = list(islice(started.waiting, LOOK))
        self._look(started, looked_at)
        with self._lock:
            over = started.find_over(self._limit)
        for task_id, snapshot in _read(over).items():
            self._drop(started, task_id, snapshot)

    def add_claim(self, task_id: str, claim: str) -> None:
        """Count an idempotency claim with its task."""
        with self._lock:
            if (client := self._clients.get(task_id)) is not None:
                self._started[client].claims[task_id] = claim

    def _may_be_much(self, started: _Client) -> bool:
        """Return whether a client may take more than half of its share, if those that wait have long logs."""
        return started.taken + len(started.waiting) * (1 + count_most_pages()) > self._limit / 2

    def _forget_some(self) -> None:
        """Forget the clients whose last start is longest ago: the cache holds no more than `total` tasks anyway."""
        while len(self._clients) > self._total and len(self._started) > 1:
            forgotten = self._started.popitem(last=False)[1]
            for task_id in (*forgotten.waiting, *forgotten.ended):
                self._clients.pop(task_id, None)

    def _look(self, started: _Client, task_ids: list[str]) -> None:
        """Note what those of some tasks take that have ended; the others are looked at after the rest."""
        snapshots = _read(task_ids)
        with self._lock:
            for task_id, snapshot in snapshots.items():
                started.see(task_id, _count_places(snapshot))

    def _drop(self, started: _Client, task_id: str, snapshot: Snapshot | None) -> None:
        with self._lock:
            if _count_places(snapshot) is None:  # it was not found when it was looked at
                started.take_back(task_id)
                return
            claim = started.forget(task_id)
            self._clients.pop(task_id, None)
        get_flusher().backlog.forget(task_id)  # else it may be stored again
        if snapshot is not None:
            delete_contents(snapshot)
            get_store().cache.delete(make_task_key(task_id))
        if claim is not None:
            get_store().cache.delete(make_claim_key(claim))


def _count_places(snapshot: Snapshot | None) -> int | None:
    """Return what a task takes, one place if nothing is known of it any more; None if it may yet run."""
    if snapshot is None:
        return 1
    return 1 + count_stored_pages(snapshot) if snapshot.is_terminal else None


def _read(task_ids: list[str]) -> dict[str, Snapshot | None]:
    texts = get_store().read(task_ids) if task_ids else {}
    return {task_id: decode(task_id, texts.get(task_id)) for task_id in task_ids}


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
