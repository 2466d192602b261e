"""The flusher of this process, and its last writes before the process ends."""

import atexit
import multiprocessing
import os
from collections.abc import Callable
from typing import NoReturn

from .. import wakeups
from ..snapshot import Snapshot, State
from ..utils.lazy import call_after_fork, per_process
from .flusher import Flusher
from .reporter import Reporter
from .sign import hand_down

#: Seconds that the process waits at exit until its terminal snapshots are stored.
EXIT_SECONDS = 5.0


@per_process()
def get_flusher() -> Flusher:
    """Return the flusher of this process; a forked child has its own, without the tasks of its parent."""
    hand_down(runs_task)
    return Flusher()


def find_reporter(task_id: str) -> Reporter | None:
    """Return the reporter of a task that runs or waits in this process, or None."""
    return get_flusher().find(task_id)


def runs_task() -> bool:
    """Return whether a task runs in this process."""
    flusher = get_flusher.peek()
    return flusher is not None and any(item.snapshot.state is State.RUNNING for item in flusher.reporters)


def foretell(snapshot: Snapshot, *, reads: bool = True) -> Snapshot:
    """Return a task that is about to be stored as queued, with how long its runs usually take.

    Args:
        snapshot: the task.
        reads: whether that may cost a round trip, if this process has not read it of a task of this name in the last
            minute; else nothing is said then.

    Raises:
        Exception: any error of the cache.
    """
    flusher = get_flusher()
    return flusher.backlog.histories.foretell(snapshot, clock=flusher.clock, reads=reads)


def call_before_end(function: Callable[[float], object]) -> None:
    """Call a function with the seconds that it may take, before tasks that still run in this process end as lost."""
    _before_end.append(function)


_before_end: list[Callable[[float], object]] = []


def recall(task_id: str) -> Snapshot | None:
    """Return a task that this process is about to store again if the cache holds nothing of it, or None.

    It runs here, or waits, or has ended a moment ago; or it was sent here, and waited elsewhere at the last look.
    """
    if (flusher := get_flusher.peek()) is None:
        return None
    reporter = flusher.find(task_id)
    if reporter is not None and reporter.is_read:  # else its owner may be unknown
        return reporter.snapshot
    return flusher.backlog.find(task_id)


def drain_process(timeout: float = EXIT_SECONDS) -> None:
    """Wait until all is stored and listed and wake-ups and signals are sent, before the process ends.

    Tasks that still run end as lost. A process may call this more than once while it ends, as a Celery worker does;
    after a call that timed out, calls in the next EXIT_SECONDS do not wait.

    Args:
        timeout: the most seconds to wait.
    """
    flusher = get_flusher()
    began = flusher.clock.monotonic()
    end = began + (timeout if began > flusher.skip_drain_until else 0.0)
    for function in _before_end:
        function(end - began)
    flusher.end_all()
    if flusher.drain(end - flusher.clock.monotonic()):
        wakeups.drain(end - flusher.clock.monotonic())
        flusher.signals.drain(end - flusher.clock.monotonic())
    else:
        flusher.skip_drain_until = flusher.clock.monotonic() + EXIT_SECONDS


def drain_and_exit(status: int, *, leave: Callable[[int], NoReturn] = os._exit) -> NoReturn:
    """Do what `os._exit` does, but write first what this process owes to the cache, if anything."""
    try:
        if get_flusher.peek() is not None:
            drain_process()
    finally:
        leave(status)


def _drain_at_exit_of_child() -> None:
    os._exit = drain_and_exit


atexit.register(drain_process)
# A child that is forked, for one job as RQ's or by `multiprocessing`, leaves by `os._exit`, which skips `atexit` and
# has no hook of its own; it may be forked before it loads this module. In other processes that function stays.
call_after_fork(_drain_at_exit_of_child)
if multiprocessing.parent_process() is not None:
    _drain_at_exit_of_child()
