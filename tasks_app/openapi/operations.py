"""The operations of each path."""

from collections.abc import Mapping, Sequence
from typing import Any

from .parameters import START_BODY, TOKENS_BODY
from .responses import (
    NOTHING_NEW,
    SEEN,
    TO_LOGIN,
    json_answer,
    page,
    plain,
    problem_pages,
    problems,
    stream,
    without_content,
)
from .schema_parts import Schema

#: The ways in which a caller may be known, any of which will do.
Security = Sequence[Mapping[str, Sequence[str]]]

#: How a caller may be known: not at all, by a session (whose POSTs need a CSRF token), or by a token of the tasks.
_READ: Security = [{}, {"session": []}, {"bearer": []}, {"token": []}]
_WRITE: Security = [{}, {"session": [], "csrf": []}, {"bearer": []}, {"token": []}]
_ANYBODY: Security = [{}]
_STAFF: Security = [{"session": []}]

_STREAM_PARAMETERS = ("Heartbeat", "Logs", "LastEventId", "LastEventIdHeader")


def operation(
    name: str,
    summary: str,
    responses: Mapping[str, Schema],
    *parameters: str,
    security: Security = _READ,
    **rules: Any,
) -> Schema:
    """Return an operation.

    Args:
        name: unique, in the words of the code.
        parameters: their names among the components.
        security: the ways in which a caller may be known.
    """
    references = [{"$ref": f"#/components/parameters/{parameter}"} for parameter in parameters]
    given = {"parameters": references} if references else {}
    return {
        "operationId": name,
        "summary": summary,
        **given,
        "security": security,
        **rules,
        "responses": dict(sorted(responses.items())),
    }


def get(
    name: str, summary: str, responses: Mapping[str, Schema], *parameters: str, security: Security = _READ
) -> Mapping[str, Schema]:
    """Return the operations GET and HEAD of a path."""
    return {
        "get": operation(name, summary, responses, *parameters, security=security),
        "head": operation(
            f"{name}_head",
            f"{summary}: the headers alone.",
            without_content(responses),
            *parameters,
            security=security,
        ),
    }


def post(
    name: str, summary: str, responses: Mapping[str, Schema], *parameters: str, **rules: Any
) -> Mapping[str, Schema]:
    """Return the operation POST of a path."""
    return {"post": operation(name, summary, responses, *parameters, security=_WRITE, **rules)}


PATHS: Mapping[str, Mapping[str, Schema]] = {
    "/start-task": post(
        "start_task",
        "Start a task by its name in STARTABLE; without a body, the DEFAULT_TASK",
        {
            "202": json_answer("The task is queued.", "Started", "Location"),
            **problems(400, 401, 403, 409, 413, 415, 429, 503),
        },
        "IdempotencyKey",
        requestBody=START_BODY,
    ),
    "/task-progress": get(
        "stream_tasks",
        "Stream the snapshots of many tasks until all have ended",
        {"200": stream("TasksEvent"), "204": SEEN, **problems(400, 429, 501, 503)},
        "Tasks",
        *_STREAM_PARAMETERS,
    ),
    "/task-progress/{task_id}": get(
        "stream_task",
        "Stream the snapshots of a task until it has ended",
        {"200": stream("TaskEvent"), "204": SEEN, **problems(400, 404, 429, 501, 503)},
        "TaskId",
        *_STREAM_PARAMETERS,
    ),
    "/tasks": get(
        "list_tasks",
        "List the recent tasks that the caller may see, the newest first",
        {"200": json_answer("The tasks.", "Tasks"), **problems(400, 401, 403, 503)},
        "Limit",
    ),
    "/tasks/tokens": post(
        "make_tokens",
        "Renew the token of those tasks that the caller may see without one",
        {"200": json_answer("The token.", "Tokens"), **problems(400, 403, 413, 415, 503)},
        requestBody=TOKENS_BODY,
    ),
    "/tasks/{task_id}": get(
        "show_task",
        "Get the snapshot of a task",
        {"200": json_answer("The snapshot.", "Snapshot", "ETag"), "304": NOTHING_NEW, **problems(400, 404, 503)},
        "TaskId",
        "IfNoneMatch",
    ),
    "/tasks/{task_id}/children": get(
        "list_children",
        "List the children of a task, in the order of their start",
        {"200": json_answer("The children.", "Children"), **problems(400, 404, 503)},
        "TaskId",
        "ChildStates",
        "ChildLimit",
    ),
    "/tasks/{task_id}/cancel": post(
        "cancel_task",
        "Ask a task to stop",
        {"202": json_answer("It was asked.", "Cancelled"), **problems(400, 401, 403, 404, 409, 503)},
        "TaskId",
    ),
    "/task-health": get(
        "show_health",
        "Tell a load balancer whether the process and its cache work",
        {"200": plain("They do: `ok`."), "503": plain("They don't: `not ok`.")},
        security=_ANYBODY,
    ),
    "/tasks/openapi.json": get(
        "show_openapi",
        "Get this description",
        {
            "200": {
                "description": "The description, as OpenAPI 3.2.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "304": NOTHING_NEW,
        },
        "IfNoneMatch",
        security=_ANYBODY,
    ),
    "/tasks/monitor": get(
        "show_monitor",
        "Show staff the recent tasks",
        {"200": page("The page."), "302": TO_LOGIN, **problem_pages(403)},
        security=_STAFF,
    ),
    "/tasks/monitor/data": get(
        "show_monitor_data",
        "Get what the monitor shows",
        {
            "200": json_answer("The tasks.", "Monitor", "ETag"),
            "304": NOTHING_NEW,
            **problems(400, 401, 403, 503),
        },
        "Conditions",
        "Name",
        "Search",
        "Sort",
        "Page",
        "IfNoneMatch",
        security=_STAFF,
    ),
    "/tasks/{task_id}/monitor": get(
        "show_monitored_task",
        "Show staff a task",
        {"200": page("The page."), "302": TO_LOGIN, **problem_pages(403, 404, 503)},
        "TaskId",
        security=_STAFF,
    ),
    "/tasks/{task_id}/monitor/details": get(
        "show_task_details",
        "Get what staff alone may know of a task",
        {"200": json_answer("The latest attempts.", "Details"), **problems(401, 403, 404, 503)},
        "TaskId",
        security=_STAFF,
    ),
}
