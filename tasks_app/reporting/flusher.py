"""The flusher: the one thread per process that writes the reports of jobs, so that no job waits for the cache."""

import logging
import math
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from django.db import connections

from .. import wakeups
from ..conf import Settings, get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot, Version, awaits_children, is_wrongly_lost
from ..store import decode, find_words, get_store
from ..utils.backoff import Failures
from ..utils.clock import Clock
from .asked import Asked
from .backlog import Backlog
from .chores import run_each
from .fate import REPLACED, Taken, take, take_each, tell_fate
from .gone import Gone
from .measures import measure_flush, tell_running
from .new_children import find_new_children, take_in_children, take_with_children
from .own_thread import OwnThread
from .pauses import Pauses
from .reporter import Reporter
from .signals import SignalSender
from .stirred import Stirred
from .sums import Sums

logger = logging.getLogger("tasks_app")

#: Seconds that the thread waits for the next task before it ends.
IDLE_SECONDS = 1.0


class Flusher:
    """The writer of one process: it stores snapshots in batches, sends heartbeats and polls for cancel requests."""

    def __init__(self, clock: Clock | None = None, *, make_thread: type[OwnThread] = OwnThread) -> None:
        #: It runs only while there is work.
        self.thread = make_thread(run=self._run, prepare=self._prepare, is_busy=self._is_busy)
        self.clock = clock or Clock()
        self.signals, self.sums = SignalSender(), Sums(self._tell)
        #: Functions called every SWEEP_INTERVAL while the thread has work; they must not block.
        self.chores: set[Callable[[], None]] = set()
        self._reporters: dict[str, Reporter] = {}
        self._stirred = Stirred(self._reporters)
        self.backlog = Backlog(self.sums.end)
        self._flush_lock, self._flushed = threading.Lock(), threading.Condition()
        self._failures, self._asked, self._gone = Failures(), Asked(), Gone()
        self._pauses, self._next_sweep = Pauses(self.clock, self._failures), 0.0
        #: Until this time `drain_process` does not wait, since it has just timed out.
        self.skip_drain_until = -math.inf

    def make_reporter(self, snapshot: Snapshot, *, is_stored: bool = False) -> Reporter:
        """Return a reporter, to be passed to `add`; `is_stored` tells whether the store holds `snapshot`."""
        return Reporter(snapshot, clock=self.clock, wake=self.wake, is_stored=is_stored)

    @property
    def reporters(self) -> list[Reporter]:
        """The reporters of the tasks that are written at this moment."""
        return list(self._reporters.values())

    def add(self, reporter: Reporter) -> None:
        """Write the snapshots of a task from now on, until its last one is stored."""
        with self.thread.lock:
            self._reporters[reporter.task_id] = reporter
            self._stirred.add_new(reporter)
            self.backlog.forget(reporter.task_id)
            self.thread.try_to_start()
        self.backlog.histories.teach([reporter], clock=self.clock)

    def enlist(self, snapshot: Snapshot, *, is_stored: bool = True) -> None:
        """Put a new task on the recent list, at the next sweep; store it first if that could not be done before."""
        with self.thread.lock:
            self.backlog.add(snapshot, is_stored=is_stored, monotonic=self.clock.monotonic())
            if snapshot.task_id in self._reporters:  # it has begun before it could be listed
                self.backlog.forget(snapshot.task_id)
            self.thread.try_to_start()

    def remove(self, reporter: Reporter) -> bool:
        """Stop writing a task; return False if `reporter` was removed already or replaced by another."""
        with self.thread.lock:
            is_here = self._reporters.get(reporter.task_id) is reporter
            if is_here:
                del self._reporters[reporter.task_id]
            return is_here

    @property
    def is_failing(self) -> bool:
        """Whether the last write failed, or the cache hangs."""
        return bool(self._failures) or get_store().hangs

    def find(self, task_id: str) -> Reporter | None:
        """Return the reporter of a task that runs or waits in this process, or None."""
        return self._reporters.get(task_id)

    def wake(self, task_id: str | None = None, *, urgently: bool = False) -> None:
        """Wake the thread to write changes of a task; with `urgently`, it does not wait for FLUSH_INTERVAL."""
        if task_id is not None:
            self._stirred.add(task_id)
        self.thread.wake()
        if urgently:
            self._pauses.shorten()

    def flush(self, *, waits: bool = True) -> bool:
        """Write all changes now, in this thread; return False if the cache failed, which is logged.

        Unless it `waits`, it also returns False while another thread writes.
        """
        if not self._flush_lock.acquire(blocking=waits):
            return False
        try:  # a time limit of the job may raise anywhere in here
            return self._flush_stirred()
        finally:
            self._flush_lock.release()

    def _flush_stirred(self) -> bool:
        stirred = self._stirred.take(monotonic=self.clock.monotonic())
        try:
            taken = self._take_all(stirred)
            is_written = not taken or measure_flush(self._write, taken)
            return self._store_new() and is_written
        except StoreUnavailable:
            self._note_failure(list(self._reporters))
            return False
        finally:
            for reporter in stirred:
                if reporter.has_news:
                    self._stirred.add(reporter.task_id)

    def _store_new(self) -> bool:
        try:
            if not self.backlog.new_tasks.store_some():
                self.wake()
        except Exception:
            self._note_failure(["(new ones)"])
            return False
        return True

    def end_all(self) -> None:
        """End the remaining tasks as lost, because the process ends; viewers then need not wait LOST_AFTER."""
        for reporter in self.reporters:
            reporter.end_lost()

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until ended tasks are stored and new ones listed; return whether all are."""
        self._next_sweep = 0.0  # it lists the new tasks
        self.wake(urgently=True)
        with self._flushed:
            return self._flushed.wait_for(lambda: not (self._owes_ends() or self.backlog.delays_exit), timeout)

    def _owes_ends(self) -> bool:
        return any(reporter.has_ended for reporter in self.reporters)

    def _prepare(self) -> None:
        """Start the threads for signals and wake-ups now: while a process ends, Python 3.12 starts none."""
        self.signals.start()
        wakeups.start()

    def _take_all(self, stirred: Iterable[Reporter]) -> Sequence[Taken]:
        taken = take_each(stirred)
        # Taking may block. Meanwhile the next attempt may have begun, with a reporter that replaces this one.
        return [item for item in taken if self._reporters.get(item[0].task_id) is item[0]]

    def _write(self, taken: Sequence[Taken]) -> bool:
        try:
            taken = take_with_children(self._settle_overdue(taken), clock=self.clock)
            pages = {reporter.task_id: reporter.pages for reporter, _ in taken}
            details = {reporter.task_id: reporter.details for reporter, _ in taken}
            versions, refused = get_store().save([snapshot for _, snapshot in taken], pages, details)
            unfinished = find_new_children((item for item, told in taken if told.is_terminal), clock=self.clock)
        except Exception:  # whatever a cache backend raises: the reporters still hold the changes
            self._note_failure([snapshot.task_id for _, snapshot in taken])
            return False
        written = versions.keys() - unfinished
        self._finish([item for item in taken if item[1].task_id in written], versions)
        if refused:
            self._note_failure(sorted(refused))
        else:
            self._failures.clear()
        return not refused

    def _settle_overdue(self, taken: Sequence[Taken]) -> Sequence[Taken]:
        """Return what to write, after a look at what others stored of tasks that were not written for a while."""
        overdue = {reporter.task_id: snapshot for reporter, snapshot in taken if reporter.is_overdue}
        stored = {task_id: decode(task_id, text) for task_id, text in get_store().read(overdue).items()}
        settled = [self._settle(*item, stored.get(item[0].task_id)) for item in taken]
        return [item for item in settled if self._reporters.get(item[0].task_id) is item[0]]

    def _settle(self, reporter: Reporter, snapshot: Snapshot, stored: Snapshot | None) -> Taken:
        """Drop an attempt that was replaced, and take one back that was declared lost; return what to write."""
        if stored is None:
            return reporter, snapshot
        if stored.attempt > snapshot.attempt:
            is_here = self.remove(reporter)
            if is_here and (snapshot.is_terminal or not reporter.has_ended):  # else it was handed back as planned
                tell_fate(reporter, REPLACED)
        elif is_wrongly_lost(stored, snapshot):
            if self.find(reporter.task_id) is reporter and reporter.take_back(stored):
                tell_fate(reporter, "was declared lost while this process could not write it, and is taken back")
            return reporter, take(reporter) or snapshot
        return reporter, snapshot

    def _finish(self, written: Sequence[Taken], versions: Mapping[str, Version]) -> None:
        have_logged = [reporter.task_id for reporter, _ in written if reporter.pages]
        news = [snapshot for reporter, snapshot in written if reporter.mark_written(snapshot)]
        changed = dict.fromkeys([*(snapshot.task_id for snapshot in news), *have_logged])
        wakeups.publish({task_id: versions[task_id] for task_id in changed})
        for snapshot in news:
            if not (snapshot.is_terminal and awaits_children(snapshot)):
                self._tell(snapshot)
        self.sums.note(news, written=[snapshot for _, snapshot in written])
        for reporter, snapshot in written:
            if reporter.is_settled:  # last: a process may exit as soon as its tasks are removed
                self.backlog.keep(versions[snapshot.task_id], monotonic=self.clock.monotonic())
                if not self.remove(reporter):  # the next attempt has begun meanwhile
                    self.backlog.forget(reporter.task_id)

    def _tell(self, snapshot: Snapshot) -> None:
        self.signals.send(snapshot)
        self.backlog.note(snapshot, monotonic=self.clock.monotonic())

    def _note_failure(self, task_ids: Collection[str]) -> None:
        if self._failures.note():
            failure = "the cache failed (%s times in a row) and is tried again; tasks %s"
            logger.error(failure, self._failures.count, task_ids, exc_info=sys.exc_info()[1])

    def _run(self) -> None:
        while self._has_work():
            try:
                self._run_once(get_settings())
            except BaseException:
                # This thread serves every task of the process, so no error may end it, not even one in logging.
                with suppress(Exception):
                    logger.exception("the flusher failed; tasks %s", sorted(self._reporters))
                self._failures.note()
                self._pauses.wait_after_error()
                self._pauses.begin()
        tell_running(())
        connections.close_all()

    def _run_once(self, settings: Settings) -> None:
        """Wait for changes, at most until the next sweep; let more gather, write them, and sweep if due."""
        has_news = any(reporter.is_sampled for reporter in self._stirred.peek())
        if not has_news:
            has_news = self.thread.changed.wait(min(settings.SWEEP_INTERVAL, settings.HEARTBEAT, IDLE_SECONDS))
        if not (has_news or self._reporters) and self.backlog.histories:  # they waited for others to be written with
            self._next_sweep = 0.0
        # The pause after a write is spent only once there are changes: the thread wakes once, not twice.
        if has_news or self._failures:
            self._pauses.wait(is_patient=self._has_only_beginnings)
        self._pauses.begin()
        self.thread.changed.clear()
        self.flush()
        if has_news or self._failures:
            self._pauses.end()
        if (monotonic := self.clock.monotonic()) >= self._next_sweep:
            self._next_sweep = monotonic + settings.SWEEP_INTERVAL
            self.sweep()
        with self._flushed:
            self._flushed.notify_all()
        get_store().close_old_connections()

    def _has_only_beginnings(self) -> bool:
        return all(reporter.has_just_begun for reporter in self._stirred.peek())

    def _has_work(self) -> bool:
        if not self._is_busy():
            self.thread.changed.wait(IDLE_SECONDS)
        return self.thread.goes_on()

    def _is_busy(self) -> bool:
        return bool(self._reporters or self.backlog)

    def sweep(self) -> None:
        """Do now what is due every SWEEP_INTERVAL: chores, the backlog, requests to cancel, newer attempts."""
        run_each(list(self.chores))
        tell_running(self.reporters)
        waiting = {item.task_id: item for item in self._asked.choose(self.reporters)}
        try:
            self.backlog.sweep([reporter.snapshot for reporter in self.reporters], clock=self.clock)
            words = find_words(waiting)
            self._gone.sweep(self.reporters, monotonic=self.clock.monotonic())
            self.backlog.histories.sweep(self.reporters, clock=self.clock)
        except Exception:
            self._note_failure(sorted(waiting))
            return
        if not self._reporters:  # else the next write tells whether the cache works
            self._failures.clear()
        take_in_children(waiting, words.totals, clock=self.clock)
        for task_id, attempt in words.attempts.items():
            if waiting[task_id].attempt < attempt and self.remove(waiting[task_id]):
                tell_fate(waiting[task_id], REPLACED)
        for task_id in words.cancelled:
            waiting[task_id].request_cancel()
