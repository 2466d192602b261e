"""What became elsewhere of an attempt that this process reports."""

import logging

from ..conf import get_settings
from .reporter import Reporter

logger = logging.getLogger("tasks_app")


def tell_fate(reporter: Reporter, what: str) -> None:
    """Log what became of an attempt elsewhere, and have its job stop if ON_LOST says so."""
    is_stopped = get_settings().ON_LOST == "cancel" and not reporter.has_ended
    outcome = "it is asked to stop" if is_stopped else "it goes on"
    logger.warning("task %s %s; %s", reporter.task_id, what, outcome)
    if is_stopped:
        reporter.request_cancel()
