"""Attempts of tasks in this process: how one begins, is stored and is handed back."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from ..exceptions import StoreUnavailable
from ..reporting import Reporter, bind, get_bound, get_flusher
from ..snapshot import Snapshot, State, rebase
from ..store import forget_received, get_store

logger = logging.getLogger("tasks_app")

#: Seconds for which a job waits for the first snapshot of its task, and between two looks.
PATIENCE, PAUSE = 0.2, 0.005

T = TypeVar("T")


def begin(known: Snapshot, before: Reporter | None = None, *, is_awaited: bool = False) -> Reporter:
    """Begin an attempt of a task in this process and return its reporter.

    Args:
        known: the task as the caller knows it. The stored snapshot, or that of `before`, replaces it unless its `seq`
            is lower.
        before: the reporter of the previous attempt, if this process still has it.
        is_awaited: whether the process that enqueued the task may be about to store its name and owner, for which
            this call then waits at most PATIENCE seconds.
    """
    reporter = _make_reporter(known, is_awaited=is_awaited) if before is None else _follow(before, known)
    reporter.begin()
    get_flusher().add(reporter)
    if reporter.attempt > 1 and reporter.is_read:
        use_store(known.task_id, "its new attempt could not be stored", _claim, reporter.snapshot)
    return reporter


def enter(reporter: Reporter) -> None:
    """Make `progress` stand for the reporter's task in this context."""
    reporter.outer = bind(reporter)


def leave(task_id: str) -> None:
    """Undo `enter`, if this task is the bound one."""
    bound = get_bound()
    if bound is not None and bound.task_id == task_id:
        bind(bound.outer)


def adopt(snapshot: Snapshot) -> Reporter:
    """Return a reporter with which to end a task that no process reports.

    A terminal task stays as it is: nothing is written of it.
    """
    reporter = get_flusher().make_reporter(snapshot, is_stored=True)
    if not snapshot.is_terminal:
        get_flusher().add(reporter)
    return reporter


def adopt_unread(known: Snapshot) -> Reporter:
    """Return a reporter with which to end a task that never began and whose stored snapshot was not read.

    The flusher reads the store as soon as the cache answers, and writes the end only over a queued task.
    """
    reporter = get_flusher().make_reporter(known)
    reporter.catch_up = CatchUpUnstarted(reporter, known)
    get_flusher().add(reporter)
    return reporter


def adopt_promised(known: Snapshot) -> Reporter:
    """Return a reporter with which to end a task that was promised and will not be sent.

    Unlike with `adopt_unread`, the store may hold nothing of the task.
    """
    reporter = get_flusher().make_reporter(known)
    reporter.catch_up = CatchUpPromised(reporter, known)
    get_flusher().add(reporter)
    return reporter


def pass_on(reporter: Reporter, **times: datetime | None) -> bool:
    """Hand a task back and store that, before another process can begin the next attempt.

    If the cache fails, the flusher stores it later, unless the next attempt has begun by then. `times` may set
    `not_before` and `expires_at`, as in `queue`.

    Returns:
        Whether it was stored at once.
    """
    if times.get("expires_at") is not None:
        use_store(reporter.task_id, "it may be taken for received", forget_received, reporter.task_id)
    reporter.hand_back(**times)
    return write(reporter)


def write(reporter: Reporter) -> bool:
    """Store the latest snapshot of a task now, but do not wait for a cache that hangs.

    Returns:
        Whether it was stored.
    """
    return bool(use_store(reporter.task_id, "it could not be stored at once", get_flusher().flush))


def use_store(task_id: str, what: str, function: Callable[..., T], *args: object) -> T | None:
    """Call a function that uses the store, but do not wait for a cache that hangs.

    Args:
        task_id: the task to name in the log.
        what: what a failure means for the task, for the log.
        function: called with `args`.

    Returns:
        What the function returns, or None if it raised or the cache hangs.
    """
    store = get_store()
    if store.hangs:
        return None
    try:
        return store.call_briefly(function, *args)
    except Exception:
        logger.exception("task %s: %s", task_id, what)
        return None


