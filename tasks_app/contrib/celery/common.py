"""Helpers of the receivers of all processes."""

import logging
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from ...integration import Reporter, Snapshot, find_reporter, get_bound, get_flusher, is_task_id

logger = logging.getLogger("tasks_app")

#: The name of the Celery framework, stored with its tasks as `runner`.
RUNNER = "celery"

#: The message header with the name and the owner of the task, which the cache may lose.
HEADER = "tasks_app"


def is_tracked(name: str, task_id: str) -> bool:
    """Whether this is a task of the project, not an internal one of Celery such as `celery.chord_unlock`.

    `celery.accumulate` counts as one: it runs under the id of a task that has replaced itself by a group. Projects may
    choose ids; a task is not tracked if its id can't be a part of a URL or of a cache key.
    """
    return is_task_id(task_id) and (not name.startswith("celery.") or name == "celery.accumulate")


def make_header(snapshot: Snapshot, *, is_stored: bool = True) -> dict[str, str | None]:
    """Return the header from which a worker can rebuild the snapshot.

    Args:
        is_stored: whether the store holds the snapshot; if not, the header has all of it.
    """
    header = {"task": snapshot.task, "owner": snapshot.owner}
    return header if is_stored else {**header, "snapshot": snapshot.to_json()}


def read_header(task_id: str, name: str, request: Any) -> Snapshot:
    """Return the snapshot that the message of a task describes."""
    header = request.get(HEADER) or {}
    if (text := header.get("snapshot")) is not None:
        return Snapshot.from_json(text)
    now = get_flusher().clock.now()
    snapshot = Snapshot.queued(task_id, header.get("task") or name, now=now, owner=header.get("owner"), runner=RUNNER)
    return replace(snapshot, attempt=request.retries or 0, seq=0)


def find_own(task_id: str) -> Reporter | None:
    """Return the reporter of a task in this thread, else in this process, else None."""
    bound = get_bound()
    return bound if bound is not None and bound.task_id == task_id else find_reporter(task_id)


def fail(reporter: Reporter, error: BaseException) -> None:
    """Report that a task raised `error`; all viewers see a time limit, other messages only if errors are exposed."""
    if isinstance(error, SoftTimeLimitExceeded):
        reporter.fail_openly("SoftTimeLimitExceeded", "It took longer than its soft time limit.")
    elif isinstance(error, TimeLimitExceeded):
        limit = f" of {error.args[0]} s" if error.args else ""
        reporter.fail_openly("TimeLimitExceeded", f"It took longer than its time limit{limit}.")
    else:
        reporter.fail(error)
