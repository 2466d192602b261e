"""Bad input of every kind, as raw bytes: the answer says so, it is never a 500, and the server goes on."""

import errno
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import wire
from tests.support.viewers import make_cancel_url
from tests.support.wire_site import Site, run_site

JSON = [("Content-Type", "application/json")]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site(MAX_BODY=20_000) as site:
        yield site


@pytest.fixture(autouse=True)
def _still_answers(site) -> Iterator[None]:
    yield
    assert site.server.process.poll() is None
    assert wire.send(site.port, "POST", "/start-task").status == 202


def assert_problem(response: wire.Response, status: int) -> dict[str, Any]:
    """Check that a response is a problem of this status, and return it."""
    assert response.status == status, response
    assert response.head.get("content-type") == "application/problem+json"
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail"}
    assert problem["status"] == status
    return problem


IDS = {
    "unknown": "0" * 32,
    "nul": "%00",
    "newline": "%0a",
    "id and newline": "abc%0a",
    "header": "abc%0d%0aSet-Cookie:%20x=y",
    "5000 characters": "a" * 5000,
    "dots": "..%2e",
    "unicode": "%f0%9f%8e%89",
    "not UTF-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "space": "a%20b",
    "percent": "100%25",
    "bad escape": "%zz",
    "cancel key": "x:cancel",
    "quote": "%22%27",
    "tag": "%3Cscript%3E",
    "format": "%7B0%7D%25s",
}
PLACES = {
    "stream": ("GET", "/task-progress/{}"),
    "headers": ("HEAD", "/task-progress/{}"),
    "snapshot": ("GET", "/tasks/{}"),
    "cancel": ("POST", "/tasks/{}/cancel"),
}


@pytest.mark.parametrize("task_id", IDS.values(), ids=IDS.keys())
@pytest.mark.parametrize(("method", "place"), PLACES.values(), ids=PLACES.keys())
def test_id_of_no_task_answers_404(site, method, place, task_id):
    response = wire.send(site.port, method, place.format(task_id))
    if method == "HEAD":
        assert response.status == 404
    else:
        assert_problem(response, 404)


@pytest.mark.parametrize("task_id", ["a%2fb", "%2f", "..%2f..%2fetc%2fpasswd", "a/b", "../tasks", ""])
@pytest.mark.parametrize(("method", "place"), PLACES.values(), ids=PLACES.keys())
def test_path_in_an_id_answers_404(site, method, place, task_id):
    assert wire.send(site.port, method, place.format(task_id)).status in (404, 405)


@pytest.mark.parametrize("suffix", [":cancel", ":log", ":"])
def test_id_next_to_that_of_a_cancelled_task_answers_404(site, suffix):
    task_id = site.start_puppet("beside")
    site.cancel(task_id)
    assert_problem(wire.send(site.port, "GET", f"/tasks/{task_id}{suffix}"), 404)
    assert_problem(wire.send(site.port, "GET", f"/task-progress/{task_id}{suffix}"), 404)


def test_strange_ids_among_many_are_missing_one_by_one(site):
    ids = [task_id for name, task_id in IDS.items() if name not in ("5000 characters", "bad escape")]
    task_id = site.start("count")
    target = "/task-progress?" + "&".join(f"task={item}" for item in [*ids, task_id])
    with wire.EventStream(site.port, target) as stream:
        events = stream.read_all()
    assert [event.type for event in events].count("missing") == len(ids)
    assert events[-1].type == "end"
    assert events[-1].json()["states"] == {"missing": len(ids), "succeeded": 1}


@pytest.mark.parametrize("query", ["", "?", "?task", "?tasks=x", "?" + "&".join(f"task={n}" for n in range(101))])
def test_stream_of_no_task_or_of_too_many_answers_400(site, query):
    if query == "?task":  # an empty id is the id of no task
        assert wire.send(site.port, "GET", "/task-progress?task").status == 200
    else:
        assert_problem(wire.send(site.port, "GET", f"/task-progress{query}"), 400)


def test_query_of_thousands_of_fields_is_refused(site):
    target = "/task-progress?" + "&".join("task=x" for _ in range(1500))
    assert wire.send(site.port, "GET", target).status == 400


