"""The executor of `django.tasks` tasks in this process: its threads, its queue and its results."""

import os
import threading
from typing import TYPE_CHECKING, Any

from django.utils.crypto import get_random_string

from ..exceptions import TaskQueueFull
from ..reporting import get_flusher
from ..utils.exhaustion import exhaustion_log
from ..utils.threads import LoopThread, ThreadPool
from . import compat
from .bursts import Bursts
from .enqueue import is_accepted
from .positions import Positions
from .results import Results
from .run import Run

if TYPE_CHECKING:
    from django.tasks import TaskResult

#: The seconds until a task whose time has come is launched again, if no thread could be started for it.
RETRY_SECONDS = 1.0


class Executor:
    """The threads, the queue and the results of one alias of TASKS; each process has its own."""

    def __init__(self, alias: str, *, max_workers: int, max_queue: int) -> None:
        self.loop = LoopThread(f"tasks_app-{alias}-loop")
        #: The signals module of the framework that the backend belongs to.
        self.signals = next(compat.signal_modules())
        self.worker_id = f"{os.getpid()}-{get_random_string(8)}"
        self.pool = ThreadPool(max_workers, f"tasks_app-{alias}")
        self._max_queue = max_queue
        self._lock = threading.Lock()
        #: Runs that wait for a thread or for their `run_after`, and async runs until they end.
        self._admitted: dict[str, Run] = {}
        self._positions = Positions()
        self.results = Results()
        self.bursts = Bursts(get_flusher().clock.monotonic)

    @property
    def is_idle(self) -> bool:
        """Whether no task waits or runs."""
        return not (self._admitted or self.results.unfinished or self.pool.count_waiting())

    def enqueue(self, task_result: "TaskResult[Any, Any]", backend: type) -> None:
        """Accept a task and launch it, not before its `run_after`.

        Raises:
            TaskQueueFull: `max_queue` tasks wait already, and it is not one of a batch whose first one was accepted.
            Exception: any error of the store or of a receiver of `task_enqueued`, or the process can't start the
                threads for it; the task will not run.
        """
        run = Run(self, task_result, backend)
        self._admit(run)
        try:
            with get_flusher().thread.hold():
                self._prepare(run)  # before anybody can see the task
                run.queue()
        except BaseException:
            self._forget(run)
            raise
        self._launch_in_time(run)

    def withdraw(self, run: Run) -> bool:
        """Withdraw a run unless it has begun, and return whether it was withdrawn."""
        if not self.claim(run):
            return False
        self.pool.withdraw(run.task_id)
        self.dismiss(run)
        return True

    def claim(self, run: Run) -> bool:
        """Mark a run as begun; return False if it was begun or withdrawn before."""
        with self._lock:
            if run.has_begun:
                return False
            run.has_begun = True
            return True

    def dismiss(self, run: Run) -> None:
        """Free the place of a run in the queue."""
        with self._lock:
            self._admitted.pop(run.task_id, None)

    def renumber(self) -> None:
        """Tell tasks that wait for a thread their positions in the queue."""
        for position, task_id in self._positions.choose(self.pool.get_line()):
            if (run := self._admitted.get(task_id)) is not None:
                run.reporter.wait_in_line(position)
        with self._lock:
            if not self._admitted:
                get_flusher().chores.discard(self.renumber)

    def _admit(self, run: Run) -> None:
        with self._lock:
            if (waiting := len(self._admitted)) >= self._max_queue and not is_accepted():
                raise TaskQueueFull(f"{waiting!r} tasks wait already; max_queue allows {self._max_queue!r}")
            self._admitted[run.task_id] = run
            self.results.unfinished[run.task_id] = run.task_result
            get_flusher().chores.add(self.renumber)

    def _forget(self, run: Run) -> None:
        with self._lock:
            self._admitted.pop(run.task_id, None)
            self.results.unfinished.pop(run.task_id, None)

    def _prepare(self, run: Run) -> None:
        if run.is_async or run.get_delay() > 0:
            self.loop.start()
        else:
            self.pool.prepare()

    def _launch_in_time(self, run: Run) -> None:
        """Launch a run when its time has come; one that no thread can be started for ends as failed."""
        try:
            if (delay := run.get_delay()) > 0:
                self.loop.call_later(delay, lambda: self._launch_late(run))
            else:
                self._launch(run)
        except Exception as error:
            if self.withdraw(run):
                run.fail_unstarted(error)
            raise

    def _launch_late(self, run: Run) -> None:
        try:
            self._launch(run)
        except Exception as error:  # it was accepted long ago, so it waits on
            exhaustion_log.note(error, f"task {run.task_id} begins later")
            self.loop.call_later(RETRY_SECONDS, lambda: self._launch_late(run))

    def _launch(self, run: Run) -> None:
        if run.is_async:
            self.loop.run(run.arun())
        elif not run.has_begun:
            self.pool.submit(run.task_id, run.run, priority=run.task_result.task.priority)
            # The next sweep updates all positions, by priority.
            if run.reporter.snapshot.queue_position is None and (position := self.pool.count_waiting()):
                run.reporter.wait_in_line(position)
