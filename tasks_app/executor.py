"""Runs `django.tasks` tasks in this process, and keeps their results."""

import asyncio
import logging
import os
import threading
from collections import OrderedDict
from traceback import format_exception
from typing import Any

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction
from django.db import close_old_connections
from django.utils import timezone
from django.utils.crypto import get_random_string

from . import compat, lifecycle
from .compat import TaskContext, TaskError, TaskResult, TaskResultStatus
from .conf import get_settings
from .current import bind
from .exceptions import TaskCancelled, TaskQueueFull
from .flusher import get_flusher
from .pool import LoopThread, ThreadPool
from .reporter import Progress
from .threads import release_request_thread

logger = logging.getLogger("tasks_app")

_signals = next(compat.signal_modules())


class Executor:
    """The threads, the line and the results behind one alias of TASKS; there is one per process."""

    def __init__(self, alias: str, *, max_workers: int, max_queue: int) -> None:
        self.loop = LoopThread(f"tasks_app-{alias}-loop")
        self.worker_id = f"{os.getpid()}-{get_random_string(8)}"
        self._pool = ThreadPool(max_workers, f"tasks_app-{alias}")
        self._max_queue = max_queue
        self._lock = threading.Lock()
        #: Runs that wait for a thread or for their time, and the async ones that run.
        self._admitted: dict[str, Run] = {}
        self._unfinished: dict[str, TaskResult] = {}
        self._finished: OrderedDict[str, TaskResult] = OrderedDict()

    def enqueue(self, task_result: TaskResult, backend: type) -> None:
        """Take a task in, or refuse it whole: one that raises here will not run.

        Raises:
            TaskQueueFull: `max_queue` tasks wait already.
        """
        run = Run(self, task_result, backend)
        self._admit(run)
        try:
            run.queue()
        except BaseException as error:
            self._forget(run)
            run.abandon(error)
            raise
        delay = run.get_delay()
        if delay > 0:
            self.loop.call_later(delay, lambda: self._launch(run))
        else:
            self._launch(run)

    def get_result(self, result_id: str) -> TaskResult:
        """Return the result kept under this id.

        Raises:
            TaskResultDoesNotExist: there is none.
        """
        with self._lock:
            self._drop_old_results()
            result = self._unfinished.get(result_id) or self._finished.get(result_id)
        if result is None:
            raise compat.TaskResultDoesNotExist(result_id)
        return result

    def withdraw(self, run: "Run") -> bool:
        """Take back a run that has not begun; False if it has."""
        with self._lock:
            if run.has_begun:
                return False
            run.has_begun = True
        self._pool.withdraw(run.task_id)
        self.dismiss(run)
        return True

    def claim(self, run: "Run") -> bool:
        """Let a run begin; False if it was withdrawn."""
        with self._lock:
            if run.has_begun:
                return False
            run.has_begun = True
            return True

    def dismiss(self, run: "Run") -> None:
        """Make room for the next task."""
        with self._lock:
            self._admitted.pop(run.task_id, None)

    def keep(self, task_result: TaskResult) -> None:
        """Keep the result of a task that has ended, for RETENTION."""
        with self._lock:
            self._unfinished.pop(task_result.id, None)
            self._finished[task_result.id] = task_result
            self._drop_old_results()

    def renumber(self) -> None:
        """Tell the tasks that wait for a thread their place in the line."""
        for position, task_id in enumerate(self._pool.get_line(), start=1):
            if (run := self._admitted.get(task_id)) is not None:
                run.progress.wait_in_line(position)

    def _admit(self, run: "Run") -> None:
        with self._lock:
            if (waiting := len(self._admitted)) >= self._max_queue:
                raise TaskQueueFull(f"{waiting!r} tasks wait already; max_queue allows {self._max_queue!r}")
            self._admitted[run.task_id] = run
            self._unfinished[run.task_id] = run.task_result
        get_flusher().chores.add(self.renumber)

    def _forget(self, run: "Run") -> None:
        with self._lock:
            self._admitted.pop(run.task_id, None)
            self._unfinished.pop(run.task_id, None)

    def _launch(self, run: "Run") -> None:
        if run.is_async:
            self.loop.run(run.arun())
        elif not run.has_begun:
            self._pool.submit(run.task_id, run.run, priority=run.task_result.task.priority)
            self.renumber()

    def _drop_old_results(self) -> None:
        oldest = timezone.now().timestamp() - get_settings().RETENTION
        while self._finished:
            result = next(iter(self._finished.values()))
            if result.finished_at is None or result.finished_at.timestamp() > oldest:
                return
            del self._finished[result.id]