def test_unknown_heartbeat_answers_400_and_says_what_is_allowed(site):
    problem = assert_problem(wire.send(site.port, "GET", f"/task-progress/{site.start('count')}?heartbeat=loud"), 400)
    assert "'comment', 'event'" in problem["detail"]


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
ALLOWED = {
    "/start-task": {"POST"},
    "/task-progress?task=x": {"GET", "HEAD"},
    "/task-progress/x": {"GET", "HEAD"},
    "/tasks/x": {"GET", "HEAD"},
    "/tasks/x/cancel": {"POST"},
}


@pytest.mark.parametrize("target", ALLOWED)
@pytest.mark.parametrize("method", METHODS)
def test_wrong_method_answers_405_with_those_allowed(site, method, target):
    response = wire.send(site.port, method, target)
    if method in ALLOWED[target]:
        assert response.status in (200, 202, 404)
    else:
        assert response.status == 405
        assert set((response.head.get("allow") or "").split(", ")) == ALLOWED[target]


def nest(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


BODIES = {
    "not JSON": (400, b"hello"),
    "half": (400, b'{"task": "add'),
    "two": (400, b"{}{}"),
    "array": (400, b"[]"),
    "number": (400, b"1"),
    "null": (400, b"null"),
    "NaN": (400, b'{"kwargs": {"n": NaN}}'),
    "infinity": (400, b'{"kwargs": {"n": -Infinity}}'),
    "huge number": (400, b'{"kwargs": {"n": ' + b"9" * 5000 + b"}}"),
    "float overflow": (400, b'{"kwargs": {"n": 1e999}}'),
    "not UTF-8": (400, b'{"task": "\xff"}'),
    "UTF-16 BOM": (400, b"\xff\xfe{\x00"),
    "NUL": (400, b"\0"),
    "deep": (400, nest(9_000)),
    "deep kwargs": (400, b'{"kwargs": ' + nest(9_000) + b"}"),
    "deep argument": (400, b'{"kwargs": {"n": ' + nest(9_000) + b"}}"),
    "deep task": (400, b'{"task": ' + nest(9_000) + b"}"),
    "unknown member": (400, b'{"tusk": "add"}'),
    "unknown task": (400, b'{"task": "rm"}'),
    "dotted path": (400, b'{"task": "tests.support.jobs.add"}'),
    "private name": (400, b'{"task": "__class__"}'),
    "surrogate name": (400, b'{"task": "\\ud800"}'),
    "empty name": (400, b'{"task": ""}'),
    "list name": (400, b'{"task": ["add"]}'),
    "null name": (400, b'{"task": null}'),
    "kwargs list": (400, b'{"kwargs": []}'),
    "unexpected argument": (400, b'{"task": "count", "kwargs": {"self": 1}}'),
    "missing argument": (400, b'{"task": "add"}'),
    "wrong type": (400, b'{"task": "add", "kwargs": {"a": "x"}}'),
    "too big": (413, b'{"task": "' + b"x" * 20_000 + b'"}'),
}


@pytest.mark.parametrize(("status", "body"), BODIES.values(), ids=BODIES.keys())
def test_bad_body_is_refused(site, status, body):
    assert_problem(wire.send(site.port, "POST", "/start-task", JSON, body), status)


def test_overflowing_number_is_refused_before_any_task_gets_it(site):
    body = b'{"task": "echo", "kwargs": {"value": 1e999}}'
    assert "1e999" in assert_problem(wire.send(site.port, "POST", "/start-task", JSON, body), 400)["detail"]


ECHO = '{"task": "echo", "kwargs": {"value": %s}}'


@pytest.mark.parametrize("depth", [100, 102, 300, 500, 700, 900, 950, 1000, 2000, 5000, 9000])
@pytest.mark.parametrize(
    "template", ['{"task": %s}', '{"kwargs": %s}', "%s", '{"task": "echo", "kwargs": {"value": %s}}']
)
def test_nested_body_of_any_depth_is_no_server_error(site, template, depth):
    response = wire.send(site.port, "POST", "/start-task", JSON, (template % nest(depth).decode()).encode())
    assert response.status == (202 if depth == 100 and template == ECHO else 400)


@pytest.mark.parametrize(
    "value",
    ["\0", "\u2028", "<b>", "\U0001f389", 2**53 + 1, -1.5e300, True, None, [], {}, {"a": [{"": None}]}],
)
def test_argument_comes_back_as_it_was(site, value):
    task_id = wire.start_task(site.port, "echo", value=value)
    assert site.read_all(task_id)[-1].json()["result"] == value


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "application/jsonp", ""],
)
def test_body_of_another_type_answers_415(site, content_type):
    response = wire.send(site.port, "POST", "/start-task", [("Content-Type", content_type)], b"task=add")
    assert_problem(response, 415)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "\x01",
        "x" * 500,
    ],
)
def test_type_of_an_empty_body_is_not_looked_at(site, content_type):
    assert wire.send(site.port, "POST", "/start-task", [("Content-Type", content_type)]).status == 202


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "latin-1", "nonsense", "\xff"])
def test_charset_of_json_does_no_harm(site, charset):
    headers = [("Content-Type", f"application/json; charset={charset}")]
    assert wire.send(site.port, "POST", "/start-task", headers, b'{"task": "count"}').status == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 5000])
