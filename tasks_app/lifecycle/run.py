"""A run of a `django.tasks` task in this process, from its place in the queue to its end."""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction
from django.db import close_old_connections
from django.utils import timezone

from ..exceptions import TaskCancelled, format_traceback, is_cancel
from ..reporting import Reporter, bind, get_flusher
from ..utils.server import release_request_thread
from ..utils.threads import LoopThread, ThreadPool
from . import compat
from .bursts import Bursts
from .calls import make_call
from .enqueue import queue
from .framework_logs import announcing
from .results import Results
from .sending import asend

if TYPE_CHECKING:
    from django.tasks import TaskResult

logger = logging.getLogger("tasks_app")


class Host(Protocol):
    """The interface of the executor that a run belongs to."""

    signals: Any
    worker_id: str
    pool: ThreadPool
    loop: LoopThread
    results: Results
    bursts: Bursts

    def claim(self, run: "Run") -> bool: ...

    def dismiss(self, run: "Run") -> None: ...

    def withdraw(self, run: "Run") -> bool: ...


class Run:
    """One enqueued task of an executor, with its result and its reporter."""

    def __init__(self, executor: Host, task_result: "TaskResult[Any, Any]", backend: type) -> None:
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
        place = None if self.is_async or self.get_delay() > 0 else self._executor.pool.find_place()
        snapshot, is_stored = queue(
            self.task_id,
            task.module_path,
            beat=1,
            not_before=task.run_after,
            position=place,
            is_in_burst=self._executor.bursts.note(),
        )
        self.reporter = get_flusher().make_reporter(snapshot, is_stored=is_stored)
        self.reporter.on_cancel = self._withdraw
        get_flusher().add(self.reporter)
        if not is_stored:  # the reporter stores it; it must also be listed as recent
            get_flusher().enlist(snapshot)
            get_flusher().wake(self.task_id, urgently=True)
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
                await asend(self._executor.signals.task_started, self._backend, task_result=self.task_result)
                release_request_thread()  # only the receivers needed it
                value = await self._await_body()
            except BaseException as error:
                self._fail(error)
                with announcing(is_cancel(error)):
                    await self._executor.signals.task_finished.asend(self._backend, task_result=self.task_result)
            else:
                self._succeed(value)
                await asend(self._executor.signals.task_finished, self._backend, task_result=self.task_result)
            finally:
                self._executor.dismiss(self)
                release_request_thread()

    async def _await_body(self) -> Any:
        """Run the coroutine as a separate asyncio task, so that a cancel does not stop what follows it."""
        loop = asyncio.get_running_loop()
        body = loop.create_task(self._capture_body())
        self.reporter.on_cancel = lambda: loop.call_soon_threadsafe(body.cancel)
        if not self.reporter.awaits_cancel:  # it was cancelled a moment ago
            body.cancel()
        value, error = await body
        self.reporter.on_cancel = None
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
        self.reporter.on_cancel = None  # it can't be withdrawn any more, and would refer to itself
        self.reporter.begin(partial(make_call, self.task_result))
        bind(self.reporter)
        self.reporter.raise_if_cancelled()

    def _get_args(self) -> list[Any]:
        context = [compat.TaskContext(task_result=self.task_result)] if self.task_result.task.takes_context else []
        return [*context, *self.task_result.args]

    def _succeed(self, value: Any) -> None:
        try:
            value = compat.normalize_json(value)
        except Exception as error:  # the methods of the value may raise anything
            logger.warning(
                "task %s: its result is not JSON and is omitted: %s",
                self.task_id,
                error,
                extra={"task_id": self.task_id},
            )
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
