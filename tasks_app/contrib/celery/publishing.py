"""In the process that sends a task to the broker."""

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
from .common import HEADER, RUNNER, is_mirrored, make_header


@never_raise
def on_publish(*, headers: dict[str, Any], **kwargs: Any) -> None:
    """Store the first snapshot, and tell the worker whose task it is; a task that is sent anew is known already."""
    # Messages of protocol 1 have no such headers.
    if "id" not in headers or not is_mirrored(headers["task"], headers["id"]):
        return
    bound = get_bound()
    is_stored = bound is None or not _continues(bound, headers) or pass_on(bound)
    snapshot = _find_or_queue(bound, headers)
    headers[HEADER] = make_header(snapshot, is_stored=is_stored or snapshot.attempt == 0)


def _continues(bound: Reporter, headers: Mapping[str, Any]) -> bool:
    """Is this message the retry of the task that sends it, or what it replaces itself with?

    A chain or chord in its place has the task's id only in its last step; but all its messages say how deep they nest.
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
    told = headers.get(HEADER) or {}  # a worker that sends a task anew sends what it was sent
    snapshot, _ = queue(task_id, told.get("task") or headers["task"], owner=told.get("owner"), runner=RUNNER)
    if headers.get("retries") and snapshot.state is State.RUNNING and find_reporter(task_id) is None:
        # The worker itself sends it anew, since the process that ran it is dead.
        pass_on(adopt(snapshot))
    return snapshot
