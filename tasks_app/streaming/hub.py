"""Who watches what: one reader per event loop, whose reads do not grow with the number of viewers."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from contextvars import Context
from weakref import WeakSet

from .. import wakeups
from ..conf import get_settings
from ..snapshot import Version, judge
from ..store import get_store
from ..utils.backoff import Failures
from ..utils.server import is_server_stopping
from ..wakeups import LayerListener
from .log_reader import LogReader
from .lost import declare_lost
from .watch import Viewer, Watch, notify_each

logger = logging.getLogger("tasks_app")

MAX_READ_PAUSE = 5.0


class Hub:
    """Reads what is watched in this event loop, in batches, and wakes the streams of what changed."""

    def __init__(self) -> None:
        #: Weak: where a request is cancelled before its response is sent, nobody closes the stream in it.
        self.viewers: WeakSet[Viewer] = WeakSet()
        #: The event loop whose streams it wakes; all methods but `abandon` belong there.
        self.loop = asyncio.get_running_loop()
        self._settings = get_settings()
        self._watches: dict[str, Watch] = {}
        self._stale: set[str] = set()
        #: What this process has stored and was not looked at yet: the threads that store it append to this.
        self._arrived: deque[Mapping[str, Version]] = deque()
        #: Tasks of which this process has stored something since the last read began, which may be older than that.
        self._taken_over: set[str] = set()
        self._read_since_sweep: set[str] = set()
        self._batch: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._layer = LayerListener(self.mark_stale)
        self._logs = LogReader()
        self._failures = Failures()
        self._judged_at = time.monotonic()
        self._reader: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def watched(self) -> Set[str]:
        """The ids of the tasks that are watched."""
        return self._watches.keys()

    @property
    def followed(self) -> Set[str]:
        """The ids of the tasks whose log is followed."""
        return self._logs.followed

    async def watch(self, viewer: Viewer, task_ids: Sequence[str]) -> list[Watch]:
        """Have `viewer` notified of every change of these tasks, and return them as they are now.

        Raises:
            Exception: whatever the cache raised; nothing is watched then.
        """
        watches = [self._watches.get(task_id) or self._add(task_id) for task_id in task_ids]
        self.viewers.add(viewer)
        for watch in watches:
            watch.viewers.add(viewer)
        self._start()
        try:
            # The watch stands before the first read: no change can fall in between.
            if fresh := [watch.task_id for watch in watches if watch.view is None]:
                await self._read_soon(fresh)
        except BaseException:
            self.leave(viewer, watches)
            raise
        return watches

    def follow_log(self, viewer: Viewer, watch: Watch) -> None:
        """Have `viewer` notified of what a task that it watches logs, too; `watch.log` is there from now on."""
        self._logs.follow(viewer, watch)
        self._wake.set()

    def leave(self, viewer: Viewer, watches: Iterable[Watch]) -> None:
        """Undo `watch`; harmless if it was undone before."""
        self.viewers.discard(viewer)
        for watch in watches:
            self.unwatch(viewer, watch)

    def unwatch(self, viewer: Viewer, watch: Watch) -> None:
        """Stop notifying `viewer` of one task."""
        self._logs.leave(viewer, watch)
        watch.viewers.discard(viewer)
        if not watch.viewers and self._watches.get(watch.task_id) is watch:
            del self._watches[watch.task_id]
            self._layer.discard(watch.task_id)

    def abandon(self) -> None:
        """Be told of nothing more: the event loop is closed, and with it every stream."""
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
            # A context of its own: nothing of the request that came first stays with it.
            self._reader = self.loop.create_task(self._read_forever(), context=Context())
            self._tick()

    def _stop(self) -> None:
        self.abandon()
        self._layer.stop()
        self._reader = None
        if self._ticker is not None:
            self._ticker.cancel()

    def _on_change(self, versions: Mapping[str, Version]) -> None:
        """Runs in the thread that wrote the tasks."""
        if watched := {task_id: version for task_id, version in versions.items() if task_id in self._watches}:
            self._arrived.append(watched)
            try:
                self.loop.call_soon_threadsafe(self._take_over)
            except RuntimeError:
                self.abandon()

    def _take_over(self) -> None:
        """Show what this process has just stored: what is at hand need not be read.

        Of a loop that falls behind the latest is shown, and not one version after the other, ever later.
        """
        latest: dict[str, Version] = {}
        while self._arrived:
            latest |= self._arrived.popleft()
        for task_id, version in latest.items():
            if (watch := self._watches.get(task_id)) is not None:
                self._take_over_one(watch, version)

    def _take_over_one(self, watch: Watch, version: Version) -> None:
        # Lines must be read, and no snapshot runs ahead of its lines. And what is not later than what is known may
        # hold all the same: the task was begun anew, or is written by another process, too.
        if watch.log is not None or not watch.is_behind(version):
            self.mark_stale([watch.task_id])
            return
        self._taken_over.add(watch.task_id)
        if watch.take_over(version, monotonic=time.monotonic()):
            notify_each(watch.viewers, watch)

    def mark_stale(self, task_ids: Iterable[str]) -> None:
        """Have those of these tasks that are watched read soon: another process may have written them."""
        self._stale |= self.watched & set(task_ids)
        if self._stale:
            self._wake.set()

    def _read_soon(self, task_ids: Iterable[str]) -> "asyncio.Future[None]":
        """Return a future for the next read, which all who ask in this moment share."""
        self.mark_stale(task_ids)
        if self._batch is None:
            self._batch = self.loop.create_future()
        return asyncio.shield(self._batch)

    async def _read_forever(self) -> None:
        try:
            next_sweep = self.loop.time() + self._settings.SWEEP_INTERVAL
            is_sweep = False
            while self._watches or not is_sweep:  # without viewers it stays until the next sweep, in case one comes
                await self._wait_until(next_sweep)
                if is_sweep := self.loop.time() >= next_sweep:
                    next_sweep = self.loop.time() + self._settings.SWEEP_INTERVAL
                    self._heed_shutdown()
                await self._read(is_sweep=is_sweep)
                await asyncio.sleep(get_pause(self._failures))
        finally:
            self._stop()

    async def _wait_until(self, time: float) -> None:
        try:
            async with asyncio.timeout_at(time):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _read(self, *, is_sweep: bool) -> None:
        task_ids, batch = self._stale, self._batch
        self._stale, self._batch = set(), None
        if is_sweep:
            task_ids |= self.watched - self._read_since_sweep
            self._read_since_sweep.clear()
        try:
            self._taken_over.clear()
            texts = await get_store().aread(task_ids) if task_ids else {}
            self._apply(task_ids - self._taken_over, texts)
            if batch is not None:
                batch.set_result(None)
            await self._logs.read()
            if is_sweep:
                await self._judge_silence()
        except Exception as error:
            self._fail(error, task_ids, batch)
        else:
            self._failures.clear()
            if not is_sweep:
                self._read_since_sweep |= task_ids - self._taken_over

    def _fail(self, error: Exception, task_ids: set[str], batch: "asyncio.Future[None] | None") -> None:
        """Whatever a cache raises: streams stay open, and the tasks are read again."""
        if self._failures.note():
            count = self._failures.count
            logger.error("reading tasks failed (%s in a row): %s", count, sorted(task_ids), exc_info=error)
        self.mark_stale(task_ids)
        self._wake.set()  # a log may be all that is to be read again
        if batch is not None and not batch.done():
            batch.set_exception(error)
            batch.exception()  # those who wait for it may be gone

    def _apply(self, task_ids: Iterable[str], texts: dict[str, str]) -> None:
        for task_id in task_ids:
            watch = self._watches.get(task_id)
            if watch is not None and watch.apply(texts.get(task_id), monotonic=time.monotonic()):
                notify_each(watch.viewers, watch)

    async def _judge_silence(self) -> None:
        settings, monotonic = self._settings, time.monotonic()
        # Where nothing could be read for a while (the cache failed, the loop stood still), silence means nothing.
        was_blind = monotonic - self._judged_at > settings.SWEEP_INTERVAL + settings.HEARTBEAT
        self._judged_at = monotonic
        if was_blind:
            for watch in self._watches.values():
                watch.silence.forget(monotonic=monotonic)
        silences = {watch: watch.silence.measure(monotonic=monotonic) for watch in self._watches.values()}
        stalled, lost = judge(silences, stalled_after=settings.STALLED_AFTER, lost_after=settings.LOST_AFTER)
        for watch in stalled:
            if watch.stall():
                notify_each(watch.viewers, watch)
        if snapshots := [watch.silence.snapshot for watch in lost if watch.silence.snapshot is not None]:
            await get_store().arun(declare_lost, snapshots)  # this hub is given what that stores

    def _heed_shutdown(self) -> None:
        """Viewers come back to whoever takes the place of this server; it would wait until the last of them leaves."""
        if is_server_stopping():
            for viewer in list(self.viewers):
                viewer.expire()

    def _tick(self) -> None:
        """One timer for all streams: each that sent nothing since the last tick sends a sign of life."""
        for viewer in list(self.viewers):
            viewer.tick()
        self._ticker = self.loop.call_later(self._settings.KEEPALIVE / 2, self._tick, context=Context())


def get_pause(failures: Failures) -> float:
    """Return the seconds until the next read after so many failures."""
    return failures.get_pause(0.1, MAX_READ_PAUSE) if failures else 0.0


def get_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if (hub := _hubs.get(loop)) is None:
        _forget_closed_loops()
        hub = _hubs[loop] = Hub()
    return hub


def get_hubs() -> list[Hub]:
    """Return the hubs of this process, one for each event loop that streams."""
    return list(_hubs.values())


def count_streams() -> int:
    """Return how many streams are open in this process, in all its event loops."""
    return sum(len(hub.viewers) for hub in get_hubs())


def _forget_closed_loops() -> None:
    """A loop that was closed over the head of its hub left that no time to stop."""
    for hub in get_hubs():
        if hub.loop.is_closed():
            hub.abandon()


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
