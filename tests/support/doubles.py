"""Stand-ins for what a test can't have: a clock that stands still, a flusher without a thread, a cache that counts."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from tasks_app.reporting.draft import Draft
from tasks_app.reporting.flusher import Flusher
from tasks_app.reporting.local_home import LocalHome
from tasks_app.reporting.log import Journal
from tasks_app.reporting.own_thread import OwnThread
from tasks_app.reporting.progress import Progress
from tasks_app.reporting.reporter import Reporter
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.utils.clock import Clock
from tests.support.caches import CONTROLLED_CACHES, Controls, controls

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakeTime:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.clock = Clock(now=lambda: self.now, monotonic=lambda: self.seconds)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def move(self, seconds: float) -> None:
        self.seconds += seconds


class NoThread(OwnThread):
    """A thread that does not run."""

    def start(self) -> None:
        pass


class HandFlusher(Flusher):
    """A flusher without its thread: it writes when a test calls `flush()`.

    Attributes:
        is_woken: whether it was told that there is something to write; a test may take that back.
    """

    is_woken = False

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock, make_thread=NoThread)

    def wake(self, task_id: str | None = None, *, urgently: bool = False) -> None:
        self.is_woken = True
        super().wake(task_id, urgently=urgently)


class RecordingCache(LocMemCache):
    """A cache that keeps a list of what is asked of it: (method, keys, timeout)."""

    calls: ClassVar[list[tuple[str, list[str], Any]]] = []

    def add(self, key: str, value: Any, timeout: Any = None, version: Any = None) -> Any:
        self.calls.append(("add", [key], timeout))
        return super().add(key, value, timeout, version)

    def get(self, key: str, default: Any = None, version: Any = None) -> Any:
        self.calls.append(("get", [key], None))
        return super().get(key, default, version)

    def set(self, key: str, value: Any, timeout: Any = None, version: Any = None) -> Any:
        self.calls.append(("set", [key], timeout))
        return super().set(key, value, timeout, version)

    def get_many(self, keys: Any, version: Any = None) -> Any:
        self.calls.append(("get_many", list(keys), None))
        found = {key: super(RecordingCache, self).get(key, None, version) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def set_many(self, data: Any, timeout: Any = None, version: Any = None) -> Any:
        self.calls.append(("set_many", list(data), timeout))
        for key, value in data.items():
            super().set(key, value, timeout, version)
        return []

    def delete(self, key: str, version: Any = None) -> Any:
        self.calls.append(("delete", [key], None))
        return super().delete(key, version)


class DownCache(LocMemCache):
    """A cache that answers nothing but an error; for processes of their own."""

    def get_many(self, keys: Any, version: Any = None) -> Any:
        raise ConnectionError("the cache is down")

    def set_many(self, data: Any, timeout: Any = None, version: Any = None) -> Any:
        raise ConnectionError("the cache is down")


@contextmanager
def recorded_cache() -> Iterator[list[tuple[str, list[str], Any]]]:
    """Keep tasks in a `RecordingCache`; give the list of its calls."""
    RecordingCache.calls.clear()
    with override_settings(
        CACHES={"default": {"BACKEND": "tests.support.doubles.RecordingCache", "LOCATION": "recorded"}}
    ):
        RecordingCache("recorded", {}).clear()
        yield RecordingCache.calls


@contextmanager
def controlled_cache(*broken: str) -> Iterator[Controls]:
    """Keep tasks in a `ControlledCache`, with these methods broken at first; all work again at the end."""
    with override_settings(CACHES=CONTROLLED_CACHES):
        if broken:
            controls.break_down(*broken)
        try:
            yield controls
        finally:
            controls.repair()


def take(reporter: Reporter) -> Snapshot:
    """Return what would be written now."""
    reporter.take()
    return reporter.snapshot


async def agenerate(n: int, *, error: BaseException | None = None) -> AsyncIterator[int]:
    """Yield 0 to n - 1, then raise `error`."""
    for number in range(n):
        yield number
    if error is not None:
        raise error


def make_progress(draft: Draft) -> tuple[Progress, Journal]:
    """Return what a job calls that says all to this draft, and the lines that it logs."""
    journal = Journal(0, limit=100, max_bytes=1_000_000)
    clock = Clock()
    return Progress(draft, journal, clock, LocalHome(draft, journal, clock)), journal


def begin(flusher: Flusher, task_id: str = "t1") -> Reporter:
    """Return a task that runs, and that this flusher looks after."""
    reporter = flusher.make_reporter(Snapshot.queued(task_id, "demo", now=flusher.clock.now()))
    reporter.begin()
    flusher.add(reporter)
    return reporter


def read(task_id: str = "t1") -> Snapshot | None:
    """Return what is stored of a task."""
    return get_store().get(task_id)
