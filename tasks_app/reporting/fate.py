"""What a flusher asks of one attempt: its snapshot, and what became of it elsewhere."""

import logging

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from .reporter import Reporter

logger = logging.getLogger("tasks_app")

#: What becomes of an attempt while a later one runs.
REPLACED = "was begun again elsewhere; viewers no longer see this attempt"


def tell_fate(reporter: Reporter, what: str) -> None:
    """Log what became of an attempt elsewhere, and have its job stop if ON_LOST says so."""
    is_stopped = get_settings().ON_LOST == "cancel" and not reporter.has_ended
    outcome = "it is asked to stop" if is_stopped else "it goes on"
    logger.warning("task %s %s; %s", reporter.task_id, what, outcome)
    if is_stopped:
        reporter.request_cancel()


def take(reporter: Reporter) -> Snapshot | None:
    """Return what a reporter has to write, or None; a snapshot that can't be made is logged.

    Raises:
        StoreUnavailable: what is stored of the task must be read first, and can't be.
    """
    try:
        return reporter.take()
    except StoreUnavailable:
        raise
    except Exception:
        logger.exception("task %s: its snapshot can't be made", reporter.task_id)
        return None