class Run:
    """One task on its way through an executor."""

    def __init__(self, executor: Executor, task_result: TaskResult, backend: type) -> None:
        self.task_id = task_result.id
        self.task_result = task_result
        self.is_async = iscoroutinefunction(task_result.task.func)
        self.has_begun = False
        self.progress: Progress
        self._executor = executor
        self._backend = backend

    def queue(self) -> None:
        """Make the task known."""
        snapshot, is_stored = lifecycle.queue(self.task_result)
        self.progress = Progress(snapshot, is_stored=is_stored)
        self.progress.on_cancel = self._withdraw
        get_flusher().add(self.progress)
        _signals.task_enqueued.send(self._backend, task_result=self.task_result)

    def abandon(self, error: BaseException) -> None:
        """End a task that will not run."""
        if hasattr(self, "progress"):
            self.progress.fail(error)

    def get_delay(self) -> float:
        """Return the seconds until the task may run."""
        run_after = self.task_result.task.run_after
        if run_after is None:
            return 0.0
        return float((run_after - timezone.now()).total_seconds())

    def run(self) -> None:
        """Run a sync task, in the calling thread."""
        if not self._executor.claim(self):
            return
        self._executor.dismiss(self)
        close_old_connections()
        try:
            self._begin()
            _signals.task_started.send(self._backend, task_result=self.task_result)
            value = self.task_result.task.call(*self._get_args(), **self.task_result.kwargs)
        except BaseException as error:
            self._fail(error)
            _signals.task_finished.send(self._backend, task_result=self.task_result)
        else:
            self._succeed(value)
            _signals.task_finished.send(self._backend, task_result=self.task_result)
        finally:
            close_old_connections()

    async def arun(self) -> None:
        """Run an async task, in the running loop."""
        if not self._executor.claim(self):
            return
        async with ThreadSensitiveContext():
            try:
                self.progress.on_cancel = self._make_canceller()
                self._begin()
                await _signals.task_started.asend(self._backend, task_result=self.task_result)
                release_request_thread()  # the receivers' one; the coroutine itself needs none
                value = await self.task_result.task.acall(*self._get_args(), **self.task_result.kwargs)
            except BaseException as error:
                self._fail(error)
                await _signals.task_finished.asend(self._backend, task_result=self.task_result)
            else:
                self._succeed(value)
                await _signals.task_finished.asend(self._backend, task_result=self.task_result)
            finally:
                self._executor.dismiss(self)
                release_request_thread()

    def _begin(self) -> None:
        now = timezone.now()
        self._set(status=TaskResultStatus.RUNNING, started_at=now, last_attempted_at=now)
        self.task_result.worker_ids.append(self._executor.worker_id)
        self.progress.begin()
        bind(self.progress)
        self.progress.raise_if_cancelled()

    def _get_args(self) -> list[Any]:
        context = [TaskContext(task_result=self.task_result)] if self.task_result.task.takes_context else []
        return [*context, *self.task_result.args]

    def _succeed(self, value: Any) -> None:
        try:
            value = compat.normalize_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            logger.warning("task %s: its result is not JSON and is left out: %s", self.task_id, error)
            self._finish(TaskResultStatus.SUCCESSFUL)
        else:
            self._finish(TaskResultStatus.SUCCESSFUL, _return_value=value)
        self.progress.succeed(value)

    def _fail(self, error: BaseException) -> None:
        kind = type(error)
        self.task_result.errors.append(
            TaskError(
                exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
                traceback="".join(format_exception(error)),
            )
        )
        self._finish(TaskResultStatus.FAILED)
        self.progress.fail(error)

    def _finish(self, status: TaskResultStatus, **values: Any) -> None:
        self._set(status=status, finished_at=timezone.now(), **values)
        self._executor.keep(self.task_result)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self.task_result, name, value)  # as Django's own backends do

    def _make_canceller(self) -> Any:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        return lambda: loop.call_soon_threadsafe(task.cancel)

    def _withdraw(self) -> None:
        if self._executor.withdraw(self):
            self._fail(TaskCancelled(f"task {self.task_id} was cancelled before it began"))
            self._executor.loop.run(self._announce_end())

    async def _announce_end(self) -> None:
        await _signals.task_finished.asend(self._backend, task_result=self.task_result)
