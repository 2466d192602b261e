"""The parameters of the endpoints, and the bodies that they take."""

from collections.abc import Mapping
from typing import Any

from ..http import DEFAULT_LIMIT, MAX_CHILDREN_SHOWN, MAX_KEY_LENGTH, MAX_LIMIT
from ..monitor import COLUMNS, CONDITIONS, MAX_PAGE, MAX_SEARCH_LENGTH
from .schema_parts import Schema, array, record, ref, string


def query(name: str, description: str, schema: Schema, **rules: Any) -> Schema:
    """Return a parameter of the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **rules}


def header(name: str, description: str, schema: Schema) -> Schema:
    """Return a parameter in a header."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def limit(maximum: int) -> Schema:
    """Return the parameter for the length of a list."""
    schema = {"type": "integer", "minimum": 1, "maximum": maximum, "default": DEFAULT_LIMIT}
    return query("limit", "how many to list at most", schema)


_ORDERS = [f"{sign}{column}" for column in COLUMNS for sign in ("", "-")]

PARAMETERS: Mapping[str, Schema] = {
    "TaskId": {
        "name": "task_id",
        "in": "path",
        "required": True,
        "description": "the id of the task",
        "schema": {"type": "string", "minLength": 1},
    },
    "Tasks": query(
        "task",
        "the ids of the tasks, each once, up to MAX_TASKS_PER_STREAM",
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        required=True,
    ),
    "LastEventId": query("last_event_id", "the id of the last event that was seen", {"type": "string"}),
    "LastEventIdHeader": header("Last-Event-ID", "the same; it counts more than the query", {"type": "string"}),
    "Heartbeat": query(
        "heartbeat",
        "how a stream without news shows that it lives; an EventSource can't see comments",
        {"enum": ["comment", "event"], "default": "comment"},
    ),
    "Logs": query("logs", "whether the stream has the log", {"enum": ["0", "1"], "default": "0"}),
    "Limit": limit(MAX_LIMIT),
    "ChildLimit": limit(MAX_CHILDREN_SHOWN),
    "ChildStates": query(
        "state",
        "only children in these states",
        {"type": "array", "items": ref("State"), "minItems": 1},
        style="form",
        explode=False,
    ),
    "Conditions": query(
        "state",
        "only tasks in one of these states; one that is `stalled` is in no other",
        {"type": "array", "items": {"enum": list(CONDITIONS)}},
    ),
    "Name": query("task", "only tasks of this name", {"type": "string"}),
    "Search": query(
        "q", "only tasks whose names, id or owner have this text", {"type": "string", "maxLength": MAX_SEARCH_LENGTH}
    ),
    "Page": query("page", "the page", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}),
    "Sort": query(
        "sort", "the order, with a `-` the greatest first; by default what runs is on top", {"enum": _ORDERS}
    ),
    "IdempotencyKey": header(
        "Idempotency-Key",
        "makes a repeat within 24 hours answer the same task",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
    ),
    "IfNoneMatch": header("If-None-Match", "the `ETag` of what the client has", {"type": "string"}),
}

_START = record(
    {
        "task": string("a name in STARTABLE"),
        "kwargs": {"type": "object", "description": "the arguments of the task"},
    },
    rare=["task", "kwargs"],
    additionalProperties=False,
)

_TOKENS = record(
    {"tasks": array({"type": "string"}, "the ids of the tasks, up to MAX_TASKS_PER_STREAM", minItems=1)},
    additionalProperties=False,
)


def json_body(schema: Schema, *, is_required: bool) -> Schema:
    """Return the body of a request."""
    return {"required": is_required, "content": {"application/json": {"schema": schema}}}


START_BODY = json_body(_START, is_required=False)
TOKENS_BODY = json_body(_TOKENS, is_required=True)
