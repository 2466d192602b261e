"""One attempt of a task, in the process that runs it or that has the last word on it."""

import logging
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import StoreUnavailable
from ..reporting import Reporter, bind, get_bound, get_flusher
from ..snapshot import Snapshot, State, rebase
from ..store import get_store

logger = logging.getLogger("tasks_app")

T = TypeVar("T")


def begin(known: Snapshot, before: Reporter | None = None) -> Reporter:
    """Begin an attempt of a task in this process, and return its reporter.

    Args:
        known: the task as it is without what is stored of it; that is used where it is newer.
        before: the reporter of the last attempt, if that is still here.
    """
    reporter = _make_reporter(known) if before is None else _follow(before, known)
    reporter.begin()
    get_flusher().add(reporter)
    if reporter.attempt > 1 and reporter.is_read:
        use_store(known.task_id, "that it was begun anew could not be stored", _claim, reporter.snapshot)
    return reporter


def enter(reporter: Reporter) -> None:
    """Make a task the one that `progress` stands for in this context."""
    reporter.outer = bind(reporter)


def leave(task_id: str) -> None:
    """Undo `enter`."""
    bound = get_bound()
    if bound is not None and bound.task_id == task_id:
        bind(bound.outer)


def adopt(snapshot: Snapshot) -> Reporter:
    """Look after a task that no process reports, so as to say the last word on it, unless that was said before."""
    reporter = get_flusher().make_reporter(snapshot, is_stored=True)
    if not snapshot.is_terminal:
        get_flusher().add(reporter)
    return reporter


def adopt_unread(known: Snapshot) -> Reporter:
    """Look after a task so as to end it before it has begun; what is stored of it is read when that can be."""
    reporter = get_flusher().make_reporter(known)
    reporter.catch_up = CatchUpUnstarted(reporter, known)
    get_flusher().add(reporter)
    return reporter


def pass_on(reporter: Reporter) -> bool:
    """Hand a job back, and be done with it before anybody else can begin it; could that be stored at once?

    If not it is stored later, unless the next attempt has begun by then.
    """
    reporter.hand_back()
    return write(reporter)


def write(reporter: Reporter) -> bool:
    """Write what is known of a task now, if that can be: no job waits for a cache that hangs; could it?"""
    return bool(use_store(reporter.task_id, "it could not be written at once", get_flusher().flush))


def use_store(task_id: str, what: str, function: Callable[..., T], *args: object) -> T | None:
    """Call a function that uses the store, without waiting for a cache that hangs.

    Args:
        what: what it means for the task if that fails, for the log.

    Returns:
        What the function does; None if it raised, or the cache hangs.
    """
    store = get_store()
    if store.hangs:  # that was logged when it was found
        return None
    try:
        return store.call_briefly(function, *args)
    except Exception:
        logger.exception("task %s: %s", task_id, what)
        return None


class CatchUp:
    """Reads what is stored of a task that began without knowing it, before anything is written over it.

    A `Reporter` calls it from the flusher's thread until it succeeds.

    Args:
        reporter: writes the task here.
        known: what the first attempt began with that could not read what is stored.
    """

    def __init__(self, reporter: Reporter, known: Snapshot) -> None:
        self.known = known
        self._reporter = reporter

    def __call__(self) -> None:
        """Read what is stored, and go on from it.

        Raises:
            StoreUnavailable: it still can't be read.
        """
        reporter = self._reporter
        try:
            stored, is_cancelled = get_store().load(reporter.task_id)
            if self.is_superseded(stored):
                get_flusher().remove(reporter)
            else:
                self._go_on_from(stored)
        except Exception as error:  # whatever a cache backend raises
            raise StoreUnavailable(f"what is stored of task {reporter.task_id!r} can't be read") from error
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
    """Reads the same of a task that ends before it began, and leaves all but a waiting one alone."""

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether anything else is stored than that the task waits."""
        return stored is None or stored.state is not State.QUEUED


def _claim(snapshot: Snapshot) -> None:
    """A broker may deliver a message once more while its first worker still runs it: that one shall hear of this."""
    if snapshot.attempt > 1:
        get_store().claim_attempt(snapshot.task_id, snapshot.attempt)


def _follow(before: Reporter, known: Snapshot) -> Reporter:
    latest = _choose(before.snapshot, known)
    reporter = get_flusher().make_reporter(latest)
    if isinstance(before.catch_up, CatchUp) and latest is before.snapshot:
        reporter.catch_up = CatchUp(reporter, before.catch_up.known)
    return reporter


def _make_reporter(known: Snapshot) -> Reporter:
    what = "its snapshot could not be read; that is tried again"
    loaded = None if get_flusher().is_failing else use_store(known.task_id, what, get_store().load, known.task_id)
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


def _choose(stored: Snapshot | None, known: Snapshot) -> Snapshot:
    if stored is None:
        return known.renumbered(now=get_flusher().clock.now())
    return known if stored.seq < known.seq else stored
