"""The hub: one reader of the store per event loop, whose reads do not grow with the number of viewers."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from contextvars import Context
from weakref import WeakSet

from .. import wakeups
from ..conf import get_settings
from ..snapshot import Version
from ..store import get_store
from ..utils.backoff import Failures
from ..utils.lazy import call_after_fork
from ..utils.server import Server
from ..utils.turns import take_turns
from ..wakeups import LayerListener
from .families import Families
from .log_reader import LogReader
from .measures import Round
from .silences import Silences
from .timing import wait_for
from .watch import Viewer, Watch, expire_each

logger = logging.getLogger("tasks_app")

#: The longest pause in seconds after a failed read.
MAX_READ_PAUSE = 5.0


class Hub:
    """The watches of one event loop: reads their tasks in batches and notifies their viewers of changes."""

    def __init__(self) -> None:
        #: Weak, because nothing closes the stream of a request that is cancelled before its response is sent.
        self.viewers: WeakSet[Viewer] = WeakSet()
        #: The event loop of its streams; public methods other than `abandon` must be called there.
        self.loop = asyncio.get_running_loop()
        self._settings = get_settings()
        self._watches: dict[str, Watch] = {}
        self._stale: set[str] = set()
        #: Versions stored by this process and not yet shown; the threads that store them append here.
        self._arrived: deque[Mapping[str, Version]] = deque()
        #: Tasks that this process has stored since the last read began; what that read returns may be older.
        self._taken_over: set[str] = set()
        self._read_since_sweep: set[str] = set()
        self._batch: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._layer = LayerListener(self.mark_stale)
        self._logs = LogReader()
        self._failures = Failures()
        self._silences = Silences()
        self._families = Families(self)
        self._server = Server()
        self._reader: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def watched(self) -> Set[str]:
        """The ids of the watched tasks."""
        return self._watches.keys()

    @property
    def followed(self) -> Set[str]:
        """The ids of the tasks whose logs have viewers."""
        return self._logs.followed

    async def watch(self, viewer: Viewer, task_ids: Sequence[str]) -> list[Watch]:
        """Notify `viewer` of every change of these tasks from now on, and return their watches.

        Raises:
            Exception: raised by the cache; nothing is then watched.
        """
        watches = [self._watches.get(task_id) or self._add(task_id) for task_id in task_ids]
        self.viewers.add(viewer)
        for watch in watches:
            watch.audience.add(viewer)
        self._start()
        try:
            # The watches exist before the first read, so no change in between is missed.
            if fresh := [watch.task_id for watch in watches if watch.view is None]:
                await self._read_soon(fresh)
        except BaseException:
            self.leave(viewer, watches)
            raise
        return watches

    def knows_all(self, task_ids: Iterable[str]) -> bool:
        """Whether all these tasks are watched and read, so that `watch` does not wait."""
        return all((watch := self._watches.get(task_id)) and watch.view is not None for task_id in task_ids)

    def watch_child(self, viewer: Viewer, task_id: str) -> Watch:
        """Notify the family of a parent of every change of a child, which it reads, and return its watch."""
        watch = self._watches.get(task_id) or self._add(task_id)
        watch.audience.add(viewer)
        return watch

    def wake(self) -> None:
        """Have the families read what they need."""
        self._wake.set()

    def follow_log(self, viewer: Viewer, watch: Watch) -> None:
        """Notify `viewer` also of the log of a task that it watches; `watch.log` exists from now on."""
        self._logs.follow(viewer, watch)
        self._wake.set()

    def leave(self, viewer: Viewer, watches: Iterable[Watch]) -> None:
        """Stop notifying `viewer`; without effect if it has left before."""
        self.viewers.discard(viewer)
        for watch in watches:
            self.unwatch(viewer, watch)

    def unwatch(self, viewer: Viewer, watch: Watch) -> None:
        """Stop notifying `viewer` of one task, and drop the watch with its last viewer."""
        self._logs.leave(viewer, watch)
        watch.audience.discard(viewer)
        if not watch.audience and self._watches.get(watch.task_id) is watch:
            del self._watches[watch.task_id]
            self._layer.discard(watch.task_id)
            self._families.drop(watch)

    def abandon(self) -> None:
        """Stop listening for local wake-ups and forget this hub, which has ended or whose event loop is closed."""
        wakeups.ignore(self._on_change)
        _hubs.pop(self.loop, None)

    def _add(self, task_id: str) -> Watch:
        self._watches[task_id] = watch = Watch(task_id)
        self._layer.add(task_id)
        return watch

    def _start(self) -> None:
        if self._reader is None:
            self._settings = get_settings()
            wakeups.listen(self._on_change)
            # A context of its own, so that it keeps nothing of the request that happens to come first.
            self._reader = self.loop.create_task(self._read_forever(), context=Context())
            self._tick()

    def _stop(self) -> None:
        self.abandon()
        self._layer.stop()
        self._reader = None
        if self._ticker is not None:
            self._ticker.cancel()

    def _on_change(self, versions: Mapping[str, Version]) -> None:
        """Queue the versions of watched tasks; called in the thread that stored them."""
        if watched := {task_id: version for task_id, version in versions.items() if task_id in self._watches}:
            self._arrived.append(watched)
            try:
                self.loop.call_soon_threadsafe(self._take_over)
            except RuntimeError:  # the loop is closed
                self.abandon()

    def _take_over(self) -> None:
        """Show what this process has just stored, without reading it back.

        A loop that falls behind shows only the latest version of each task.
        """
        latest: dict[str, Version] = {}
        while self._arrived:
            latest |= self._arrived.popleft()
        for task_id, version in latest.items():
            if (watch := self._watches.get(task_id)) is not None:
                self._take_over_one(watch, version)

    def _take_over_one(self, watch: Watch, version: Version) -> None:
        # Log lines must be read from the store, before the snapshot that counts them is shown. And a version that is
        # not newer may still be the current one: the task was restarted, or another process writes it as well.
        if watch.log is not None or not watch.is_behind(version):
            self.mark_stale([watch.task_id])
            return
        self._taken_over.add(watch.task_id)
        if watch.take_over(version, monotonic=time.monotonic()):
            watch.notify()
        self._families.note(watch)

    def mark_stale(self, task_ids: Iterable[str]) -> None:
        """Have the watched ones among these tasks read soon; another process may have written them."""
        self._stale |= self.watched & set(task_ids)
        if self._stale:
            self._wake.set()

    def _read_soon(self, task_ids: Iterable[str]) -> "asyncio.Future[None]":
        """Have these tasks read next, and return a future of that read, shared by all callers until it begins."""
        self.mark_stale(task_ids)
        if self._batch is None:
            self._batch = self.loop.create_future()
        return asyncio.shield(self._batch)

    async def _read_forever(self) -> None:
        try:
            next_sweep = self.loop.time() + self._settings.SWEEP_INTERVAL
            is_sweep = False
            while self._watches or not is_sweep:  # without watches, stay until the next sweep: a viewer may come
                await wait_for(self._wake, until=next_sweep)
                self._wake.clear()
                if is_sweep := self.loop.time() >= next_sweep:
                    next_sweep = self.loop.time() + self._settings.SWEEP_INTERVAL
                    if self._server.is_stopping():
                        expire_each(self.viewers)
                await self._read(is_sweep=is_sweep)
                await asyncio.sleep(get_pause(self._failures))
        finally:
            self._stop()

    async def _read(self, *, is_sweep: bool) -> None:
        task_ids, self._stale, batch, self._batch = self._stale, set(), self._batch, None
        round_ = Round(frozenset(task_ids))
        if is_sweep:
            task_ids |= self.watched - self._read_since_sweep
            self._read_since_sweep.clear()
        try:
            self._taken_over.clear()
            texts = await get_store().aread(task_ids) if task_ids else {}
            await self._apply(task_ids, texts, round_)
            await self._families.read(is_sweep=is_sweep)
            if batch is not None:
                batch.set_result(None)
            await self._logs.read()
            if is_sweep:
                await self._silences.judge(
                    self._watches, max_age=self._settings.SWEEP_INTERVAL + self._settings.HEARTBEAT
                )
        except Exception as error:
            self._fail(error, task_ids, batch)
        else:
            self._failures.clear()
            if is_sweep:
                round_.tell_sweep(count_streams())
            else:
                self._read_since_sweep |= task_ids - self._taken_over

    def _fail(self, error: Exception, task_ids: set[str], batch: "asyncio.Future[None] | None") -> None:
        """Log a failed read, and have its tasks read again; streams stay open whatever the cache raised."""
        if self._failures.note():
            count = self._failures.count
            logger.error("reading tasks failed (%s in a row): %s", count, sorted(task_ids), exc_info=error)
        self.mark_stale(task_ids)
        self._wake.set()  # even without stale tasks: the read of a log may have failed
        if batch is not None and not batch.done():
            batch.set_exception(error)
            batch.exception()  # marks it as retrieved: the callers that wait for it may be gone

    async def _apply(self, task_ids: Iterable[str], texts: dict[str, str], round_: Round) -> None:
        async for watch in take_turns(filter(None, map(self._watches.get, task_ids))):  # large ones take long
            text, is_older = texts.get(watch.task_id), watch.task_id in self._taken_over
            if not is_older and watch.apply(text, monotonic=time.monotonic()):
                watch.notify()
                round_.note_news(watch.task_id)
            self._families.note(watch)

    def _tick(self) -> None:
        """Have each stream that sent nothing since the last tick send a keep-alive; one timer serves all streams."""
        for viewer in list(self.viewers):
            viewer.tick()
        self._ticker = self.loop.call_later(self._settings.KEEPALIVE / 2, self._tick, context=Context())


def get_pause(failures: Failures) -> float:
    """Return the seconds to pause before the next read."""
    return failures.get_pause(0.1, MAX_READ_PAUSE) if failures else 0.0


def get_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if (hub := _hubs.get(loop)) is None:
        _forget_closed_loops()
        hub = _hubs[loop] = Hub()
    return hub


def get_hubs() -> list[Hub]:
    """Return the hubs of this process, one per event loop with streams."""
    return list(_hubs.values())


def count_streams() -> int:
    """Return how many streams are open in this process, in all its event loops."""
    return sum(len(hub.viewers) for hub in get_hubs() if not hub.loop.is_closed())


def _forget_closed_loops() -> None:
    """Abandon the hubs of event loops that were closed before their hubs could stop."""
    for hub in get_hubs():
        if hub.loop.is_closed():
            hub.abandon()


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
call_after_fork(_hubs.clear)  # the streams are the parent's
