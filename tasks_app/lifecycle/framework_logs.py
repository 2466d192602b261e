"""The log of `django.tasks`, which takes a task that its user cancelled for one that failed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..exceptions import is_cancel

#: Whether this context announces the end of a cancelled task; a receiver in another thread sees no exception.
_announces_cancel: ContextVar[bool] = ContextVar("tasks_app_announces_cancel", default=False)


def lower_cancels(name: str) -> None:
    """Have a framework's logger say at INFO that a task was cancelled; at ERROR, each cancel would mail the admins."""
    logging.getLogger(name).addFilter(lower_cancel)


@contextmanager
def announcing(was_cancelled: bool) -> Iterator[None]:
    """Tell the log, while `task_finished` is sent, whether the task was cancelled."""
    token = _announces_cancel.set(was_cancelled)
    try:
        yield
    finally:
        _announces_cancel.reset(token)


def lower_cancel(record: logging.LogRecord) -> bool:
    """Lower a record of an exception that only says that a task was cancelled; keep every record."""
    error = record.exc_info[1] if record.exc_info else None
    if is_cancel(error) if error is not None else (_announces_cancel.get() and record.levelno == logging.ERROR):
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        record.exc_info = None
    return True
