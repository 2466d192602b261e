"""The warning of a thread or child process that reports to no task, while its process has one running."""

import logging
import threading

from ..snapshot import State
from ..utils.lazy import per_process
from .process import get_flusher

logger = logging.getLogger("tasks_app")


class MissingTask:
    """The calls of `progress` outside a task that a process has seen; it warns once."""

    def __init__(self) -> None:
        #: Whether the process was forked by a thread that runs a task.
        self.is_child_of_job = False
        self._is_said = False

    def note(self) -> None:
        """Warn if this call may be one of a job; a process without jobs may call whatever it likes."""
        if self._is_said or not (self.is_child_of_job or _has_running_task()):
            return
        self._is_said = True
        logger.warning(
            "progress was called in %r, where it stands for no task and does nothing, while this process runs one; "
            "have threads and processes of a job call progress.handle().bind(function), or use progress.map()",
            threading.current_thread().name,
        )


@per_process()
def get_missing_task() -> MissingTask:
    """Return that of this process."""
    return MissingTask()


def _has_running_task() -> bool:
    flusher = get_flusher.peek()
    return flusher is not None and any(item.snapshot.state is State.RUNNING for item in flusher.reporters)
