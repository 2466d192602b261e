"""The handler that sends records of the logging module to the log of a task."""

import copy
import logging

from ..conf import get_settings
from .context import get_progress
from .hidden_errors import hide_errors


class LogHandler(logging.Handler):
    """A logging handler that adds each record to the log of the task in this thread or coroutine.

    Outside a task it does nothing. All viewers of the task may read its log, so unless EXPOSE_ERRORS allows it,
    tracebacks are left out, and an exception in a record's message, arguments or extra values, or in what these hold,
    is shown as its type.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Add one record to the log; records of this app itself are left out."""
        progress = get_progress()
        if progress is None or record.name.partition(".")[0] == "tasks_app":
            return
        try:
            shown = record if get_settings().exposes_errors else _without_errors(record)
            progress.log(self.format(shown), record.levelname)
        except Exception:
            self.handleError(record)


def _without_errors(record: logging.LogRecord) -> logging.LogRecord:
    shown = copy.copy(record)  # other handlers get the same record
    shown.exc_info = shown.exc_text = shown.stack_info = None
    for name, value in vars(shown).items():  # a format may show an extra one
        setattr(shown, name, hide_errors(value))
    return shown
