"""The executor of `django.tasks` tasks in this process, with their results."""

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction
from django.db import close_old_connections
from django.utils import timezone
from django.utils.crypto import get_random_string

from ..exceptions import TaskCancelled, TaskQueueFull, format_traceback, is_cancel
from ..reporting import Reporter, bind, get_flusher
from ..utils.exhaustion import exhaustion_log
from ..utils.server import release_request_thread
from ..utils.threads import LoopThread, ThreadPool
from . import compat
from .enqueue import queue
from .framework_logs import announcing
from .results import Results

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")

#: The seconds until a task whose time has come is launched again, if no thread could be started for it.
RETRY_SECONDS = 1.0


class Executor:
    """The threads, the queue and the results of one alias of TASKS; each process has its own."""

    def __init__(self, alias: str, *, max_workers: int, max_queue: int) -> None:
        self.loop = LoopThread(f"tasks_app-{alias}-loop")
        #: The signals module of the framework that the backend belongs to.
        self.signals = next(compat.signal_modules())
        self.worker_id = f"{os.getpid()}-{get_random_string(8)}"
        self._pool = ThreadPool(max_workers, f"tasks_app-{alias}")
        self._max_queue = max_queue
        self._lock = threading.Lock()
        #: Runs that wait for a thread or for their `run_after`, and async runs until they end.
        self._admitted: dict[str, Run] = {}
        self.results = Results()

    @property
    def is_idle(self) -> bool:
        """Whether no task waits or runs."""
        return not (self._admitted or self.results.unfinished or self._pool.count_waiting())

    def enqueue(self, task_result: "TaskResult[Any, Any]", backend: type) -> None:
        """Accept a task and launch it, not before its `run_after`.

        Raises:
            TaskQueueFull: `max_queue` tasks wait already.
            Exception: any error of the store or of a receiver of `task_enqueued`, or the process can't start the
                threads for it; the task will not run.
        """
        run = Run(self, task_result, backend)
        self._admit(run)
        try:
            with get_flusher().hold():
                self._prepare(run)  # before anybody can see the task
                run.queue()
        except BaseException:
            self._forget(run)
            raise
        self._launch_in_time(run)

    def withdraw(self, run: "Run") -> bool:
        """Withdraw a run unless it has begun, and return whether it was withdrawn."""
        if not self.claim(run):
            return False
        self._pool.withdraw(run.task_id)
        self.dismiss(run)
        return True

    def claim(self, run: "Run") -> bool:
        """Mark a run as begun; return False if it was begun or withdrawn before."""
        with self._lock:
            if run.has_begun:
                return False
            run.has_begun = True
            return True

    def dismiss(self, run: "Run") -> None:
        """Free the place of a run in the queue."""
        with self._lock:
            self._admitted.pop(run.task_id, None)

    def renumber(self) -> None:
        """Report to each task that waits for a thread its position in the queue."""
        for position, task_id in enumerate(self._pool.get_line(), start=1):
            if (run := self._admitted.get(task_id)) is not None:
                run.reporter.wait_in_line(position)
        with self._lock:
            if not self._admitted:
                get_flusher().chores.discard(self.renumber)

    def _admit(self, run: "Run") -> None:
        with self._lock:
            if (waiting := len(self._admitted)) >= self._max_queue:
                raise TaskQueueFull(f"{waiting!r} tasks wait already; max_queue allows {self._max_queue!r}")
            self._admitted[run.task_id] = run
            self.results.unfinished[run.task_id] = run.task_result
            get_flusher().chores.add(self.renumber)

    def _forget(self, run: "Run") -> None:
        with self._lock:
            self._admitted.pop(run.task_id, None)
            self.results.unfinished.pop(run.task_id, None)

    def _prepare(self, run: "Run") -> None:
        if run.is_async or run.get_delay() > 0:
            self.loop.start()
        else:
            self._pool.prepare()

    def _launch_in_time(self, run: "Run") -> None:
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

    def _launch_late(self, run: "Run") -> None:
        try:
            self._launch(run)
        except Exception as error:  # it was accepted long ago, so it waits on
            exhaustion_log.note(error, f"task {run.task_id} begins later")
            self.loop.call_later(RETRY_SECONDS, lambda: self._launch_late(run))

    def _launch(self, run: "Run") -> None:
        if run.is_async:
            self.loop.run(run.arun())
        elif not run.has_begun:
            self._pool.submit(run.task_id, run.run, priority=run.task_result.task.priority)
            if position := self._pool.count_waiting():  # the next sweep updates all positions, by priority
                run.reporter.wait_in_line(position)