def test_bad_idempotency_key_answers_400(site, key):
    assert_problem(wire.send(site.port, "POST", "/start-task", [("Idempotency-Key", key)]), 400)


@pytest.mark.parametrize("key", ["k", "\U0001f389", "a b", "'\"<>", "../x", "x" * 255])
def test_repeat_with_the_same_idempotency_key_answers_the_same_task(site, key):
    answers = [wire.send(site.port, "POST", "/start-task", [("Idempotency-Key", key)]).json() for _ in range(2)]
    assert answers[0]["task_id"] == answers[1]["task_id"]


def test_cancel_of_an_ended_task_answers_409(site):
    task_id = site.start("count")
    site.wait_for(task_id, "succeeded")
    assert_problem(wire.send(site.port, "POST", make_cancel_url(task_id)), 409)


HEADERS = {
    "Last-Event-ID": "x" * 5000,
    "Accept": "text/html",
    "Accept-Encoding": "gzip, br, zstd",
    "Range": "bytes=0-1",
    "If-None-Match": "*",
    "If-Modified-Since": "nonsense",
    "Authorization": "Bearer " + "." * 5000,
    "Cookie": "sessionid=\x01; csrftoken=",
    "X-Forwarded-Proto": "https",
    "Content-Type": "text/event-stream",
    "Upgrade": "h2c",
    "Origin": "null",
}


@pytest.mark.parametrize(("name", "value"), HEADERS.items())
def test_strange_header_does_not_disturb_a_stream(site, name, value):
    events = site.read_all(site.start("count"), headers=[(name, value)])
    assert events[-1].type == "end"


@pytest.mark.parametrize("token", ["x", "%00", "a.b.c", "%ff", "." * 3000, "%ed%a0%80"])
def test_bad_token_is_no_token(site, token):
    assert wire.send(site.port, "GET", f"/tasks/{site.start('count')}?token={token}").status == 200


RAW = {
    "nonsense": b"hello\r\n\r\n",
    "bad version": b"GET / HTTP/9.9\r\n\r\n",
    "header without colon": b"GET /tasks/x HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
    "bad length": b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST /start-task HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "NUL in the path": b"GET /tasks/\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "UTF-8 in the path": "GET /tasks/\U0001f389 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "multipart": wire.encode_request(
        "POST", "/start-task", [("Content-Type", "multipart/form-data; boundary=x")], b"x"
    ),
    "absolute": b"GET http://127.0.0.1/tasks/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /tasks/x HTTP/1.1\r\n\r\n",
    "bad host": b"GET /tasks/x HTTP/1.1\r\nHost: \xff<>\r\n\r\n",
    "huge header": b"GET /tasks/x HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", RAW.values(), ids=RAW.keys())
def test_raw_nonsense_gets_a_refusal_or_a_closed_connection(site, request_bytes):
    with wire.Connection(site.port) as connection:
        try:
            connection.send(request_bytes)
            connection.socket.shutdown(wire.socket.SHUT_WR)
            received = connection.socket.recv(65536)
        except OSError as error:
            # Before `shutdown` a connection that was reset is one that is not connected.
            if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                raise
            received = b""
    assert received == b"" or received.split()[1].startswith(b"4"), received


def test_http_1_0_request_is_answered(site):
    assert wire.send_raw(site.port, b"GET /tasks/x HTTP/1.0\r\n\r\n").status == 404


def test_chunked_body_starts_a_task(site):
    body = json.dumps({"task": "count"}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = (
        b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert wire.send_raw(site.port, head + chunks).status == 202


def test_client_that_never_ends_its_body_does_no_harm(site):
    with wire.Connection(site.port) as connection:
        connection.send(b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert wire.send(site.port, "POST", "/start-task").status == 202
        connection.reset()
