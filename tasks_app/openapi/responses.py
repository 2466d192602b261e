"""The responses of the endpoints."""

from collections.abc import Mapping
from http import HTTPStatus

from ..streaming import CONTENT_TYPE
from .schema_parts import Schema, ref

_TEXT = {"type": "string"}

SERVER_TIME: Schema = {"description": "the server's time", "schema": {**_TEXT, "format": "date-time"}}
ETAG: Schema = {"description": "names this version, for `If-None-Match`", "schema": _TEXT}
LOCATION: Schema = {"description": "where the snapshot of the task is", "schema": {**_TEXT, "format": "uri-reference"}}
RETRY_AFTER: Schema = {"description": "the seconds until the client should come back", "schema": {"type": "integer"}}
LOGIN: Schema = {"description": "where to log in", "schema": {**_TEXT, "format": "uri-reference"}}

HEADERS: Mapping[str, Schema] = {
    "Server-Time": SERVER_TIME,
    "ETag": ETAG,
    "Location": LOCATION,
    "Retry-After": RETRY_AFTER,
}

#: What each problem means, whichever endpoint answers it.
PROBLEMS: Mapping[int, str] = {
    400: "The request is malformed, or its values are not allowed; the detail names them.",
    401: "Nobody is logged in.",
    403: "The caller may not, or the CSRF check failed.",
    404: "There is no such task, or the caller may not see it.",
    409: "The task has ended, or the `Idempotency-Key` was used for another request.",
    413: "The body has more than MAX_BODY bytes.",
    415: "The body is no JSON.",
    429: "This client has too much at once, or started too many tasks.",
    501: "A stream was asked of a WSGI server.",
    503: "The process has too much at once, or what it needs does not answer.",
}

_REFUSALS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def header(*names: str) -> Mapping[str, Schema]:
    """Return references to headers of responses."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def json_answer(description: str, schema: str, *headers: str) -> Schema:
    """Return a response of JSON, which has the server's time."""
    content = {"application/json": {"schema": ref(schema)}}
    return {"description": description, "headers": header("Server-Time", *headers), "content": content}


def stream(schema: str) -> Schema:
    """Return a response that is a stream of events."""
    return {
        "description": "The events, until the task has ended. Lines that begin with a colon are signs of life.",
        "content": {CONTENT_TYPE: {"itemSchema": ref(schema)}},
    }


def plain(description: str) -> Schema:
    """Return a response that is a word for programs."""
    return {"description": description, "content": {"text/plain": {"schema": _TEXT}}}


def page(description: str) -> Schema:
    """Return a response that is a page for people."""
    return {"description": description, "content": {"text/html": {"schema": _TEXT}}}


NOTHING_NEW: Schema = {"description": "The client has this version.", "headers": header("ETag")}
SEEN: Schema = {"description": "The client has seen the end, as its last event id says."}
TO_LOGIN: Schema = {"description": "Nobody is logged in.", "headers": {"Location": LOGIN}}


def problems(*statuses: int) -> Mapping[str, Schema]:
    """Return references to the responses of these problems."""
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def problem_pages(*statuses: int) -> Mapping[str, Schema]:
    """Return the responses of these problems as pages."""
    return {str(status): page(PROBLEMS[status]) for status in statuses}


def describe_problem(status: int) -> Schema:
    """Return the response of a problem."""
    content = {"application/problem+json": {"schema": ref("Problem")}}
    headers = {"headers": header("Retry-After")} if status in _REFUSALS else {}
    return {"description": PROBLEMS[status], **headers, "content": content}


RESPONSES: Mapping[str, Schema] = {f"Problem{status}": describe_problem(status) for status in PROBLEMS}


def without_content(responses: Mapping[str, Schema]) -> Mapping[str, Schema]:
    """Return the responses of HEAD: those of GET without content."""
    return {status: _drop_content(response) for status, response in responses.items()}


def _drop_content(response: Schema) -> Schema:
    if (reference := response.get("$ref")) is not None:
        response = RESPONSES[reference.rpartition("/")[2]]
    return {name: value for name, value in response.items() if name != "content"}
