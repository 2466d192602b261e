"""The receiver in the process that sends a task to the broker."""

from collections.abc import Mapping
from typing import Any

from celery import current_task

from ...integration import (
    Reporter,
    Snapshot,
    State,
    adopt,
    find_queued,
    find_reporter,
    get_bound,
    never_raise,
    pass_on,
    queue,
)
from .common import HEADER, RUNNER, is_tracked, make_header


@never_raise
def on_publish(*, headers: dict[str, Any], **kwargs: Any) -> None:
    """Store the first snapshot, unless the task is known, and put the header for the worker into the message."""
    # Messages of Celery's protocol 1 have no such headers.
    if "id" not in headers or not is_tracked(headers["task"], headers["id"]):
        return
    bound = get_bound()
    is_stored = bound is None or not _continues(bound, headers) or pass_on(bound)
    snapshot = _find_or_queue(bound, headers)
    headers[HEADER] = make_header(snapshot, is_stored=is_stored or snapshot.attempt == 0)


def _continues(bound: Reporter, headers: Mapping[str, Any]) -> bool:
    """Whether this message continues the task that sends it: as its retry, or as its replacement.

    If a chain or a chord replaces a task, only its last step has the task's id, but each message has its depth.
    """
    if headers["id"] == bound.task_id:
        return True
    depth = current_task.request.replaced_task_nesting if current_task else 0
    return bool((headers.get("replaced_task_nesting") or 0) > (depth or 0))


def _find_or_queue(bound: Reporter | None, headers: Mapping[str, Any]) -> Snapshot:
    task_id: str = headers["id"]
    if bound is not None and bound.task_id == task_id:
        return bound.snapshot
    if (started := find_queued(task_id)) is not None:
        return started
    header = headers.get(HEADER) or {}  # a worker that resends a task sends the header that it received
    snapshot, _ = queue(task_id, header.get("task") or headers["task"], owner=header.get("owner"), runner=RUNNER)
    if headers.get("retries") and snapshot.state is State.RUNNING and find_reporter(task_id) is None:
        # The worker itself resends the task, since the process that ran it is dead.
        pass_on(adopt(snapshot))
    return snapshot
