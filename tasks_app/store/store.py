"""The store of task state: one JSON text per task in Django's cache framework."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.core.cache import BaseCache, caches
from django.db import close_old_connections

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Details, Part, Snapshot, Version, is_note
from ..utils.handover import Handover, NotInTime
from ..utils.lazy import per_process
from ..utils.threads import DaemonExecutor
from .client import Client
from .keys import (
    is_task_id,
    make_attempt_key,
    make_brood_key,
    make_cancel_key,
    make_counted_key,
    make_details_key,
    make_left_key,
    make_note_key,
    make_page_key,
    make_task_key,
)
from .latency import LATE_AFTER, Latency
from .lifetimes import note_time_to_live, page_time_to_live, time_to_live, to_seconds
from .recent import RecentList

logger = logging.getLogger("tasks_app")

T = TypeVar("T")

#: The most threads of this process that use a cache which may take long to answer.
MAX_THREADS = 4

#: The most tasks that are read from a local cache in the event loop; of more, to unpickle them takes too long.
MAX_IN_PLACE = 100


class Saved(NamedTuple):
    """The outcome of `Store.save`.

    Attributes:
        versions: the stored version of each task of which the cache took everything, by task id.
        refused: ids of the tasks of which the cache refused the snapshot or a page of the log.
    """

    versions: dict[str, Version]
    refused: set[str]


class Store:
    """Snapshots, logs and cancel requests in one cache.

    `aread` and `aread_pages` are the async twins of `read` and `read_pages`. Exceptions of the cache pass
    through: only the caller knows whether to retry, to log or to answer 503.
    """

    def __init__(self, connect: Callable[[], BaseCache]) -> None:
        self._latency = Latency()
        #: The cache, for other rooms that keep things in it.
        self.cache = Client(connect, self._latency)
        self.is_local = self.cache.is_local
        self.recent = RecentList(self.cache)

    def add(self, snapshot: Snapshot) -> bool:
        """Store the first snapshot of a task, unless its id is taken; return whether it was stored."""
        return self.cache.add(make_task_key(snapshot.task_id), snapshot.to_json(), time_to_live(snapshot))

    def hold(self, snapshot: Snapshot) -> None:
        """Store the first snapshot of a task in a local cache, which makes a text of it once it is read."""
        self.cache.hold(make_task_key(snapshot.task_id), snapshot.to_json, time_to_live(snapshot))

    def touch(self, snapshot: Snapshot) -> bool:
        """Keep what is stored of a task as if it were written now; return whether the cache has anything of it."""
        return self.cache.touch(make_task_key(snapshot.task_id), time_to_live(snapshot))

    def load(self, task_id: str) -> tuple[Snapshot | None, bool]:
        """Return the snapshot of a task, or None, and whether its cancel was requested."""
        task, cancel = make_task_key(task_id), make_cancel_key(task_id)
        found = self.cache.get_many([task, cancel])
        return decode(task_id, found.get(task)), cancel in found

    def save(
        self,
        snapshots: Iterable[Snapshot],
        pages: Mapping[str, Mapping[int, str]] | None = None,
        details: Mapping[str, Iterable[Details]] | None = None,
    ) -> Saved:
        """Store snapshots and log pages, with one `set_many` per time to live, and return the outcome.

        Of a child that has ended, a note is stored for its parent, which may end long after.

        Args:
            pages: texts of log pages by task id and slot, stored before the snapshots that count their lines.
            details: those of attempts by task id, stored for as long as the snapshot, which counts as stored without
                them; what the cache refuses is logged.
        """
        ids: dict[str, str] = {}
        versions: dict[str, Version] = {}
        by_ttl: dict[int, dict[str, Any]] = {}
        for task_id, page_texts in (pages or {}).items():
            for slot, text in page_texts.items():
                key = make_page_key(task_id, slot)
                ids[key] = task_id
                by_ttl.setdefault(page_time_to_live(), {})[key] = text
        for snapshot in snapshots:
            key = make_task_key(snapshot.task_id)
            ids[key] = snapshot.task_id
            versions[snapshot.task_id] = version = Version.of(snapshot)
            texts = by_ttl.setdefault(time_to_live(snapshot), {})
            for item in (details or {}).get(snapshot.task_id, ()):
                texts[make_details_key(item.task_id, item.attempt)] = item.to_json()
            texts[key] = version.text
            if is_note(snapshot):
                assert snapshot.parent is not None
                ids[note := make_note_key(snapshot.parent, snapshot.task_id)] = snapshot.task_id
                by_ttl.setdefault(note_time_to_live(), {})[note] = Part.of(snapshot).to_note()
        refused_keys = {key for ttl, texts in by_ttl.items() for key in self.cache.set_many(texts, ttl)}
        if others := sorted(refused_keys - ids.keys()):
            logger.error("the cache refused the details for staff in %s", others)
        refused = {ids[key] for key in refused_keys & ids.keys()}
        return Saved({task_id: version for task_id, version in versions.items() if task_id not in refused}, refused)

    def read(self, task_ids: Iterable[str]) -> dict[str, str]:
        """Return the stored texts of these tasks by task id, read with one `get_many`."""
        keys = {make_task_key(task_id): task_id for task_id in task_ids if is_task_id(task_id)}
        return {keys[key]: text for key, text in self.cache.get_many(keys).items()} if keys else {}

    def read_pages(self, slots: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Return the stored texts of log pages by task id and slot, read with one `get_many`."""
        keys = {make_page_key(task_id, slot): (task_id, slot) for task_id, slot in slots}
        return {keys[key]: text for key, text in self.cache.get_many(keys).items()} if keys else {}

    def get(self, task_id: str) -> Snapshot | None:
        """Return the snapshot of a task, or None."""
        return decode(task_id, self.read([task_id]).get(task_id))

    def list_as_recent(self, snapshots: Sequence[Snapshot]) -> None:
        """Put tasks on the list of recent tasks.

        Raises:
            StoreUnavailable: the cache refused some entries.
        """
        self.recent.add(snapshots)

    def find_recent(self) -> list[str]:
        """Return the ids of recent tasks, the newest first."""
        return self.recent.find()

    def request_cancel(self, task_id: str, *, delay: float = 0) -> None:
        """Store a request to cancel a task; the process that runs it looks for one.

        Args:
            delay: the seconds until the task may begin.
        """
        self.cache.set(make_cancel_key(task_id), 1, to_seconds(get_settings().ACTIVE_TTL + delay))

    def withdraw_cancel(self, task_id: str) -> None:
        """Delete the request to cancel a task, which runs once more."""
        self.cache.delete(make_cancel_key(task_id))

    def forget_words(self, task_id: str) -> None:
        """Delete what is stored for the processes that ran a task of which nothing else is known any more."""
        for make_key in (make_cancel_key, make_attempt_key, make_brood_key, make_left_key, make_counted_key):
            self.cache.delete(make_key(task_id))

    def claim_attempt(self, task_id: str, attempt: int) -> None:
        """Store the number of a task's latest attempt, so that a process with an earlier one stops reporting it."""
        self.cache.set(make_attempt_key(task_id), attempt, to_seconds(get_settings().ACTIVE_TTL))

    def find_cancelled(self, task_ids: Iterable[str]) -> set[str]:
        """Return the ids of those tasks whose cancel was requested."""
        keys = {make_cancel_key(task_id): task_id for task_id in task_ids}
        return {keys[key] for key in self.cache.get_many(keys)} if keys else set()

    def close_old_connections(self) -> None:
        """Close the calling thread's database connections that are older than CONN_MAX_AGE or broken."""
        if not self.is_local:  # a local cache opens none
            close_old_connections()

    @property
    def hangs(self) -> bool:
        """Whether the cache is known to answer late or not at all."""
        return self._latency.is_late

    def call_briefly(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses this store, and wait at most LATE_AFTER seconds for it.

        A local or database cache is called in place, without that limit.

        Raises:
            StoreUnavailable: the cache is known to hang, or has not answered in time; the call may still end later.
            Exception: raised by the function.
        """
        if not self.cache.is_timed:
            return function(*args)
        if self.hangs:
            raise StoreUnavailable("the cache does not answer")
        try:
            return _get_handover().call(partial(_without_connections, partial(function, *args)), LATE_AFTER)
        except NotInTime as error:
            self._latency.note_late()
            raise StoreUnavailable(f"the cache has not answered within {LATE_AFTER} s") from error

    async def aread(self, task_ids: Iterable[str]) -> dict[str, str]:
        task_ids = list(task_ids)
        run = self.arun if len(task_ids) <= MAX_IN_PLACE else self.arun_aside
        return await run(self.read, task_ids)

    async def aread_pages(self, slots: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        return await self.arun(self.read_pages, slots)

    async def arun(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that uses this store, without blocking the event loop."""
        return function(*args) if self.is_local else await asyncio.wrap_future(self.submit(function, *args))

    async def acall_unless_late(self, function: Callable[..., T], *args: Any) -> T:
        """Do what `arun` does, but give up a call that has waited too long for a thread while the cache hangs.

        Raises:
            StoreUnavailable: the cache hangs, and the call has waited more than LATE_AFTER seconds for a thread.
            Exception: raised by the function.
        """
        return await self.arun(self._call_unless_late, time.monotonic(), function, *args)

    async def arun_aside(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in another thread, even if the cache is local: it may take long."""
        return await asyncio.wrap_future(self.submit(function, *args))

    def _call_unless_late(self, asked_at: float, function: Callable[..., T], *args: Any) -> T:
        if self.hangs and time.monotonic() - asked_at > LATE_AFTER:
            raise StoreUnavailable("the cache does not answer")
        return function(*args)

    def submit(self, function: Callable[..., T], *args: Any) -> "futures.Future[T]":
        """Call a function that uses this store in another thread, even if the cache is local: it may take long."""
        return _get_threads().submit(_without_connections, partial(function, *args))


def decode(task_id: str, text: str | None) -> Snapshot | None:
    """Return the snapshot in a stored text, or None.

    A text that can't be decoded is logged and counts as nothing stored: no viewer sees it, and the task's reporter
    overwrites it.
    """
    if text is None:
        return None
    try:
        if (snapshot := Snapshot.from_json(text)).task_id != task_id:
            raise ValueError(f"it is that of task {snapshot.task_id!r}")
        return snapshot
    except ValueError:
        logger.exception("task %s: its stored snapshot can't be decoded", task_id, extra={"task_id": task_id})
        return None


@per_process("CACHES", "TASKS_APP")
def get_store() -> Store:
    """Return the store of this process.

    It has a cache connection of its own, because `caches[…]` opens one, with a pool of sockets, for each request.
    """
    return Store(partial(caches.create_connection, get_settings().CACHE))


@per_process()
def _get_handover() -> Handover:
    return Handover(MAX_THREADS, "tasks_app-store-briefly")


@per_process()
def _get_threads() -> DaemonExecutor:
    return DaemonExecutor(max_workers=MAX_THREADS, name="tasks_app-store")


def _without_connections(function: Callable[[], T]) -> T:
    """Call a function, then close this thread's old database connections: a database cache opens one."""
    try:
        return function()
    finally:
        close_old_connections()
