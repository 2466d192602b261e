"""Small duties of the flusher's thread, called every SWEEP_INTERVAL."""

import logging
from collections.abc import Callable, Iterable

logger = logging.getLogger("tasks_app")


def run_each(chores: Iterable[Callable[[], None]]) -> None:
    """Call each function; what one raises is logged."""
    for chore in chores:
        try:
            chore()
        except Exception:
            logger.exception("%r failed", chore)