class CatchUp:
    """The postponed read of a task that began while the store could not be read.

    The reporter calls it from the flusher's thread until it succeeds, and writes nothing before.

    Args:
        reporter: the reporter of the task in this process.
        known: the snapshot with which the first attempt since the last read began.
    """

    def __init__(self, reporter: Reporter, known: Snapshot) -> None:
        self.known = known
        self._reporter = reporter

    def __call__(self) -> None:
        """Read the stored snapshot and rebase the reporter onto it.

        Raises:
            StoreUnavailable: the store still can't be read.
        """
        reporter = self._reporter
        try:
            stored, is_cancelled = get_store().load(reporter.task_id)
            if self.is_superseded(stored):
                get_flusher().remove(reporter)
            else:
                self._go_on_from(stored)
        except Exception as error:  # whatever a cache backend raises
            raise StoreUnavailable(f"the stored snapshot of task {reporter.task_id!r} can't be read") from error
        reporter.catch_up = None
        if is_cancelled:
            reporter.request_cancel()

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the next attempt has begun since this one was handed back."""
        return self._reporter.is_handed_back and stored is not None and stored.attempt > self.known.attempt

    def _go_on_from(self, stored: Snapshot | None) -> None:
        flusher = get_flusher()
        _claim(rebase(self._reporter.snapshot, stored, since=self.known, now=flusher.clock.now()))
        if stored is None:
            flusher.enlist(self.known)
        self._reporter.rebase(stored, since=self.known)


class CatchUpUnstarted(CatchUp):
    """The postponed read of a task that ended before it began; only a queued task is written over."""

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the store holds no queued snapshot of the task."""
        return stored is None or stored.state is not State.QUEUED


class CatchUpPromised(CatchUp):
    """The postponed read of a task that will not be sent; only a queued task is written over."""

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the task has begun or ended."""
        return stored is not None and stored.state is not State.QUEUED


def _claim(snapshot: Snapshot) -> None:
    """Store the number of a repeated attempt, so that a worker with an earlier one stops reporting.

    A broker may deliver a message again while its first worker still runs the task.
    """
    if snapshot.attempt > 1:
        get_store().claim_attempt(snapshot.task_id, snapshot.attempt)


def _follow(before: Reporter, known: Snapshot) -> Reporter:
    latest = _choose(before.snapshot, known)
    reporter = get_flusher().make_reporter(latest)
    if isinstance(before.catch_up, CatchUp) and latest is before.snapshot:
        reporter.catch_up = CatchUp(reporter, before.catch_up.known)
    return reporter


def _make_reporter(known: Snapshot, *, is_awaited: bool = False) -> Reporter:
    what, load = "its snapshot could not be read; retrying", _await if is_awaited else get_store().load
    loaded = None if get_flusher().is_failing else use_store(known.task_id, what, load, known.task_id)
    if loaded is None:
        reporter = get_flusher().make_reporter(known)
        reporter.catch_up = CatchUp(reporter, known)
        return reporter
    stored, is_cancelled = loaded
    if stored is None:
        get_flusher().enlist(known)
    reporter = get_flusher().make_reporter(_choose(stored, known))
    if is_cancelled:
        reporter.request_cancel()
    return reporter


def _await(task_id: str) -> tuple[Snapshot | None, bool]:
    """Do what `Store.load` does, once the first snapshot is stored or PATIENCE is over."""
    end = time.monotonic() + PATIENCE
    while (loaded := get_store().load(task_id))[0] is None and time.monotonic() < end:
        time.sleep(PAUSE)
    return loaded


def _choose(stored: Snapshot | None, known: Snapshot) -> Snapshot:
    if stored is None:
        return known.renumbered(now=get_flusher().clock.now())
    return known if stored.seq < known.seq else stored
