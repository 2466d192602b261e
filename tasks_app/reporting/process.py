"""The flusher of this process, and the end of the process."""

import atexit

from .. import wakeups
from ..utils.lazy import per_process
from .flusher import Flusher
from .reporter import Reporter

#: How long the process waits at exit for last snapshots.
EXIT_SECONDS = 5.0


@per_process()
def get_flusher() -> Flusher:
    """Return the flusher of this process; that of its parent still looks after the parent's tasks."""
    return Flusher()


def find_reporter(task_id: str) -> Reporter | None:
    """Return the reporter of a task that runs, or waits, in this process."""
    return get_flusher().find(task_id)


def drain_process(timeout: float = EXIT_SECONDS) -> None:
    """A process may end as soon as its last task has: viewers and receivers shall learn of it all the same.

    It may end in steps, such as those of a Celery worker; only one of them waits in vain.
    """
    flusher = get_flusher()
    began = flusher.clock.monotonic()
    end = began + (timeout if began > flusher.hopeless_until else 0.0)
    flusher.end_all()
    if flusher.drain(end - began):
        wakeups.drain(end - flusher.clock.monotonic())
        flusher.signals.drain(end - flusher.clock.monotonic())
    else:
        flusher.hopeless_until = flusher.clock.monotonic() + EXIT_SECONDS


atexit.register(drain_process)
