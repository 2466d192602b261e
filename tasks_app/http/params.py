"""The parsers of request bodies and parameters."""

import json
import math
from http import HTTPStatus
from typing import Any, NoReturn

from django.http import HttpRequest, RawPostDataException

from ..conf import get_settings
from ..exceptions import describe
from ..snapshot import State
from ..utils.json import MAX_DEPTH, is_too_deep
from ..utils.query import Query
from .problems import Problem, bad_request

#: The most characters of an Idempotency-Key.
MAX_KEY_LENGTH = 255

#: The number of tasks in a list: by default, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 50, 200

#: The most children in a list of these.
MAX_CHILDREN_SHOWN = 100


def read_body(request: HttpRequest) -> bytes:
    """Return the body.

    Raises:
        Problem: it has more than MAX_BODY bytes, or was read before and is gone.
    """
    limit = get_settings().MAX_BODY
    body = request.read(limit + 1) or _find_body_read_before(request)
    if len(body) > limit:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {limit!r} bytes.")
    return body


def _find_body_read_before(request: HttpRequest) -> bytes:
    """Return the body that a middleware has read and kept: as an empty one, it would start another task.

    Raises:
        Problem: it was not kept, as that of a form.
    """
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        return b""
    try:
        return request.body
    except RawPostDataException as error:
        raise bad_request(
            "The body was read before, as a form or by a middleware of the site; send JSON as application/json."
        ) from error


def parse_start(request: HttpRequest, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the name and the keyword arguments of the task to start.

    Raises:
        Problem: the body is malformed, or names no task without a DEFAULT_TASK.
    """
    data = _parse_object(request, body, ["kwargs", "task"]) if body else {}
    name, kwargs = data.get("task", get_settings().DEFAULT_TASK), data.get("kwargs", {})
    if name is None and "task" not in data:
        raise bad_request('Name a task, because DEFAULT_TASK is not set. Example: {"task": "report"}.')
    if not isinstance(name, str):
        raise bad_request(f"'task' must be a string, not {describe(name)}.")
    if not isinstance(kwargs, dict):
        raise bad_request(f"'kwargs' must be an object, not {describe(kwargs)}.")
    for argument, value in kwargs.items():
        if is_too_deep(value):
            raise bad_request(
                f"Argument {describe(argument)} is nested too deep; at most {MAX_DEPTH!r} levels are allowed."
            )
    return name, kwargs


def parse_token_tasks(request: HttpRequest, body: bytes) -> list[str]:
    """Return the distinct ids of the tasks for which a token is asked.

    Raises:
        Problem: the body is malformed, or names no task, or more than MAX_TASKS_PER_STREAM.
    """
    task_ids = _parse_object(request, body, ["tasks"]).get("tasks") if body else None
    if not isinstance(task_ids, list) or not all(isinstance(task_id, str) for task_id in task_ids):
        raise bad_request(f"'tasks' must be an array of ids, not {describe(task_ids)}.")
    return _check_number("The body", list(dict.fromkeys(task_ids)), '{"tasks": ["<id>", "<id>"]}')


def _parse_object(request: HttpRequest, body: bytes, allowed: list[str]) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body is {describe(request.content_type)}; it must be 'application/json'.",
        )
    data = _read_object(body)
    if unknown := data.keys() - set(allowed):
        raise bad_request(f"Unknown members {describe(sorted(unknown))}; allowed: {allowed!r}.")
    return data


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body, parse_constant=_refuse_constant, parse_float=_parse_float)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The body is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise bad_request(f"The body must be a JSON object, not {describe(data)}.")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name!r} is not a JSON value")


def _parse_float(text: str) -> float:
    """Parse a float, refusing 1e999: it would become an infinity, which no task framework can store."""
    if math.isinf(value := float(text)):
        raise ValueError(f"{describe(text)} is too large a number")
    return value


def parse_task_ids(query: Query) -> list[str]:
    """Return the distinct ids of the tasks to stream, in the order of the query.

    Raises:
        Problem: there is none, or more than MAX_TASKS_PER_STREAM.
    """
    return _check_number("The query", list(dict.fromkeys(query.getlist("task"))), "?task=<id>&task=<id>")


def _check_number(place: str, task_ids: list[str], example: str) -> list[str]:
    limit = get_settings().MAX_TASKS_PER_STREAM
    if not task_ids:
        raise bad_request(f"Name the tasks to follow: '{example}'.")
    if len(task_ids) > limit:
        raise bad_request(f"{place} names {len(task_ids)!r} tasks; at most {limit!r} are allowed on one stream.")
    return task_ids


def parse_limit(request: HttpRequest, *, at_most: int = MAX_LIMIT) -> int:
    """Return the most tasks that the list may have."""
    return parse_whole(request, "limit", DEFAULT_LIMIT, at_most)


def parse_states(request: HttpRequest) -> frozenset[State]:
    """Return the states that a list is asked for, separated by commas; all of them if the query names none.

    Raises:
        Problem: one is no state.
    """
    texts = [text for value in request.GET.getlist("state") for text in value.split(",")]
    allowed = [str(state) for state in State]
    for text in texts:
        if text not in allowed:
            raise bad_request(f"'state' is {describe(text)}; allowed: {allowed!r}, separated by commas.")
    return frozenset(map(State, texts or allowed))


def parse_whole(request: HttpRequest, name: str, default: int, maximum: int) -> int:
    """Return the query's parameter `name`, a whole number from 1 to `maximum`.

    Raises:
        Problem: it is anything else.
    """
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum):
        raise bad_request(f"{name!r} is {describe(text)}; it must be a whole number from 1 to {maximum!r}.")
    return int(text)


def parse_heartbeat(query: Query) -> bool:
    """Return whether keep-alives are sent as events, for clients that can't see comments."""
    heartbeat = query.get("heartbeat", "comment")
    if heartbeat not in ("comment", "event"):
        raise bad_request(f"'heartbeat' is {describe(heartbeat)}; allowed: 'comment', 'event'.")
    return heartbeat == "event"


def parse_logs(query: Query) -> bool:
    """Return whether the stream carries log lines."""
    logs = query.get("logs", "0")
    if logs not in ("0", "1"):
        raise bad_request(f"'logs' is {describe(logs)}; allowed: '0', '1'.")
    return logs == "1"


def parse_idempotency_key(request: HttpRequest) -> str | None:
    """Return the request's Idempotency-Key, or None.

    Raises:
        Problem: it is empty or has more than MAX_KEY_LENGTH characters.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise bad_request(f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH!r} characters, not {len(key)!r}.")
    return key
