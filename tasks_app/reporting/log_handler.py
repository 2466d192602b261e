"""The handler that sends records of the logging module to the log of a task."""

import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from ..conf import get_settings
from .context import get_bound


class LogHandler(logging.Handler):
    """A logging handler that adds each record to the log of the task in this thread or coroutine.

    Outside a task it does nothing. All viewers of the task may read its log, so unless EXPOSE_ERRORS allows it,
    tracebacks are left out, and an exception in a record's message or arguments is shown as its type.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Add one record to the log; records of this app itself are left out."""
        reporter = get_bound()
        if reporter is None or record.name.partition(".")[0] == "tasks_app":
            return
        try:
            shown = _without_errors(record) if _has_errors(record) and not get_settings().exposes_errors else record
            reporter.progress.log(self.format(shown), record.levelname)
        except Exception:
            self.handleError(record)


def _has_errors(record: logging.LogRecord) -> bool:
    if record.exc_info or record.exc_text or record.stack_info:
        return True
    return any(isinstance(value, BaseException) for value in (record.msg, *_get_args(record)))


def _get_args(record: logging.LogRecord) -> Iterable[object]:
    return record.args.values() if isinstance(record.args, Mapping) else record.args or ()


def _without_errors(record: logging.LogRecord) -> logging.LogRecord:
    shown = copy.copy(record)  # other handlers get the same record
    shown.exc_info = shown.exc_text = shown.stack_info = None
    shown.msg = _hide(record.msg)
    if isinstance(record.args, Mapping):
        shown.args = {name: _hide(value) for name, value in record.args.items()}
    elif record.args:
        shown.args = tuple(map(_hide, record.args))
    return shown


def _hide(value: Any) -> Any:
    return type(value).__name__ if isinstance(value, BaseException) else value
