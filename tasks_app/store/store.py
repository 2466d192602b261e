"""Where the state of tasks lives: one JSON text per task in Django's cache framework."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import close_old_connections

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot, Version
from ..utils.lazy import per_process
from ..utils.threads import DaemonExecutor
from .keys import (
    RECENT_COUNT_KEY,
    is_task_id,
    make_attempt_key,
    make_cancel_key,
    make_page_key,
    make_recent_key,
    make_task_key,
)
from .latency import LATE_AFTER, Latency, Timed

logger = logging.getLogger("tasks_app")

T = TypeVar("T")

#: How many tasks can be listed, the latest ones.
RECENT_TASKS = 1000

#: The threads of this process in which caches are asked that may take long to answer.
MAX_THREADS = 4


class Saved(NamedTuple):
    """What became of snapshots that were to be stored, by the ids of their tasks."""

    versions: dict[str, Version]
    refused: set[str]


class Store:
    """Snapshots, logs and cancel requests in one cache; methods `ax` are the async twins of `x`.

    Whatever the cache raises passes through: only the caller knows whether to retry, to log or to answer 503.
    """

    def __init__(self, cache: BaseCache) -> None:
        #: Is it this process' own memory? That answers in microseconds: calling it in place is cheaper than a thread.
        self.is_local = isinstance(cache, LocMemCache | DummyCache)
        # In a database, what a transaction has stored is seen only by the thread that it belongs to.
        self._is_timed = not self.is_local and not isinstance(cache, BaseDatabaseCache)
        self._latency = Latency()
        #: The cache, for what else is kept in it; each call is timed.
        self.cache = cast(BaseCache, Timed(cache, self._latency)) if self._is_timed else cache

    def add(self, snapshot: Snapshot, *, delay: float = 0) -> bool:
        """Store the first snapshot of a task that begins in `delay` seconds at the earliest.

        False if the id is taken, which changes nothing.
        """
        ttl = _time_to_live(snapshot) + _seconds(delay)
        return bool(self.cache.add(make_task_key(snapshot.task_id), snapshot.to_json(), ttl))

    def load(self, task_id: str) -> tuple[Snapshot | None, bool]:
        """Return what is stored of a task that begins; was it asked to stop?"""
        task, cancel = make_task_key(task_id), make_cancel_key(task_id)
        found = self.cache.get_many([task, cancel])
        return decode(task_id, found.get(task)), cancel in found

    def save(self, snapshots: Iterable[Snapshot], pages: Mapping[str, Mapping[int, str]] | None = None) -> Saved:
        """Store the snapshots, in one round trip where the cache can do that; return which it took, and refused.

        Args:
            pages: what is to be stored of the tasks' logs, by slot, before the snapshots that count these lines.
        """
        ids: dict[str, str] = {}
        versions: dict[str, Version] = {}
        by_ttl: dict[int, dict[str, str]] = {}
        for task_id, texts in (pages or {}).items():
            for slot, text in texts.items():
                key = make_page_key(task_id, slot)
                ids[key] = task_id
                by_ttl.setdefault(_page_time_to_live(), {})[key] = text
        for snapshot in snapshots:
            key = make_task_key(snapshot.task_id)
            ids[key] = snapshot.task_id
            versions[snapshot.task_id] = version = Version.of(snapshot)
            by_ttl.setdefault(_time_to_live(snapshot), {})[key] = version.text
        refused = {ids[key] for ttl, texts in by_ttl.items() for key in self.cache.set_many(texts, ttl)}
        return Saved({task_id: version for task_id, version in versions.items() if task_id not in refused}, refused)

    def read(self, task_ids: Iterable[str]) -> dict[str, str]:
        """Return the stored text of each task that has one, in one round trip where the cache can do that."""
        keys = {make_task_key(task_id): task_id for task_id in task_ids if is_task_id(task_id)}
        return {keys[key]: text for key, text in self.cache.get_many(keys).items()} if keys else {}

    def read_pages(self, slots: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Return what is stored of the logs of tasks, each page by the task and the slot."""
        keys = {make_page_key(task_id, slot): (task_id, slot) for task_id, slot in slots}
        return {keys[key]: text for key, text in self.cache.get_many(keys).items()} if keys else {}

    def get(self, task_id: str) -> Snapshot | None:
        """Return the snapshot of a task, or None."""
        return decode(task_id, self.read([task_id]).get(task_id))

    def list_as_recent(self, snapshots: Sequence[Snapshot]) -> None:
        """Put tasks on the list of the latest RECENT_TASKS.

        Each gets the next of so many places. Redis, Memcached and the in-memory cache count exactly; on others, two
        tasks that two processes start in the same moment may get the same place, and one of them is not listed.

        Raises:
            StoreUnavailable: the cache refused some of them.
        """
        last = self._count_recent(len(snapshots))
        places = range(last - len(snapshots) + 1, last + 1)
        entries = {
            make_recent_key(place % RECENT_TASKS): [snapshot.created_at.timestamp(), snapshot.task_id]
            for place, snapshot in zip(places, snapshots, strict=True)
        }
        if refused := self.cache.set_many(entries, _seconds(get_settings().ACTIVE_TTL)):
            raise StoreUnavailable(f"the cache did not take {sorted(refused)!r}")

    def _count_recent(self, number: int) -> int:
        try:
            return int(self.cache.incr(RECENT_COUNT_KEY, number))
        except ValueError:  # there is no such key yet
            self.cache.add(RECENT_COUNT_KEY, 0, None)
            return int(self.cache.incr(RECENT_COUNT_KEY, number))

    def find_recent(self) -> list[str]:
        """Return the ids of the tasks that are on that list, the newest first."""
        entries = self.cache.get_many(map(make_recent_key, range(RECENT_TASKS)))
        return list(dict.fromkeys(task_id for _, task_id in sorted(entries.values(), reverse=True)))

    def request_cancel(self, task_id: str) -> None:
        """Leave word that the task shall stop; its worker looks for it."""
        self.cache.set(make_cancel_key(task_id), 1, _seconds(get_settings().ACTIVE_TTL))

    def claim_attempt(self, task_id: str, attempt: int) -> None:
        """Leave word for whoever still runs an earlier attempt of a task: it goes on elsewhere."""
        self.cache.set(make_attempt_key(task_id), attempt, _seconds(get_settings().ACTIVE_TTL))

    def find_words(self, task_ids: Iterable[str]) -> tuple[set[str], dict[str, int]]:
        """Return the words left for the workers of these tasks: which to cancel; the latest attempt of some."""
        cancels = {make_cancel_key(task_id): task_id for task_id in task_ids}
        attempts = {make_attempt_key(task_id): task_id for task_id in cancels.values()}
        found = self.cache.get_many([*cancels, *attempts]) if cancels else {}
        return (
            {cancels[key] for key in found.keys() & cancels.keys()},
            {attempts[key]: found[key] for key in found.keys() & attempts.keys()},
        )

    def find_cancelled(self, task_ids: Iterable[str]) -> set[str]:
        """Return those of the tasks that someone asked to cancel."""
        keys = {make_cancel_key(task_id): task_id for task_id in task_ids}
        return {keys[key] for key in self.cache.get_many(keys)} if keys else set()

    def close_old_connections(self) -> None:
        """Let go of what this store has opened in the calling thread, if that must not outlive CONN_MAX_AGE there."""
        if not self.is_local:  # nor does it then use a database
            close_old_connections()

    @property
    def hangs(self) -> bool:
        """Does the cache let whoever asks it wait?"""
        return self._latency.is_late

    def call_briefly(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses this store for somebody who must not wait: not for longer than LATE_AFTER seconds.

        Raises:
            StoreUnavailable: it hangs, or is known to. What was begun may be done later.
            Exception: whatever the function raised.
        """
        if not self._is_timed:
            return function(*args)
        if self.hangs:
            raise StoreUnavailable("the cache does not answer")
        future = self.submit(function, *args)
        futures.wait([future], LATE_AFTER)
        if not future.done():
            future.cancel()
            raise StoreUnavailable(f"the cache has not answered within {LATE_AFTER} s")
        return future.result()

    async def aread(self, task_ids: Iterable[str]) -> dict[str, str]:
        return await self.arun(self.read, task_ids)

    async def aread_pages(self, slots: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        return await self.arun(self.read_pages, slots)

    async def arun(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses this store, without blocking the event loop."""
        return function(*args) if self.is_local else await asyncio.wrap_future(self.submit(function, *args))

    async def acall_unless_late(self, function: Callable[..., T], *args: Any) -> T:
        """Do what `arun` does, for somebody who waits for the cache, but not for all others who wait for it, too.

        Raises:
            StoreUnavailable: it hangs, and so did those before.
            Exception: whatever the function raised.
        """
        return await self.arun(self._call_unless_late, time.monotonic(), function, *args)

    def _call_unless_late(self, asked_at: float, function: Callable[..., T], *args: Any) -> T:
        if self.hangs and time.monotonic() - asked_at > LATE_AFTER:
            raise StoreUnavailable("the cache does not answer")
        return function(*args)

    def submit(self, function: Callable[..., T], *args: Any) -> "futures.Future[T]":
        """Call a function that uses this store in another thread, wherever its cache is: it may take long."""
        return _get_executor().submit(_without_connections, partial(function, *args))


def decode(task_id: str, text: str | None) -> Snapshot | None:
    """Return the snapshot in a stored text; None, and a line in the log, if it is not one.

    What can't be decoded is as good as nothing: it is shown to nobody, and the task's reporter writes over it.
    """
    if text is None:
        return None
    try:
        return Snapshot.from_json(text)
    except ValueError:
        logger.exception("task %s: what the cache holds is no snapshot", task_id)
        return None


@per_process("CACHES", "TASKS_APP")
def get_store() -> Store:
    """Return the store of this process.

    It has a cache connection of its own: `caches[…]` gives each request another, and with it a pool of sockets.
    """
    return Store(caches.create_connection(get_settings().CACHE))


@per_process()
def _get_executor() -> DaemonExecutor:
    return DaemonExecutor(max_workers=MAX_THREADS, name="tasks_app-store")


def _without_connections(function: Callable[[], T]) -> T:
    """The database cache opens a connection in the calling thread; it must not outlive CONN_MAX_AGE there."""
    try:
        return function()
    finally:
        close_old_connections()


def _time_to_live(snapshot: Snapshot) -> int:
    settings = get_settings()
    return _seconds(settings.RETENTION if snapshot.is_terminal else settings.ACTIVE_TTL)


def _page_time_to_live() -> int:
    # The pages of a task are not written again at its end.
    settings = get_settings()
    return _seconds(max(settings.ACTIVE_TTL, settings.RETENTION))


def _seconds(time: float) -> int:
    # Redis cuts a TTL to whole seconds, and one of 0 deletes at once.
    return math.ceil(time)
