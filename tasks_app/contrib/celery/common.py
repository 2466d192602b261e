"""What the receivers of every process share."""

import logging
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from ...integration import Reporter, Snapshot, find_reporter, get_bound, get_flusher, is_task_id

logger = logging.getLogger("tasks_app")

#: The name under which Celery is known to `runners`.
RUNNER = "celery"

#: The message header that carries what only the publisher knows, in case the cache loses it.
HEADER = "tasks_app"


def is_mirrored(name: str, task_id: str) -> bool:
    """Is this a task of the project, and none of those by which Celery runs itself, such as `celery.chord_unlock`?

    One of these runs under the id of a task that has replaced itself by a group. Projects may make ids of their own;
    tasks with one that can't be a part of an address, or of a key of the cache, are left alone.
    """
    return is_task_id(task_id) and (not name.startswith("celery.") or name == "celery.accumulate")


def make_header(snapshot: Snapshot, *, is_stored: bool = True) -> dict[str, str | None]:
    """Return what the worker must know to make the snapshot anew, all of it if it could not be stored."""
    header = {"task": snapshot.task, "owner": snapshot.owner}
    return header if is_stored else {**header, "snapshot": snapshot.to_json()}


def read_header(task_id: str, name: str, request: Any) -> Snapshot:
    """Return what the message itself says of a task."""
    told = request.get(HEADER) or {}
    if (text := told.get("snapshot")) is not None:
        return Snapshot.from_json(text)
    now = get_flusher().clock.now()
    snapshot = Snapshot.queued(task_id, told.get("task") or name, now=now, owner=told.get("owner"), runner=RUNNER)
    return replace(snapshot, attempt=request.retries or 0, seq=0)


def find_own(task_id: str) -> Reporter | None:
    """Return the reporter of a task that runs in this thread, or else in this process."""
    bound = get_bound()
    return bound if bound is not None and bound.task_id == task_id else find_reporter(task_id)


def fail(reporter: Reporter, error: BaseException) -> None:
    """Report that a task raised `error`; viewers may know of a time limit, while other messages are the task's own."""
    if isinstance(error, SoftTimeLimitExceeded):
        reporter.fail_openly("SoftTimeLimitExceeded", "It took longer than its soft time limit.")
    elif isinstance(error, TimeLimitExceeded):
        limit = f" of {error.args[0]} s" if error.args else ""
        reporter.fail_openly("TimeLimitExceeded", f"It took longer than its time limit{limit}.")
    else:
        reporter.fail(error)
