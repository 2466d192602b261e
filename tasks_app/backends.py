"""`InProcessBackend`: a backend of `django.tasks` for tasks in the process that enqueues them."""

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any

from django.core import checks
from django.utils import timezone

from .lifecycle import Executor, compat, get_promised_id, has_foreign_receivers
from .store import get_store
from .utils.lazy import per_process

DEFAULT_OPTIONS: Mapping[str, int] = {"max_workers": 8, "max_queue": 1000}


class InProcessBackend(compat.BaseTaskBackend):  # type: ignore[misc]  # Django's stubs do not type it
    """A backend without a broker: sync tasks run on a bounded thread pool, async tasks on one event loop.

    Tasks that wait or run end with the process. The latest 1000 results can be read in this process for RETENTION
    seconds.

    OPTIONS:
        max_workers: how many sync tasks may run at once, at least 1; the default is 8.
        max_queue: how many tasks may wait for a thread or for their `run_after`, or run as coroutines, at least 1; the
            default is 1000.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True
    #: Whether a task has the id that `start()` gave away in a transaction.
    takes_promised_id = True

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Enqueue a task, which runs as soon as a thread is free, but not before its `run_after`.

        Args:
            task: a task made by `@task`.
            args, kwargs: the arguments of the task.

        Returns:
            The `TaskResult`, which changes as the task runs.

        Raises:
            TaskQueueFull: `max_queue` tasks wait already.
            Exception: any error of a receiver of `task_enqueued`; the task will not run.
        """
        self.validate_task(task)
        task_result = compat.TaskResult(
            task=task,
            id=get_promised_id() or token_hex(16),  # Django's get_random_string asks the system 32 times
            status=compat.TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        self._get_executor().enqueue(task_result, type(self))
        return task_result

    async def aenqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Do what `enqueue` does; in this thread where nothing can block: the cache, a receiver or a subclass."""
        if type(self) is InProcessBackend and get_store().is_local:
            signals = self._get_executor().signals
            if not has_foreign_receivers(signals.task_enqueued, type(self)):
                return self.enqueue(task, args, kwargs)
        return await super().aenqueue(task, args, kwargs)

    def get_result(self, result_id: str) -> Any:
        """Return the result of a task that waits, runs or has ended in this process.

        Raises:
            TaskResultDoesNotExist: this process has no result with this id.
        """
        return self._get_executor().results.get(result_id)

    def check(self, **kwargs: Any) -> Iterator[checks.CheckMessage]:
        """Yield an error for each option that is unknown or not a whole number of at least 1."""
        for name, value in self.options.items():
            if name not in DEFAULT_OPTIONS or type(value) is not int or value < 1:
                yield checks.Error(
                    f"TASKS[{self.alias!r}]['OPTIONS'] has {name!r}: {value!r}.",
                    hint=f"Allowed are {sorted(DEFAULT_OPTIONS)!r}, each a whole number of at least 1.",
                    id="tasks_app.E008",
                )

    def _get_executor(self) -> Executor:
        return get_executor(self.alias, **{**DEFAULT_OPTIONS, **self.options})


def get_executor(alias: str, **options: int) -> Executor:
    """Return the executor of an alias in this process; `task_backends[…]` makes a new backend in each request."""
    key, executors = (alias, *sorted(options.items())), _get_executors()
    return executors.get(key) or executors.setdefault(key, Executor(alias, **options))


@per_process("TASKS")
def _get_executors() -> dict[tuple[object, ...], Executor]:
    return {}
