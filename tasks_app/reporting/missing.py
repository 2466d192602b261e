"""The warning of a thread or process that reports to no task, while its process, or its parent, has one running."""

import logging
import multiprocessing
import threading

from ..utils.lazy import per_process
from .process import runs_task
from .sign import is_started_by_job

logger = logging.getLogger("tasks_app")


class MissingTask:
    """The calls of `progress` outside a task that a process has seen; it warns once."""

    def __init__(self) -> None:
        #: Whether the process was forked by a thread that runs a task, or started otherwise by a process with one.
        self.is_child_of_job = is_started_by_job()
        self._is_said = False

    def note(self) -> None:
        """Warn if this call may be one of a job; a process without jobs may call whatever it likes."""
        if self._is_said:
            return
        if runs_task():
            self._say(threading.current_thread().name, "while this process runs one")
        elif self.is_child_of_job:
            self._say(multiprocessing.current_process().name, "but which a process with a task has started")

    def _say(self, caller: str, reason: str) -> None:
        self._is_said = True
        logger.warning(
            "progress was called in %r, where it stands for no task and does nothing, %s; "
            "have threads and processes of a job call progress.handle().bind(function), or use progress.map()",
            caller,
            reason,
        )


@per_process()
def get_missing_task() -> MissingTask:
    """Return that of this process."""
    return MissingTask()
