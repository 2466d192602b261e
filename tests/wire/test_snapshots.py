"""The wire contract, byte by byte, as a real Daphne process sends it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tasks_app.utils.json import mend_text
from tests.support import wire
from tests.support.wire_site import Site, run_site

FRAME = re.compile(rb"id: (?P<id>[^\n\r]+)\n(?:event: (?P<event>[a-z]+)\n)?data: (?P<data>\{[ -~]*\})\n\n")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site() as site:
        yield site


def read_raw(site: Site, target: str, headers: wire.Headers | None = None) -> wire.Response:
    return wire.send(site.port, "GET", target, headers)


def split_frames(body: bytes) -> tuple[int, list[re.Match[bytes]]]:
    """Return `retry` and the frames of a stream that has nothing else, to the last byte."""
    head = re.match(rb"retry: ([0-9]+)\n", body)
    assert head, body
    frames = list(FRAME.finditer(body))
    assert head[0] + b"".join(frame[0] for frame in frames) == body
    return int(head[1]), frames


def run_puppet(site: Site, name: str, *orders: dict[str, Any]) -> bytes:
    """Return the bytes of the stream of a puppet that was watched from before its first step to its end."""
    task_id = site.start_puppet(name)
    with site.open(task_id) as stream:
        for order in orders:
            site.order(name, **order)
            if "status" in order:
                stream.read_status(mend_text(order["status"]))
        stream.read_all()
        return stream.body


def test_stream_has_exactly_these_headers(site):
    head = read_raw(site, f"/task-progress/{site.start('count')}").head
    assert (head.version, head.status) == ("HTTP/1.1", 200)
    ours = {
        "content-type": "text/event-stream",
        "cache-control": "private, no-cache, no-transform",
        "x-accel-buffering": "no",
        "content-encoding": "identity",
    }
    django_and_daphne = {
        "transfer-encoding": "chunked",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "vary": "Cookie",  # who asks decides what may be seen
        "server": "daphne",
    }
    assert sorted(head.headers) == sorted({**ours, **django_and_daphne}.items())


def test_whole_stream_is_retry_snapshots_and_end_and_nothing_else(site):
    body = run_puppet(site, "whole", {"current": 1, "total": 2, "status": "half"}, {"return": {"n": 1}})
    retry, frames = split_frames(body)
    assert 1000 <= retry <= 3000
    assert b"\r" not in body
    assert [frame["event"] for frame in frames] == [None] * (len(frames) - 1) + [b"end"]
    assert len(frames) >= 3


def test_end_repeats_the_terminal_snapshot_under_the_same_id(site):
    _, frames = split_frames(run_puppet(site, "end", {"status": "x"}, {"return": 1}))
    assert frames[-1]["id"] == frames[-2]["id"]
    assert frames[-1]["data"] == frames[-2]["data"]


def test_terminal_snapshot_comes_once(site):
    _, frames = split_frames(run_puppet(site, "once", {"status": "x"}, {"return": 1}))
    states = [json.loads(frame["data"])["state"] for frame in frames if frame["event"] is None]
    assert states.count("succeeded") == 1


def test_snapshot_begins_with_progress_and_status_and_has_every_field(site):
    _, frames = split_frames(run_puppet(site, "fields", {"return": 1}))
    for frame in frames:
        snapshot = json.loads(frame["data"])
        assert list(snapshot)[:2] == ["progress", "status"]
        assert set(snapshot) == {
            *("task_id", "task", "state", "progress", "percent", "status", "current", "total", "unit"),
            *("rate", "eta", "expected"),
            *(
                "stages",
                "parent",
                "children",
                "attempt",
                "queue_position",
                "created_at",
                "started_at",
                "updated_at",
                "finished_at",
            ),
            *("cancel_requested", "stalled", "meta", "result", "error", "seq", "label"),
        }


def test_first_snapshot_comes_at_once(site):
    task_id = site.start_puppet("first")
    with site.open(task_id) as stream:
        first = stream.next()
        assert first.json()["task_id"] == task_id
        site.order_return("first")
        assert stream.read_all()[-1].type == "end"


def test_retry_differs_between_connections(site):
    task_id = site.start("count")
    retries = {split_frames(read_raw(site, f"/task-progress/{task_id}").body)[0] for _ in range(12)}
    assert len(retries) > 3
    assert all(1000 <= retry <= 3000 for retry in retries)


def test_progress_never_goes_back_and_is_100_only_on_success(site):
    orders = [
        *({"current": current, "total": 100, "status": f"at {current}"} for current in (10, 60, 30, 99, 100, 100.5)),
        {"total": 1000, "status": "more to do"},
        {"return": None},
    ]
    _, frames = split_frames(run_puppet(site, "climb", *orders))
    snapshots = [json.loads(frame["data"]) for frame in frames]
    progress = [snapshot["progress"] for snapshot in snapshots]
    assert progress == sorted(progress)
    assert {snapshot["state"] for snapshot in snapshots if snapshot["progress"] == 100} == {"succeeded"}
    assert max(snapshot["progress"] for snapshot in snapshots if snapshot["state"] == "running") == 99


def test_ids_differ_for_snapshots_that_differ(site):
    orders = [{"current": i, "total": 20, "status": f"step {i}"} for i in range(20)]
    _, frames = split_frames(run_puppet(site, "ids", *orders, {"return": None}))
    ids = [frame["id"] for frame in frames if frame["event"] is None]
    assert len(set(ids)) == len(ids) >= 20


def test_naive_client_that_stops_at_100_gets_there(site):
    task_id = site.start("count", n=3)
    seen = []
    for line in read_raw(site, f"/task-progress/{task_id}").body.decode().splitlines():
        if line.startswith("data: "):
            data = json.loads(line[len("data: ") :])
            seen.append((data["progress"], data["status"]))
            if data["progress"] == 100:
                break
    assert seen[-1] == (100, "Counting")


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_task_that_does_not_succeed_never_shows_100_and_its_stream_ends(site, end):
    task_id = site.start_puppet(end)
    with site.open(task_id) as stream:
        site.order(end, current=100, total=100, status="nearly")
        stream.read_status("nearly")
        if end == "failed":
            site.order_raise(end, "secret")
        else:
            site.cancel(task_id)
        last = stream.read_all()[-1]
        assert (last.type, last.json()["state"], last.json()["status"]) == ("end", end, "nearly")
        assert last.json()["progress"] == 99
        assert b'"progress":100' not in stream.body
        assert b"secret" not in stream.body


def test_async_task_is_cancelled_and_its_stream_ends(site):
    task_id = site.start("async_puppet")
    with site.open(task_id) as stream:
        stream.read_status("Waiting")
        site.cancel(task_id)
        assert stream.read_all()[-1].json()["state"] == "cancelled"


TEXTS = [
    "two\nlines",
    "cr\rand crlf\r\nand\n\nempty",
    'data: {"progress":100,"status":"fake"}\n\n',
    "event: end\ndata: {}\n\nid: 99\n",
    "\"quotes\" 'both' \\ and backslash",
    "emoji \U0001f389 and \u00e9",
    "line\u2028and\u2029paragraph\x85separators\x0b\x0c",
    "<script>alert(1)</script>&amp;",
    "nul \0 and \x1b[31m",
    "lone \ud800 surrogate",
    "x" * 500,
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_status_text_cannot_break_the_frame(site, text):
    name = f"text-{TEXTS.index(text)}"
    _, frames = split_frames(run_puppet(site, name, {"current": 1, "total": 2, "status": text}, {"return": text}))
    last = json.loads(frames[-1]["data"])
    assert (last["status"], last["result"]) == (mend_text(text), mend_text(text))


def test_status_over_500_characters_is_cut(site):
    name, text = "long", "\U0001f389" * 600
    site.order(name, status=text)
    site.order_return(name)
    assert site.read_all(site.start_puppet(name))[-1].json()["status"] == text[:500]


def test_result_over_its_limit_is_left_out_with_a_reason(site):
    site.order_return("big", "x" * 70_000)
    snapshot = site.read_all(site.start_puppet("big"))[-1].json()
    assert snapshot["result"] is None
    assert "65536" in snapshot["result_omitted"]


def test_head_answers_the_headers_alone_and_leaves_no_stream(site):
    task_id = site.start_puppet("head")
    head_of_get = None
    with site.open(task_id) as stream:
        head_of_get = stream.head
    with wire.Connection(site.port) as connection:
        connection.send(wire.encode_request("HEAD", f"/task-progress/{task_id}"))
        head = connection.read_head()
        # The next response on the same connection follows the headers directly.
        connection.send(wire.encode_request("GET", f"/tasks/{task_id}"))
        assert connection.read_head().status == 200
    assert head.status == 200
    left_out = {("transfer-encoding", "chunked")}
    assert set(head.headers) - left_out == set(head_of_get.headers) - left_out
    site.wait_until_free()
    site.order_return("head")


def test_http_1_0_stream_ends_with_the_connection(site):
    task_id = site.start("count")
    request = f"GET /task-progress/{task_id} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()
    response = wire.send_raw(site.port, request)
    assert response.head.get("transfer-encoding") is None
    _, frames = split_frames(response.body)
    assert frames[-1]["event"] == b"end"


def test_connection_serves_the_next_request_after_a_stream(site):
    task_id = site.start("count")
    with site.open(task_id) as stream:
        stream.read_all()
        stream.send(wire.encode_request("GET", f"/tasks/{task_id}"))
        assert stream.read_head().status == 200


def test_snapshot_answers_304_to_its_own_etag(site):
    task_id = site.start("count")
    site.wait_for(task_id, "succeeded")
    first = wire.send(site.port, "GET", f"/tasks/{task_id}")
    again = wire.send(site.port, "GET", f"/tasks/{task_id}", [("If-None-Match", first.head.get("etag"))])
    assert (first.status, again.status, again.body) == (200, 304, b"")


def test_many_tasks_share_one_stream_that_ends_with_the_last_of_them(site):
    names = [f"many-{number}" for number in range(50)]
    task_ids = [site.start_puppet(name) for name in names]
    query = "&".join(f"task={task_id}" for task_id in [*task_ids[:25], "no-such", *task_ids[25:], task_ids[0]])
    with wire.EventStream(site.port, f"/task-progress?{query}") as stream:
        first = [stream.next() for _ in range(51)]
        assert {event.json()["task_id"] for event in first} == {*task_ids, "no-such"}
        assert [event.json() for event in first if event.type == "missing"] == [{"task_id": "no-such"}]
        for name in names[1:]:
            site.order_return(name)
        site.order_raise(names[0], "broke")
        *events, end = stream.read_all()
    terminal = [event.json() for event in events if event.json()["state"] in ("succeeded", "failed")]
    assert sorted(snapshot["task_id"] for snapshot in terminal) == sorted(task_ids)
    assert (end.type, end.id) == ("end", "end")
    assert end.json()["states"] == {"missing": 1, "succeeded": 49, "failed": 1}
    assert end.json()["progress"] < 100
    again = read_raw(site, f"/task-progress?{query}", [("Last-Event-ID", "end")])
    assert (again.status, again.body) == (204, b"")


def test_last_event_id_end_counts_for_nothing_while_a_task_runs(site):
    ended, running = site.start("count"), site.start_puppet("still")
    site.wait_for(ended, "succeeded")
    target = f"/task-progress?task={ended}&task={running}"
    with wire.EventStream(site.port, target, [("Last-Event-ID", "end")]) as stream:
        assert {stream.next().json()["task_id"], stream.next().json()["task_id"]} == {ended, running}
        site.order_return("still")
        assert stream.read_all()[-1].id == "end"


def test_query_may_carry_the_last_event_id_of_many_tasks(site):
    task_id = site.start("count")
    site.wait_for(task_id, "succeeded")
    assert read_raw(site, f"/task-progress?task={task_id}&last_event_id=end").status == 204


@pytest.mark.parametrize("heartbeat", ["comment", "event"])
def test_idle_stream_shows_that_it_lives(heartbeat):
    with run_site(KEEPALIVE=0.1) as site:
        task_id = site.start_puppet("quiet")
        with site.open(task_id, query=f"?heartbeat={heartbeat}") as stream:
            stream.read_until(lambda event: event.json().get("state") == "running")
            sign = {"comment": b": keep-alive\n", "event": b"event: heartbeat\ndata: {}\n\n"}[heartbeat]
            while stream.body.count(sign) < 3:
                stream.body += stream.read_some()
            snapshots, _, signs = stream.body.partition(sign)
            assert signs.replace(sign, b"") == b""
            assert snapshots.startswith(b"retry: ")
            site.order_return("quiet")
            assert stream.read_all()[-1].type == "end"