class Run:
    """One enqueued task of an executor, with its result and its reporter."""

    def __init__(self, executor: Executor, task_result: "TaskResult[Any, Any]", backend: type) -> None:
        self.task_id = task_result.id
        self.task_result = task_result
        self.is_async = iscoroutinefunction(task_result.task.func)
        self.has_begun = False
        self.reporter: Reporter
        self._executor = executor
        self._backend = backend

    def queue(self) -> None:
        """Store the first snapshot and send `task_enqueued`; if this raises, the task must not run."""
        task = self.task_result.task
        snapshot, is_stored = queue(self.task_id, task.module_path, beat=1, not_before=task.run_after)
        if not is_stored:  # the reporter stores it later; it must also be listed as recent
            get_flusher().enlist(snapshot)
        self.reporter = get_flusher().make_reporter(snapshot, is_stored=is_stored)
        self.reporter.on_cancel = self._withdraw
        get_flusher().add(self.reporter)
        try:
            self._executor.signals.task_enqueued.send(self._backend, task_result=self.task_result)
        except BaseException as error:
            self.reporter.fail(error)
            raise

    def get_delay(self) -> float:
        """Return the seconds until the task may run; 0 or less if it may run now."""
        run_after = self.task_result.task.run_after
        return 0.0 if run_after is None else float((run_after - timezone.now()).total_seconds())

    def fail_unstarted(self, error: BaseException) -> None:
        """Report that a withdrawn run could not be launched."""
        self._fail(error)

    def run(self) -> None:
        """Run a sync task in the calling thread."""
        if not self._executor.claim(self):
            return
        self._executor.dismiss(self)
        close_old_connections()
        try:
            self._begin()
            self._executor.signals.task_started.send(self._backend, task_result=self.task_result)
            value = self.task_result.task.call(*self._get_args(), **self.task_result.kwargs)
        except BaseException as error:
            self._fail(error)
            with announcing(is_cancel(error)):
                self._executor.signals.task_finished.send(self._backend, task_result=self.task_result)
        else:
            self._succeed(value)
            self._executor.signals.task_finished.send(self._backend, task_result=self.task_result)
        finally:
            close_old_connections()

    async def arun(self) -> None:
        """Run an async task in the running event loop."""
        if not self._executor.claim(self):
            return
        async with ThreadSensitiveContext():
            try:
                self._begin()
                await self._executor.signals.task_started.asend(self._backend, task_result=self.task_result)
                release_request_thread()  # only the receivers needed it
                value = await self._await_body()
            except BaseException as error:
                self._fail(error)
                with announcing(is_cancel(error)):
                    await self._executor.signals.task_finished.asend(self._backend, task_result=self.task_result)
            else:
                self._succeed(value)
                await self._executor.signals.task_finished.asend(self._backend, task_result=self.task_result)
            finally:
                self._executor.dismiss(self)
                release_request_thread()

    async def _await_body(self) -> Any:
        """Run the coroutine as a separate asyncio task, so that a cancel does not stop what follows it."""
        loop = asyncio.get_running_loop()
        body = loop.create_task(self._capture_body())
        self.reporter.on_cancel = lambda: loop.call_soon_threadsafe(body.cancel)
        if self.reporter.progress.cancelled:
            body.cancel()
        value, error = await body
        if error is not None:
            raise error
        return value

    async def _capture_body(self) -> tuple[Any, BaseException | None]:
        """Return what the coroutine returns or raises; a SystemExit out of an asyncio task would stop the loop."""
        try:
            return await self.task_result.task.acall(*self._get_args(), **self.task_result.kwargs), None
        except BaseException as error:
            return None, error

    def _begin(self) -> None:
        now = timezone.now()
        self._set(status=compat.TaskResultStatus.RUNNING, started_at=now, last_attempted_at=now)
        self.task_result.worker_ids.append(self._executor.worker_id)
        self.reporter.begin()
        bind(self.reporter)
        self.reporter.progress.raise_if_cancelled()

    def _get_args(self) -> list[Any]:
        context = [compat.TaskContext(task_result=self.task_result)] if self.task_result.task.takes_context else []
        return [*context, *self.task_result.args]

    def _succeed(self, value: Any) -> None:
        try:
            value = compat.normalize_json(value)
        except Exception as error:  # the methods of the value may raise anything
            logger.warning("task %s: its result is not JSON and is omitted: %s", self.task_id, error)
            self._finish(compat.TaskResultStatus.SUCCESSFUL)
        else:
            self._finish(compat.TaskResultStatus.SUCCESSFUL, _return_value=value)
        self.reporter.succeed(value)

    def _fail(self, error: BaseException) -> None:
        kind = type(error)
        self.task_result.errors.append(
            compat.TaskError(
                exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
                traceback=format_traceback(error),
            )
        )
        self._finish(compat.TaskResultStatus.FAILED)
        self.reporter.fail(error)

    def _finish(self, status: Any, **values: Any) -> None:
        self._set(status=status, finished_at=timezone.now(), **values)
        self._executor.results.keep(self.task_result)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self.task_result, name, value)  # as Django's own backends do

    def _withdraw(self) -> None:
        if self._executor.withdraw(self):
            self._fail(TaskCancelled(f"task {self.task_id} was cancelled before it began"))
            self._executor.loop.run(self._announce_end())

    async def _announce_end(self) -> None:
        with announcing(True):
            await self._executor.signals.task_finished.asend(self._backend, task_result=self.task_result)
