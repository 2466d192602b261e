"""Attempts of tasks in this process: how one begins, is stored and is handed back."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from typing import TypeVar

from ..reporting import GetCall, Reporter, bind, get_bound, get_flusher
from ..snapshot import Snapshot, renumber
from ..store import forget_received, get_store
from .catch_up import CatchUp, CatchUpPromised, CatchUpUnstarted, Hidden, claim_attempt
from .chosen_ids import find_base, is_of_another_run, name_run
from .claims import claim_beginning

logger = logging.getLogger("tasks_app")

#: Seconds for which a job waits for the first snapshot of its task, and between two looks.
PATIENCE, PAUSE = 0.2, 0.005

#: What it means that the cache failed, for the log.
_UNREAD = "its snapshot could not be read; retrying"

T = TypeVar("T")


class Delivery(Enum):
    """The way in which the message of a task came to the process that begins it."""

    #: It was sent once, and comes for the first time.
    FIRST = auto()
    #: It came before, so that an attempt may have begun of which nothing is stored.
    AGAIN = auto()


def begin(
    known: Snapshot,
    before: Reporter | None = None,
    *,
    is_awaited: bool = False,
    delivery: Delivery | None = None,
    get_call: GetCall | None = None,
    run: str | None = None,
) -> Reporter:
    """Begin an attempt of a task in this process and return its reporter.

    Args:
        known: the task as the caller knows it. The stored snapshot, or that of `before`, replaces it unless its `seq`
            is lower, and except for the label.
        before: the reporter of the previous attempt, if this process still has it.
        is_awaited: whether the process that enqueued the task may be about to store what it was given, for which
            this call then waits at most PATIENCE seconds.
        delivery: how the message came that describes `known`; None if that is not known. At the first delivery, what
            is stored is read with the next write, unless the task was withdrawn; who withdraws it must `claim_end`.
        get_call: tells how the job is called, for staff; only asked where the settings have that recorded.
        run: what `name_run` returned of the task when the message was sent, if its id can be used again. A task that
            is stored of another run stays as it is, and nobody sees this attempt.
    """
    if before is not None and run in (None, name_run(before.snapshot)):
        reporter = _follow(before, known)
    else:
        reporter = _make_reporter(known, is_awaited, delivery, run)
    reporter.begin(get_call)
    if isinstance(reporter.catch_up, Hidden):
        return reporter
    get_flusher().add(reporter)
    if reporter.attempt > 1 and reporter.is_read:
        use_store(known.task_id, "its new attempt could not be stored", claim_attempt, reporter.snapshot)
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
        logger.exception("task %s: %s", task_id, what, extra={"task_id": task_id})
        return None


def _follow(before: Reporter, known: Snapshot) -> Reporter:
    latest = _choose(before.snapshot, known)
    reporter = get_flusher().make_reporter(latest)
    reporter.follow(before)
    if isinstance(before.catch_up, CatchUp) and latest is not known:
        reporter.catch_up = before.catch_up.pass_to(reporter)
    return reporter


def _make_reporter(
    known: Snapshot, is_awaited: bool = False, delivery: Delivery | None = None, run: str | None = None
) -> Reporter:
    if get_flusher().is_failing:
        return _make_unread(known, run)
    is_claimed = _try_to_claim(known, delivery)
    if is_claimed and delivery is Delivery.FIRST:
        return _make_unread(known, run)
    what, load = _UNREAD, _await if is_awaited else get_store().load
    if (loaded := use_store(known.task_id, what, load, known.task_id)) is None:
        return _make_unread(known, run)
    stored, is_cancelled = loaded
    if stored is None:
        get_flusher().enlist(known)
    elif is_of_another_run(stored, run):
        return _make_hidden(known)
    latest = _choose(find_base(stored, known, run), known)
    if is_claimed is False and not is_cancelled and latest.attempt == known.attempt:
        latest = replace(latest, attempt=latest.attempt + 1)  # its process died before it could write
    reporter = get_flusher().make_reporter(latest)
    if is_cancelled:
        reporter.request_cancel()
    return reporter


def _try_to_claim(known: Snapshot, delivery: Delivery | None) -> bool | None:
    """Claim the next attempt; return None if that can't be done, and False if another process has begun it."""
    if delivery is None or not get_store().cache.has_atomic_add:
        return None
    return use_store(known.task_id, _UNREAD, claim_beginning, known)


def _make_unread(known: Snapshot, run: str | None) -> Reporter:
    """Return a reporter that reads what is stored before it writes anything."""
    reporter = get_flusher().make_reporter(known)
    reporter.catch_up = CatchUp(reporter, known, run)
    return reporter


def _make_hidden(known: Snapshot) -> Reporter:
    logger.warning(
        "task %s: another run has this id by now; nobody sees the one of this message",
        known.task_id,
        extra={"task_id": known.task_id},
    )
    reporter = get_flusher().make_reporter(known)
    reporter.catch_up = Hidden(reporter, known)
    return reporter


def _await(task_id: str) -> tuple[Snapshot | None, bool]:
    """Do what `Store.load` does, once the first snapshot is stored or PATIENCE is over."""
    end = time.monotonic() + PATIENCE
    while (loaded := get_store().load(task_id))[0] is None and time.monotonic() < end:
        time.sleep(PAUSE)
    return loaded


def _choose(stored: Snapshot | None, known: Snapshot) -> Snapshot:
    if stored is None:
        return renumber(known, now=get_flusher().clock.now())
    if stored.seq < known.seq:
        return known
    return stored if known.label in (None, stored.label) else replace(stored, label=known.label)
