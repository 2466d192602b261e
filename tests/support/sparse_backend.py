"""A backend of `django.tasks` that runs tasks in place, and tells of their ends no more than a test wants."""

from dataclasses import replace
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from tasks_app.lifecycle import compat


class Talk:
    """What the backend says; a test sets it."""

    #: Whether it tells that a task is enqueued, and runs it then; and whether it waits for the commit with both.
    enqueues = True
    waits_for_commit = False
    #: Whether it tells that a task begins.
    starts = True
    #: The status of a task that has ended; None: the right one.
    status: Any = None
    #: Whether it stores the outcome only when the test says so, after it has told the end.
    is_late = False


class SparseBackend(compat.BaseTaskBackend):
    """It sends `task_finished` outside of the except block, with a result that has nothing but a status.

    With the option "keeps" its results can be read, and then have everything.
    """

    talk: ClassVar[Talk] = Talk()
    #: By id: what is stored of each task, and what is to be.
    stored: ClassVar[dict[str, Any]] = {}
    complete: ClassVar[dict[str, Any]] = {}

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.supports_get_result = bool(self.options.get("keeps"))
        self.signals = next(compat.signal_modules())

    @classmethod
    def store(cls, task_id: str) -> None:
        cls.stored[task_id] = cls.complete[task_id]

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        result = compat.TaskResult(
            task=task,
            id=get_random_string(32),
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
        if self.talk.waits_for_commit:
            transaction.on_commit(lambda: self._go_on(result))
        elif self.talk.enqueues:
            self._go_on(result)
        return result

    def get_result(self, result_id: str) -> Any:
        return self.stored[result_id]

    def _go_on(self, result: Any) -> None:
        self.signals.task_enqueued.send(type(self), task_result=result)
        running = self.stored[result.id] = replace(result, status=compat.TaskResultStatus.RUNNING)
        if self.talk.starts:
            self.signals.task_started.send(type(self), task_result=running)
        self.complete[result.id] = self._run(running)
        if not self.talk.is_late:
            self.store(result.id)
        status = self.talk.status or self.complete[result.id].status
        self.signals.task_finished.send(type(self), task_result=replace(running, status=status))

    def _run(self, running: Any) -> Any:
        try:
            value = running.task.call(*running.args, **running.kwargs)
        except Exception as error:
            kind = type(error)
            path = f"{kind.__module__}.{kind.__qualname__}"
            told = compat.TaskError(exception_class_path=path, traceback=f"{path}: {error}\n")
            return replace(running, status=compat.TaskResultStatus.FAILED, errors=[told])
        ended = replace(running, status=compat.TaskResultStatus.SUCCESSFUL)
        object.__setattr__(ended, "_return_value", value)
        return ended
