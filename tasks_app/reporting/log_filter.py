"""The filter that gives records of the logging module the id of their task."""

import logging

from .context import get_progress

#: What stands for a task where there is none.
NO_TASK = "-"


class TaskIdFilter(logging.Filter):
    """A logging filter that sets `task_id` on each record, for formats such as "%(task_id)s %(message)s".

    It is that of the task in this thread or coroutine; a line of this app about a task has its id. Elsewhere it is
    NO_TASK. Put it on a handler: filters of a logger do not see the records of loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `task_id` unless the record has one; return True, since every record passes."""
        if not hasattr(record, "task_id"):
            progress = get_progress()
            record.task_id = NO_TASK if progress is None else progress.task_id
        return True
