"""The site's backend without tasks_app: one of `django.tasks` on a plain pool of threads."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django.utils import timezone
from django.utils.crypto import get_random_string

try:
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import TaskResult, TaskResultStatus
    from django.tasks.signals import task_enqueued, task_finished, task_started
except ImportError:  # Django 5.2
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import TaskResult, TaskResultStatus
    from django_tasks.signals import task_enqueued, task_finished, task_started

WORKERS = 8

pool = ThreadPoolExecutor(WORKERS)

#: The tasks that were enqueued since `wait_for_all`.
futures: list["Future[None]"] = []


class PlainBackend(BaseTaskBackend):  # type: ignore[misc]
    """The least that a backend does: a result with its states, and the signals."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Enqueue a task."""
        self.validate_task(task)
        result = TaskResult(
            task=task,
            id=get_random_string(32),
            status=TaskResultStatus.READY,
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
        task_enqueued.send(type(self), task_result=result)
        futures.append(pool.submit(self._run, result))
        return result

    def _run(self, result: Any) -> None:
        _set(result, status=TaskResultStatus.RUNNING, started_at=timezone.now())
        task_started.send(type(self), task_result=result)
        value = result.task.call(*result.args, **result.kwargs)
        _set(result, status=TaskResultStatus.SUCCESSFUL, finished_at=timezone.now(), _return_value=value)
        task_finished.send(type(self), task_result=result)


def wait_for_all() -> None:
    """Wait until every enqueued task has run."""
    wait(futures)
    for future in futures:
        future.result()
    futures.clear()


def _set(result: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(result, name, value)  # as Django's own backends do
