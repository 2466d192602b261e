"""The fate of one attempt: its snapshot, and its end or its successor elsewhere."""

import logging
from collections.abc import Iterable, Sequence

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot
from ..store import Loaded, load_many
from .reporter import Reporter

logger = logging.getLogger("tasks_app")

#: The reporter of a task, and the snapshot to write.
Taken = tuple[Reporter, Snapshot]

#: What becomes of an attempt while a later one runs.
REPLACED = "was begun again elsewhere; viewers no longer see this attempt"


def tell_fate(reporter: Reporter, what: str) -> None:
    """Log what became of an attempt elsewhere, and have its job stop if ON_LOST says so."""
    is_stopped = get_settings().ON_LOST == "cancel" and not reporter.has_ended
    outcome = "it is asked to stop" if is_stopped else "it goes on"
    logger.warning("task %s %s; %s", reporter.task_id, what, outcome, extra={"task_id": reporter.task_id})
    if is_stopped:
        reporter.request_cancel()


def take_each(reporters: Iterable[Reporter]) -> list[Taken]:
    """Return what there is to write of each reporter; what must be read before is read in one round trip.

    Raises:
        StoreUnavailable: what is stored must be read first, and can't be.
    """
    reporters = list(reporters)
    loaded = _load([item.task_id for item in reporters if not item.is_read])
    taken = [(item, take(item, loaded.get(item.task_id))) for item in reporters]
    return [(reporter, snapshot) for reporter, snapshot in taken if snapshot is not None]


def take(reporter: Reporter, loaded: Loaded | None = None) -> Snapshot | None:
    """Return what a reporter has to write, or None; a snapshot that can't be made is logged.

    Raises:
        StoreUnavailable: what is stored of the task must be read first, and can't be.
    """
    try:
        return reporter.take(loaded)
    except StoreUnavailable:
        raise
    except Exception:
        logger.exception("task %s: its snapshot can't be made", reporter.task_id, extra={"task_id": reporter.task_id})
        return None


def _load(task_ids: Sequence[str]) -> dict[str, Loaded]:
    try:
        return load_many(task_ids)
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable(f"what is stored of tasks {task_ids!r} can't be read") from error
