"""The results of the tasks that an executor of this process has, or had a while ago."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from ..conf import get_settings
from . import compat

if TYPE_CHECKING:
    from django.tasks import TaskResult

#: How many results of ended tasks are kept, the latest ones; each holds the arguments of its task.
MAX_RESULTS = 1000


class Results:
    """The results of one executor, for use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.unfinished: dict[str, TaskResult[Any, Any]] = {}
        self._finished: OrderedDict[str, TaskResult[Any, Any]] = OrderedDict()

    def get(self, result_id: str) -> "TaskResult[Any, Any]":
        """Return the result with this id.

        Raises:
            TaskResultDoesNotExist: no such result is kept.
        """
        with self._lock:
            self._drop_old()
            result = self.unfinished.get(result_id) or self._finished.get(result_id)
        if result is None:
            raise compat.TaskResultDoesNotExist(result_id)
        return result

    def keep(self, task_result: "TaskResult[Any, Any]") -> None:
        """Keep the result of an ended task, for RETENTION seconds or until there are MAX_RESULTS newer ones."""
        with self._lock:
            self.unfinished.pop(task_result.id, None)
            self._finished[task_result.id] = task_result
            self._drop_old()

    def _drop_old(self) -> None:
        oldest = timezone.now().timestamp() - get_settings().RETENTION
        while self._finished:
            result = next(iter(self._finished.values()))
            is_kept = result.finished_at is None or result.finished_at.timestamp() > oldest
            if is_kept and len(self._finished) <= MAX_RESULTS:
                return
            del self._finished[result.id]
