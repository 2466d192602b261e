"""The receiver in the process that sends a task to the broker."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from celery import current_app, current_task

from ...integration import (
    Reporter,
    Snapshot,
    State,
    TaskIdTaken,
    adopt,
    find_queued,
    find_reporter,
    get_bound,
    get_flusher,
    get_store,
    give_up_part,
    is_chosen,
    never_raise,
    pass_on,
    queue,
    use_store,
)
from .canvases import join, note_sent
from .common import RUNNER, is_tracked, logger, make_header, read_identity
from .followers import announce_followers
from .signatures import HEADER, name_task, read_parent

#: The parts of a body: the arguments, the keyword arguments, and what is to be done after the task.
BODY_PARTS = 3

#: What a body of another shape tells.
_NO_BODY: tuple[Any, Any, dict[str, Any]] = ((), {}, {})


@never_raise
def on_publish(*, headers: dict[str, Any], body: Any = None, **options: Any) -> None:
    """Store the first snapshot, unless the task is known, and put the header for the worker into the message.

    What is to be sent after it is announced.
    """
    # Messages of Celery's protocol 1 have no such headers.
    if "id" not in headers or not is_tracked(headers["task"], headers["id"]):
        return
    bound = get_bound()
    times = _read_times(headers)
    continues = bound is not None and _continues(bound, headers)
    is_stored = bound is None or not continues or _pass_on(bound, times)
    _, kwargs, embedded = body if isinstance(body, tuple | list) and len(body) == BODY_PARTS else _NO_BODY
    headers[HEADER] = {**_join(headers, kwargs, embedded, continues=continues), **(headers.get(HEADER) or {})}
    snapshot = _find_or_queue(bound, name_task(headers["task"], kwargs), headers, times)
    if (parent := read_parent(headers[HEADER])) is not None and snapshot.parent != parent:
        give_up_part(parent, snapshot)
    headers[HEADER] = make_header(snapshot, is_stored=is_stored or snapshot.attempt == 0)
    announce_followers(embedded, snapshot, bound)


@never_raise
def on_published(*, headers: Mapping[str, Any], **options: Any) -> None:
    """Note that the broker has the message of a task."""
    if "id" in headers:
        note_sent(headers["id"])


def _join(headers: Mapping[str, Any], kwargs: Any, embedded: Mapping[str, Any], *, continues: bool) -> dict[str, Any]:
    """Do what `join` does; without its canvas as a parent, a task is tracked as any other."""
    try:
        return join(headers, kwargs, embedded, continues=continues)
    except TaskIdTaken as error:
        logger.warning(
            "task %s: the canvas to which it belongs is not shown: %s",
            headers["id"],
            error,
            extra={"task_id": headers["id"]},
        )
        return {}
    except Exception:
        logger.exception(
            "task %s: the canvas to which it belongs can't be shown", headers["id"], extra={"task_id": headers["id"]}
        )
        return {}


def _continues(bound: Reporter, headers: Mapping[str, Any]) -> bool:
    """Whether this message continues the task that sends it: as its retry, or as its replacement.

    If a chain or a chord replaces a task, only its last step has the task's id, but each message has its depth.
    """
    if headers["id"] == bound.task_id:
        return True
    depth = current_task.request.replaced_task_nesting if current_task else 0
    return bool((headers.get("replaced_task_nesting") or 0) > (depth or 0))


def _pass_on(bound: Reporter, times: Mapping[str, Any]) -> bool:
    bound.note_error(sys.exc_info()[1])  # a retry is sent where the job has caught what it retries for
    return pass_on(bound, **times)


def _read_times(headers: Mapping[str, Any]) -> dict[str, datetime | None]:
    """Return when a worker may begin the message, and when it expires, as `queue` takes them."""
    return {"not_before": _read_time(headers.get("eta")), "expires_at": _read_time(headers.get("expires"))}


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:  # the worker refuses the message, and says so
        return None
    return time if time.tzinfo else time.replace(tzinfo=current_app.timezone)  # as the worker reads it


def _find_or_queue(
    bound: Reporter | None, name: str, headers: Mapping[str, Any], times: Mapping[str, Any]
) -> Snapshot:
    task_id: str = headers["id"]
    if bound is not None and bound.task_id == task_id:
        return bound.snapshot
    if (started := find_queued(task_id)) is not None:
        return _postpone(started, times) if any(times.values()) else started
    header = headers.get(HEADER) or {}  # a worker resends what it received; a caller may label a step of a chain
    is_new_run = is_chosen(task_id) and not headers.get("retries")
    snapshot, _ = queue(
        task_id, header.get("task") or name, runner=RUNNER, is_new_run=is_new_run, **read_identity(header), **times
    )
    if headers.get("retries") and snapshot.state is State.RUNNING and find_reporter(task_id) is None:
        # The worker itself resends the task, since the process that ran it is dead.
        pass_on(adopt(snapshot), **times)
    return snapshot


def _postpone(started: Snapshot, times: Mapping[str, Any]) -> Snapshot:
    """Store when the task of `start()` may begin, which only its message tells; no worker has that message yet."""
    snapshot = replace(started, **times)
    get_flusher().enlist(snapshot)  # for as long on the list
    use_store(snapshot.task_id, "when it may begin could not be stored", get_store().save, [snapshot])
    return snapshot
