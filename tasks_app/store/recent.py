"""The list of recent tasks, of which nobody who starts many pushes off those of the others."""

import heapq
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from itertools import chain, groupby, islice
from typing import Any, NamedTuple

from ..exceptions import StoreUnavailable
from ..snapshot import ANYONE, Snapshot
from .client import Client
from .keys import RECENT_COUNT_KEY, make_plan_key, make_recent_key
from .lifetimes import active_time_to_live

#: The number of tasks on the list.
RECENT_TASKS = 1000

#: The places that are chosen at a time, for the tasks of all processes that come next: more would cost each task less,
#: and be less fair.
TURN = 250

#: Seconds for which a choice is kept; it is made once more where it is missing.
PLAN_TTL = 3600

#: Seconds after which the list is read again even if nobody else has put tasks on it: the cache forgets old ones.
SEEN_SECONDS = 3600.0

_sharer: ContextVar[str | None] = ContextVar("tasks_app_sharer", default=None)


@contextmanager
def sharing(name: str) -> Iterator[None]:
    """Have tasks without an owner that are enqueued in this block share the list as those of one client."""
    token = _sharer.set(name)
    try:
        yield
    finally:
        _sharer.reset(token)


class _Entry(NamedTuple):
    """One task on the list."""

    created: float
    task_id: str
    #: Stands for whose it is.
    sharer: str | None

    @classmethod
    def read(cls, value: Any) -> "_Entry | None":
        """Return the entry in a stored value; None if it is of another shape."""
        match value:
            case [int() | float() as created, str(task_id), *rest]:
                return cls(created, task_id, str(rest[0]) if rest and rest[0] else None)
        return None


class RecentList:
    """The list in a cache: RECENT_TASKS places, of which the next TURN to be used are chosen together.

    Free ones come first, then the oldest of the client that has most. So each keeps an equal share, if they need it,
    of the places that are not chosen at the moment.
    """

    def __init__(self, cache: Client) -> None:
        self._cache = cache
        self._plans: dict[int, list[int]] = {}
        #: What was read of the list, with what was put on it since; empty if it must be read.
        self._seen: dict[int, _Entry] = {}
        self._seen_at = 0.0
        self._last = 0
        #: Who has enqueued tasks that have no owner and are not yet on the list.
        self._sharers: dict[str, str] = {}

    def note_sharer(self, task_id: str) -> None:
        """Note whose a task is that is about to be listed, if `sharing` says so."""
        if (name := _sharer.get()) is not None:
            self._sharers[task_id] = _digest(name)
            if len(self._sharers) > RECENT_TASKS:
                self._sharers.pop(next(iter(self._sharers)), None)

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Put tasks on the list.

        Redis, Memcached and the in-memory cache count exactly. On other caches, two processes that start tasks at the
        same moment may use the same place: one of these tasks is then not listed.

        Raises:
            StoreUnavailable: the cache refused some entries.
        """
        last = self._cache.count(RECENT_COUNT_KEY, len(snapshots))
        first = last - len(snapshots) + 1
        if first != self._last + 1:  # others have put tasks on the list, or the cache was emptied
            self._seen = {}
        for turn, numbered in groupby(enumerate(snapshots, first), key=lambda item: item[0] // TURN):
            plan = self._find_plan(turn)
            self._store({plan[number % TURN]: snapshot for number, snapshot in numbered})
        self._last = last  # not before all are stored: else the list is read again

    def find(self) -> list[str]:
        """Return the ids of the tasks on the list, the newest first."""
        entries = sorted(self._read().values(), key=lambda entry: entry[:2], reverse=True)
        return list(dict.fromkeys(entry.task_id for entry in entries))

    def _store(self, snapshots: Mapping[int, Snapshot]) -> None:
        """Put tasks on their places, also in what was read of the list, if it was."""
        entries = {
            place: _Entry(snapshot.created_at.timestamp(), snapshot.task_id, self._find_sharer(snapshot))
            for place, snapshot in snapshots.items()
        }
        ttl = max(map(active_time_to_live, snapshots.values()))
        values = {make_recent_key(place): list(entry) for place, entry in entries.items()}
        if refused := self._cache.set_many(values, ttl):
            raise StoreUnavailable(f"the cache did not store {sorted(refused)!r}")
        if self._seen:
            self._seen |= entries
        for snapshot in snapshots.values():
            self._sharers.pop(snapshot.task_id, None)

    def _find_sharer(self, snapshot: Snapshot) -> str | None:
        if snapshot.owner not in (None, ANYONE):
            return _digest(f"user:{snapshot.owner}")
        return self._sharers.get(snapshot.task_id)

    def _find_plan(self, turn: int) -> list[int]:
        """Return the places that the tasks of a turn use one after the other, in all processes."""
        if (plan := self._plans.get(turn)) is None:
            plan = self._plans[turn] = self._read_plan(turn) or self._make_plan(turn)
            for old in list(self._plans)[:-2]:
                self._plans.pop(old, None)
        return plan

    def _read_plan(self, turn: int) -> list[int] | None:
        plan = self._cache.get(make_plan_key(turn))
        is_plan = isinstance(plan, list) and len(plan) == TURN and all(map(_is_place, plan))
        return plan if is_plan else None

    def _make_plan(self, turn: int) -> list[int]:
        before = self._plans.get(turn - 1) or self._read_plan(turn - 1) or ()
        if not self._seen or time.monotonic() - self._seen_at >= SEEN_SECONDS:
            self._seen, self._seen_at = self._read(), time.monotonic()
        plan = _choose(self._seen, set(before))  # in which tasks may be listed at this moment
        if not self._cache.add(make_plan_key(turn), plan, PLAN_TTL):
            return self._read_plan(turn) or plan  # another process was faster
        return plan

    def _read(self) -> dict[int, _Entry]:
        keys = {make_recent_key(place): place for place in range(RECENT_TASKS)}
        found = {keys[key]: _Entry.read(value) for key, value in self._cache.get_many(keys).items()}
        return {place: entry for place, entry in found.items() if entry is not None}


def _choose(entries: Mapping[int, _Entry], taken: Set[int]) -> list[int]:
    """Return TURN places: free ones, then the oldest of the client that has most; those `taken` only at last."""
    free = (place for place in range(RECENT_TASKS) if place not in entries and place not in taken)
    return list(islice(chain(free, _find_oldest_of_most(entries, taken), sorted(taken)), TURN))


def _find_oldest_of_most(entries: Mapping[int, _Entry], taken: Set[int]) -> Iterator[int]:
    """Yield places in the order in which they are given up; what is taken counts, and is not given up."""
    counts = Counter(entry.sharer for entry in entries.values())
    shares: dict[str | None, list[tuple[float, int]]] = defaultdict(list)
    for place, entry in entries.items():
        if place not in taken:
            shares[entry.sharer].append((entry.created, place))
    for share in shares.values():
        share.sort(reverse=True)
    heap = [(-counts[sharer], share[-1], sharer or "") for sharer, share in shares.items()]
    heapq.heapify(heap)
    while heap:
        count, (_, place), sharer = heapq.heappop(heap)
        yield place
        share = shares[sharer or None]
        share.pop()
        if share:
            heapq.heappush(heap, (count + 1, share[-1], sharer))


def _digest(name: str) -> str:
    """Return a short text that stands for a client, whose name may be a secret."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _is_place(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < RECENT_TASKS
