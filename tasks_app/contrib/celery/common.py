"""Helpers of the receivers of all processes."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from celery.utils.saferepr import saferepr

from ...integration import (
    Call,
    Delivery,
    Reporter,
    Snapshot,
    find_reporter,
    get_bound,
    get_flusher,
    get_settings,
    is_chosen,
    is_task_id,
    make_label,
    name_run,
    parse_time,
)
from .signatures import HEADER, MAPS, read_parent

logger = logging.getLogger("tasks_app")

#: The name of the Celery framework, stored with its tasks as `runner`.
RUNNER = "celery"

#: The part of the header that tells a run from others of its id, if that can be used again.
RUN = "run"


def is_tracked(name: str, task_id: str) -> bool:
    """Whether this is a task of the project, not an internal one of Celery such as `celery.chord_unlock`.

    Some of Celery's own count: a map calls a task of the project, and `celery.accumulate` runs under the id of one
    that has replaced itself by a group. Projects may choose ids; a task is not tracked if its id can't be a part of a
    URL or of a cache key. UNTRACKED says which of the project are none either.
    """
    if not is_task_id(task_id) or (name.startswith("celery.") and name not in _TRACKED):
        return False
    return not is_left_out(name)


def is_left_out(name: str) -> bool:
    """Return whether UNTRACKED says that tasks of this name are not tracked."""
    untracked = get_settings().UNTRACKED
    return untracked is not None and re.fullmatch(untracked, name) is not None


_TRACKED = {"celery.accumulate", *MAPS}


def make_header(snapshot: Snapshot, *, is_stored: bool = True) -> dict[str, Any]:
    """Return the header from which a worker can rebuild the snapshot; it has the attempt of one that was begun before.

    Args:
        is_stored: whether the store holds the snapshot; if not, the header has all of it.
    """
    header: dict[str, Any] = {"task": snapshot.task, "owner": snapshot.owner}
    header |= {name: value for name in ("label", "parent", "attempt") if (value := getattr(snapshot, name))}
    if is_chosen(snapshot.task_id):
        header[RUN] = name_run(snapshot)
    return header if is_stored else {**header, "snapshot": snapshot.to_json()}


def read_header(task_id: str, name: str, request: Any) -> Snapshot:
    """Return the snapshot that the message of a task describes."""
    header = request.get(HEADER) or {}
    if (text := header.get("snapshot")) is not None:
        return Snapshot.from_json(text)
    identity, now = read_identity(header), get_flusher().clock.now()
    attempt = request.retries or 0
    snapshot = Snapshot.queued(
        task_id, header.get("task") or name, now=now, runner=RUNNER, attempt=attempt, seq=0, **identity
    )
    return replace(snapshot, created_at=parse_time(header[RUN]) or now) if RUN in header else snapshot


def find_delivery(request: Any) -> Delivery | None:
    """Return how the message of a task came, or None if the task may have changed since it was sent.

    At a first delivery, nothing but a cancel can have changed it. What expires is declared so by others.
    """
    header = request.get(HEADER)
    if not header or request.is_eager:
        return None
    if (request.delivery_info or {}).get("redelivered") or request.get("redelivered"):
        return Delivery.AGAIN
    is_first = not header.keys() & {"snapshot", "attempt", RUN}  # a replacement has an attempt
    return Delivery.FIRST if is_first and not (request.retries or request.expires) else None


def read_identity(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the owner, the label and the parent in a header; the caller of Celery may have set the label there."""
    return {"owner": header.get("owner"), "label": make_label(header.get("label")), "parent": read_parent(header)}


def make_call(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call | None:
    """Return how a task is called; None if its sender has hidden that, by an `argsrepr` or `kwargsrepr` of its own."""
    amqp, request = task.app.amqp, task.request
    by_celery = {
        "argsrepr": saferepr(tuple(args), amqp.argsrepr_maxsize),
        "kwargsrepr": saferepr(dict(kwargs), amqp.kwargsrepr_maxsize),
    }
    is_hidden = any(request.get(name) not in (None, text) for name, text in by_celery.items())
    return None if is_hidden else Call(task.run, args, kwargs)


def find_own(task_id: str) -> Reporter | None:
    """Return the reporter of a task in this thread, else in this process, else None."""
    bound = get_bound()
    return bound if bound is not None and bound.task_id == task_id else find_reporter(task_id)


def fail(reporter: Reporter, error: BaseException) -> None:
    """Report that a task raised `error`; all viewers see a time limit, other messages only if errors are exposed."""
    if isinstance(error, SoftTimeLimitExceeded):
        reporter.note_error(error)
        reporter.fail_openly("SoftTimeLimitExceeded", "It took longer than its soft time limit.")
    elif isinstance(error, TimeLimitExceeded):
        limit = f" of {error.args[0]} s" if error.args else ""
        reporter.fail_openly("TimeLimitExceeded", f"It took longer than its time limit{limit}.")
    else:
        reporter.fail(error)
