"""One attempt of a task, in the process that runs it or that has the last word on it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .exceptions import StoreUnavailable
from .reporting import Progress, bind, get_bound, get_flusher
from .snapshot import Snapshot, State
from .store import get_store

logger = logging.getLogger("tasks_app")

T = TypeVar("T")


def begin(anew: Snapshot, before: Progress | None = None) -> Progress:
    """Begin an attempt of a task in this process, and return its reporter.

    Args:
        anew: the task as it is without what is stored of it; that is used where it is newer.
        before: the reporter of the last attempt, if that is still here.
    """
    reporter = _make_reporter(anew) if before is None else _follow(before, anew)
    reporter.begin()
    get_flusher().add(reporter)
    if reporter.attempt > 1 and not isinstance(reporter, Unread):
        ask(anew.task_id, "that it was begun anew could not be stored", _claim, reporter.snapshot)
    return reporter


def enter(reporter: Progress) -> None:
    """Make a task the one that `progress` stands for in this context."""
    reporter.outer = bind(reporter)


def leave(task_id: str) -> None:
    """Undo `enter`."""
    bound = get_bound()
    if bound is not None and bound.task_id == task_id:
        bind(bound.outer)


def adopt(snapshot: Snapshot) -> Progress:
    """Look after a task that no process reports, so as to say the last word on it, unless that was said before."""
    reporter = Progress(snapshot, is_stored=True)
    if not snapshot.is_terminal:
        get_flusher().add(reporter)
    return reporter


def adopt_unread(anew: Snapshot) -> Progress:
    """Look after a task so as to end it before it has begun; what is stored of it is read when that can be."""
    reporter = Unstarted(anew, anew)
    get_flusher().add(reporter)
    return reporter


def pass_on(reporter: Progress) -> bool:
    """Hand a job back, and be done with it before anybody else can begin it; could that be stored at once?

    If not it is stored later, unless the next attempt has begun by then.
    """
    reporter.hand_back()
    return write(reporter)


def write(reporter: Progress) -> bool:
    """Write what is known of a task now, if that can be: no job waits for a cache that hangs; could it?"""
    return bool(ask(reporter.task_id, "it could not be written at once", get_flusher().flush))


def ask(task_id: str, what: str, function: Callable[..., T], *args: object) -> T | None:
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
        return store.ask(function, *args)
    except Exception:
        logger.exception("task %s: %s", task_id, what)
        return None


class Unread(Progress):
    """A task whose stored snapshot could not be read when it began; it is read before another is written over it.

    Args:
        snapshot: what this attempt begins with.
        anew: what the first attempt began with that could not read it.
    """

    def __init__(self, snapshot: Snapshot, anew: Snapshot) -> None:
        super().__init__(snapshot)
        self.is_read = False
        self.anew = anew

    def take(self) -> Snapshot | None:
        """Return the snapshot to write, or None if the one written last still holds.

        Raises:
            StoreUnavailable: the one that is stored still can't be read.
        """
        if not self.is_read:
            self._read()
        return super().take()

    def _read(self) -> None:
        """Do now, in the flusher's thread, what could not be done when the task began."""
        try:
            stored, is_cancelled = _load(self.task_id)
            if self._is_superseded(stored):
                self._flusher.remove(self)
            else:
                _claim(_continue(stored, self.anew, self.snapshot))
                self._go_on_from(stored)
        except Exception as error:  # whatever a cache backend raises
            raise StoreUnavailable(f"what is stored of task {self.task_id!r} can't be read") from error
        self.is_read = True
        if is_cancelled:
            self.request_cancel()

    def _is_superseded(self, stored: Snapshot | None) -> bool:
        """Has the next attempt perhaps stored this, since this one was handed back? Then it has the say."""
        return self._is_handed_back and stored is not None and stored.attempt > self.anew.attempt

    def _go_on_from(self, stored: Snapshot | None) -> None:
        if stored is None:
            self._flusher.enlist(self.anew)
        with self._lock:
            self._snapshot = _continue(stored, self.anew, self._snapshot)
            if stored is not None and stored.seq >= self.anew.seq:
                self._journal.follow(stored.logged)


class Unstarted(Unread):
    """A task that ends before it could begin, unless something else was stored of it than that it waits."""

    def _is_superseded(self, stored: Snapshot | None) -> bool:
        return stored is None or stored.state is not State.QUEUED


def _claim(snapshot: Snapshot) -> None:
    """A broker may deliver a message once more while its first worker still runs it: that one shall hear of this."""
    if snapshot.attempt > 1:
        get_store().claim_attempt(snapshot.task_id, snapshot.attempt)


def _follow(before: Progress, anew: Snapshot) -> Progress:
    latest = _choose(before.snapshot, anew)
    if isinstance(before, Unread) and not before.is_read and latest is before.snapshot:
        return Unread(latest, before.anew)
    return Progress(latest)


def _make_reporter(anew: Snapshot) -> Progress:
    what = "its snapshot could not be read; that is tried again"
    loaded = None if get_flusher().is_failing else ask(anew.task_id, what, _load, anew.task_id)
    if loaded is None:
        return Unread(anew, anew)
    stored, is_cancelled = loaded
    if stored is None:
        get_flusher().enlist(anew)
    reporter = Progress(_choose(stored, anew))
    if is_cancelled:
        reporter.request_cancel()
    return reporter


def _load(task_id: str) -> tuple[Snapshot | None, bool]:
    try:
        return get_store().load(task_id)
    except ValueError:
        logger.exception("task %s: what is stored of it is no snapshot; it is made anew", task_id)
        return None, False


def _choose(stored: Snapshot | None, anew: Snapshot) -> Snapshot:
    if stored is None:
        return anew.made_anew(now=get_flusher().clock.now())
    return anew if stored.seq < anew.seq else stored


def _continue(stored: Snapshot | None, anew: Snapshot, now: Snapshot) -> Snapshot:
    """Return `now`, which has come of `anew` without knowing what is stored of the task, as what comes after that."""
    if stored is None:
        return now.made_anew(now=get_flusher().clock.now())
    if stored.seq < anew.seq:
        return now
    return replace(
        now,
        task=stored.task,
        owner=stored.owner,
        runner=stored.runner,
        created_at=stored.created_at,
        attempt=stored.attempt + now.attempt - anew.attempt,
        seq=stored.seq + now.seq,
    )
