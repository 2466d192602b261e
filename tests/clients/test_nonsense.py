"""What the scripts do where another server than the app answers, or one that is broken."""

import asyncio
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from common.lines import Lines
from common.messages import read_event, read_start
from common.reconnection import Interrupted, Reconnection, TaskError

from clients import client, sse_client
from tests.support.scripts import SCRIPTS, SOON, SUCCEEDED, get_only_line, in_turn, run_script, serve, stream

STARTS = {
    "no object": b"[1]",
    "null": b"null",
    "no JSON": b"<!doctype html>",
    "half": b'{"task_id": "t1"',
    "no id": b'{"progress_url": "/task-progress/t1"}',
    "no URL": b'{"task_id": "t1"}',
    "number": b'{"task_id": 5, "progress_url": "/task-progress/5"}',
    "no UTF-8": b'{"task_id": "\xe9"}',
    "deep": b"[" * 100_000,
}

SNAPSHOT: dict[str, Any] = {"progress": 42, "status": "Working", "state": "running"}

#: The data of events that are no snapshot.
NONSENSE = {
    "text": "hello",
    "list": "[1]",
    "number": "5",
    "no number": '{"progress": NaN, "status": "x", "state": "running"}',
    "too many digits": f'{{"progress": {"9" * 5000}, "status": "x", "state": "running"}}',
    "deep": "[" * 100_000,
    "no state": '{"progress": 5, "status": "x"}',
    "no status": json.dumps(SNAPSHOT | {"status": None}),
}

ODD: list[Any] = [[], {}, "x", 5, True, 1e308, {"type": 5, "message": []}, "2026-01-01T00:00:00", "\x1b[31m"]


@pytest.mark.parametrize("body", STARTS.values(), ids=STARTS)
def test_answer_that_names_no_task_is_said(body: bytes):
    with pytest.raises(TaskError, match="POST http://a/start-task answered 202, but names no task"):
        read_start(body, "http://a/start-task")


def test_answer_with_a_mark_of_its_byte_order_names_a_task():
    body = b'\xef\xbb\xbf{"task_id": "t1", "progress_url": "/task-progress/t1"}'
    assert read_start(body, "http://a/start-task") == ("t1", "http://a/task-progress/t1")


@pytest.mark.parametrize("text", NONSENSE.values(), ids=NONSENSE)
def test_message_that_is_no_snapshot_is_refused(text: str):
    with pytest.raises(Interrupted, match="the server sent what is no event of the app"):
        read_event("message", text)


@pytest.mark.parametrize("lines", [None, 5, [3], [{"t": None, "level": "info", "text": "x"}], [{}]], ids=repr)
def test_log_without_lines_is_refused(lines: Any):
    with pytest.raises(Interrupted):
        read_event("log", json.dumps({"lines": lines}))


@pytest.mark.parametrize("name", ["label", "task", "unit", "conclusion", "error", "eta", "started_at", "current"])
@pytest.mark.parametrize("state", ["running", "succeeded", "failed", "paused"])
def test_field_of_another_type_is_left_out(name: str, state: str):
    whole = {"unit": "rows", "current": 5, "total": 9, "finished_at": "2026-01-01T00:00:00Z"}
    for value in ODD:
        display = Lines([""], StringIO())
        display.rows[0].show(read_event("message", json.dumps(whole | SNAPSHOT | {"state": state, name: value})))


def follow_with_aiohttp(url: str, reconnection: Reconnection) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        async with client.open_session() as session:
            return [snapshot async for snapshot in client.follow(session, url, reconnection)]

    return asyncio.run(collect())


def follow_with_requests(url: str, reconnection: Reconnection) -> list[dict[str, Any]]:
    return list(sse_client.follow(url, 0.001, reconnection))


followers = pytest.mark.parametrize("follow", [follow_with_aiohttp, follow_with_requests])


@followers
def test_stream_that_makes_sense_again_is_followed(follow: Callable[..., Any]):
    with serve(in_turn(stream(SOON, b"data: hello\n\n"), stream(SUCCEEDED))) as server:
        assert [snapshot["progress"] for snapshot in follow(server.url, Reconnection())] == [100]


@followers
def test_stream_that_makes_no_sense_is_given_up(follow: Callable[..., Any]):
    """Bytes that come show that some server is there, not that it is the right one."""
    with serve(lambda request: stream(SOON, b"data: hello\n\n")) as server, pytest.raises(TaskError) as error:
        follow(server.url, Reconnection(timeout=0.5))
    reason = "the server sent what is no event of the app: 'hello'"
    assert str(error.value).endswith(f"gave up after 0.5 s of reconnecting: {reason}")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_that_meets_nonsense_says_so_in_a_line(script: str):
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{}"
    with serve(lambda request: accepted) as server:
        done = run_script(script, "--url", server.url)
    assert done.returncode == 3
    assert get_only_line(done.stderr) == f"POST {server.url}/start-task answered 202, but names no task: '{{}}'"
