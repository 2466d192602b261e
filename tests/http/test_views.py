"""Streams, snapshots and cancel over HTTP: every status they answer, and with what."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import AsyncClient, Client

from tasks_app import get_snapshot, start
from tasks_app.http import problems
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.stream import Stream
from tasks_app.utils.clock import parse_time
from tests.support import jobs
from tests.support.answers import assert_problem, start_named
from tests.support.doubles import begin
from tests.support.viewers import (
    NOW,
    decode,
    find_states,
    has_no_viewers,
    make_cancel_url,
    make_running,
    put,
    read_events,
    read_next,
    read_rest,
    report,
    save_text,
    until,
)

ODD_IDS = {
    "unknown": "unknown",
    "long": "x" * 5000,
    "newline": "a%0Ab",
    "carriage return": "a%0Db",
    "null": "%00",
    "escape": "%1B[2J",
    "delete": "%7F",
    "space": "a%20b",
    "accent": "%C3%A9",
    "emoji": "%F0%9F%8E%89",
    "line separator": "%E2%80%A8",
    "not utf-8": "%FF",
    "dots": "..",
    "path": "..%2f..%2fetc%2fpasswd",
    "query": "a%3Fb",
    "html": "%3Cscript%3E",
    "percent": "%25",
    "beside": "t1:cancel",
}
RUNNING, ENDED = make_running("t1"), make_running("t1").succeeded({"rows": 3}, now=NOW)


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(enforce_csrf_checks=True)


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    """Whatever is answered, no stream is left open."""
    hub = get_hub()
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


# Any URL


@pytest.mark.parametrize("task_id", ODD_IDS.values(), ids=ODD_IDS)
@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("GET", "/task-progress/{}"),
        ("HEAD", "/task-progress/{}"),
        ("GET", "/tasks/{}"),
        ("HEAD", "/tasks/{}"),
        ("POST", "/tasks/{}/cancel"),
    ],
)
async def test_id_of_no_task_answers_404(client, method, place, task_id):
    put(RUNNING)
    get_store().request_cancel("t1")
    response = await client.generic(method, place.format(task_id))
    assert response.status_code == 404


@pytest.mark.parametrize("place", ["/task-progress/{}", "/tasks/{}", "/tasks/{}/cancel"])
async def test_404_names_the_id(client, place):
    method = "POST" if place.endswith("cancel") else "GET"
    response = await client.generic(method, place.format("unknown"))
    assert_problem(response, 404, "'unknown'")


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("/task-progress/t1", "GET, HEAD"),
        ("/task-progress?task=t1", "GET, HEAD"),
        ("/tasks/t1", "GET, HEAD"),
        ("/tasks/t1/cancel", "POST"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused_with_those_allowed(client, place, allowed, method):
    put(ENDED)
    response = await client.generic(method, place)
    response.close()
    assert (response.status_code == 405) == (method not in allowed)
    if response.status_code == 405:
        assert response["Allow"] == allowed
        if method != "HEAD":
            assert_problem(response, 405, method)


@pytest.mark.parametrize("place", ["/task-progress/t1", "/task-progress?task=t1", "/tasks/t1", "/tasks/t1/cancel"])
async def test_failing_cache_answers_503_with_retry_after(client, cache, caplog, place):
    put(RUNNING)
    cache.break_down()
    response = await client.generic("POST" if place.endswith("cancel") else "GET", place)
    assert_problem(response, 503)
    assert int(response["Retry-After"]) > 0
    assert "CacheDown" in caplog.text


@pytest.mark.parametrize("place", ["/tasks/t1", "/tasks/t1/cancel"])
async def test_garbage_in_the_cache_is_no_server_error(client, place):
    save_text("t1", "garbage")
    response = await client.generic("POST" if place.endswith("cancel") else "GET", place)
    assert response.status_code == 404


async def test_stream_of_garbage_answers_404(client):
    save_text("t1", "garbage")
    assert (await client.get("/task-progress/t1")).status_code == 404


# GET /task-progress/<id>


ANSWERS = {
    "204": ("get", "/task-progress/t1?last_event_id=3", {}),
    "stream": ("get", "/task-progress/t1", {}),
    "stream of many": ("get", "/task-progress?task=t1", {}),
    "stream head": ("head", "/task-progress/t1", {}),
    "snapshot": ("get", "/tasks/t1", {}),
    "304": ("get", "/tasks/t1", {"If-None-Match": "*"}),
    "problem": ("get", "/tasks/unknown", {}),
    "start": ("post", "/start-task", {}),
    "cancel": ("post", "/tasks/running/cancel", {}),
}


@pytest.mark.parametrize(("method", "place", "headers"), ANSWERS.values(), ids=ANSWERS)
async def test_no_cache_keeps_an_answer_for_others(client, method, place, headers):
    """One that has no Cache-Control is kept by a proxy with `proxy_cache_valid any`."""
    put(make_running().succeeded(now=NOW), make_running("running"))
    response = await getattr(client, method)(place, headers=headers)
    assert {"private", "no-store"} & set(response["Cache-Control"].split(", "))
    if response.streaming and method == "get":
        await read_rest(response)


async def test_stream_has_the_headers_of_a_stream(client):
    put(ENDED)
    response = await client.get("/task-progress/t1")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream"
    assert response["Cache-Control"] == "private, no-cache, no-transform"
    assert response["X-Accel-Buffering"] == "no"
    assert response["Content-Encoding"] == "identity"
    await read_rest(response)


async def test_stream_of_a_real_task_goes_from_queued_to_its_end(client, open_gate):
    task_id = await start_named(client, "wait")
    response = await client.get(f"/task-progress/{task_id}")
    chunks = [await read_next(response.streaming_content)]
    open_gate()
    events = decode(*chunks, await read_rest(response.streaming_content))
    states = find_states(events)
    assert states[-1] == "succeeded"
    assert states == sorted(states, key=["queued", "running", "succeeded"].index)
    assert [event.type for event in events if event.json()["state"] == "succeeded"] == ["message", "end"]


async def test_stream_of_an_ended_task_is_its_snapshot_and_the_end(client):
    put(ENDED)
    events = await read_events(await client.get("/task-progress/t1"))
    assert [(event.type, event.json()["result"]) for event in events] == [
        ("message", {"rows": 3}),
        ("end", {"rows": 3}),
    ]


@pytest.mark.parametrize("query", ["", "?logs=1", "?heartbeat=comment", "?heartbeat=event", "?unknown=1"])
async def test_options_of_a_stream_are_understood(client, query):
    put(ENDED)
    response = await client.get(f"/task-progress/t1{query}")
    assert [event.type for event in await read_events(response)] == ["message", "end"]


async def test_unknown_heartbeat_is_refused_with_those_allowed(client):
    put(RUNNING)
    response = await client.get("/task-progress/t1?heartbeat=loud")
    assert_problem(response, 400, "'loud'", "'comment'", "'event'")


@pytest.mark.parametrize("place", ["/task-progress/t1?", "/task-progress?task=t1&"])
@pytest.mark.parametrize(("query", "types"), [("logs=1", {"log"}), ("logs=0", set()), ("", set())])
async def test_log_is_for_those_who_ask(client, flusher, place, query, types):
    job = begin(flusher)
    job.progress.log("one")
    job.succeed()
    flusher.flush()
    events = await read_events(await client.get(place + query))
    assert {event.type for event in events} == {"message", "end"} | types


@pytest.mark.parametrize("place", ["/task-progress/t1?", "/task-progress?task=t1&"])
@pytest.mark.parametrize("value", ["", "2", "true", "yes", "%C3%A9"])
async def test_unknown_value_of_logs_is_refused_with_those_allowed(client, place, value):
    put(RUNNING)
    assert_problem(await client.get(f"{place}logs={value}"), 400, "'logs' is", "'0', '1'")


@pytest.mark.parametrize("place", ["/task-progress/t1", "/task-progress?task=t1"])
async def test_head_answers_the_headers_alone(client, place):
    put(RUNNING)
    response = await client.head(place)
    assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
    assert response["Cache-Control"] == "private, no-cache, no-transform"
    assert not get_hub().viewers


# Reconnecting


@pytest.mark.parametrize("how", ["header", "query", "header over query"])
async def test_client_that_has_the_end_is_answered_204(client, how):
    put(ENDED)
    query = {"header": "", "query": "?last_event_id=3", "header over query": "?last_event_id=1"}[how]
    headers = {} if how == "query" else {"Last-Event-ID": "3"}
    response = await client.get(f"/task-progress/t1{query}", headers=headers)
    assert (response.status_code, response.content) == (204, b"")


async def test_header_wins_over_the_query(client):
    put(ENDED)
    response = await client.get("/task-progress/t1?last_event_id=3", headers={"Last-Event-ID": "1"})
    assert len(await read_events(response)) == 2


@pytest.mark.parametrize(
    ("last_event_id", "status"), [("3.2", 204), ("3.1", 200), ("2.2", 200), ("3", 200), ("x", 200)]
)
async def test_client_that_has_the_end_and_every_line_is_answered_204(client, flusher, last_event_id, status):
    job = begin(flusher)
    job.progress.log("one\ntwo")
    job.succeed()
    flusher.flush()
    response = await client.get(f"/task-progress/t1?logs=1&last_event_id={last_event_id}")
    assert response.status_code == status
    response.close()


@pytest.mark.parametrize("last_event_id", ["3.0", "2", "", "x", "3-stalled", "end", "9" * 5000, "\xff"])
async def test_client_with_any_other_id_is_told_the_end(client, last_event_id):
    put(ENDED)
    response = await client.get("/task-progress/t1", headers={"Last-Event-ID": last_event_id})
    assert [event.type for event in await read_events(response)] == ["message", "end"]


async def test_client_that_has_the_current_snapshot_is_not_told_it_again(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "KEEPALIVE": 0.1}
    put(RUNNING)
    response = await client.get("/task-progress/t1", headers={"Last-Event-ID": "2"})
    first = await read_next(response.streaming_content)
    assert decode(first) == []
    put(RUNNING.succeeded(now=NOW))
    assert find_states(decode(await read_rest(response.streaming_content))) == ["succeeded"]


async def test_204_is_not_for_a_task_that_goes_on(client):
    put(RUNNING)
    response = await client.get("/task-progress/t1", headers={"Last-Event-ID": "2"})
    assert response.status_code == 200
    response.close()


# GET /task-progress?task=


async def test_multiplexed_stream_shows_all_and_ends(client):
    put(make_running("t1").succeeded(now=NOW), make_running("t2").failed("OSError", now=NOW))
    events = await read_events(await client.get("/task-progress?task=t1&task=t2&task=unknown&task=t1"))
    assert [(event.type, event.json().get("task_id")) for event in events] == [
        ("missing", "unknown"),
        ("message", "t1"),
        ("message", "t2"),
        ("end", None),
    ]
    assert events[-1].json()["states"] == {"succeeded": 1, "failed": 1, "missing": 1}


@pytest.mark.parametrize("query", ["", "?task", "?tasks=t1"])
async def test_multiplexed_stream_of_nothing(client, query):
    response = await client.get(f"/task-progress{query}")
    if query == "?task":
        assert [event.type for event in await read_events(response)] == ["missing", "end"]
    else:
        assert_problem(response, 400, "?task=<id>")


async def test_multiplexed_stream_of_too_many_is_refused(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_TASKS_PER_STREAM": 2}
    assert_problem(await client.get("/task-progress?task=a&task=b&task=c"), 400, "3", "2")
    assert (await client.head("/task-progress?task=a&task=b&task=a")).status_code == 200


async def test_strange_ids_are_missing_one_by_one(client):
    put(ENDED)
    query = "&".join(f"task={task_id}" for task_id in ODD_IDS.values())
    events = await read_events(await client.get(f"/task-progress?task=t1&{query}"))
    assert [event.type for event in events].count("missing") == len(ODD_IDS)
    assert find_states(events) == ["succeeded"]


@pytest.mark.parametrize("how", ["header", "query"])
async def test_client_that_has_the_end_of_all_is_answered_204(client, how):
    put(ENDED)
    query = "&last_event_id=end" if how == "query" else ""
    headers = {"Last-Event-ID": "end"} if how == "header" else {}
    response = await client.get(f"/task-progress?task=t1&task=unknown{query}", headers=headers)
    assert (response.status_code, response.content) == (204, b"")


async def test_end_of_others_is_not_the_end_of_these(client):
    put(RUNNING)
    response = await client.get("/task-progress?task=t1", headers={"Last-Event-ID": "end"})
    assert response.status_code == 200
    assert find_states(decode(await read_next(response.streaming_content))) == ["running"]
    response.close()


async def test_ids_of_single_events_do_not_confuse_a_multiplexed_stream(client):
    put(ENDED)
    response = await client.get("/task-progress?task=t1", headers={"Last-Event-ID": "3"})
    assert find_states(await read_events(response)) == ["succeeded"]


# Room


@pytest.mark.parametrize("place", ["/task-progress/t1", "/task-progress?task=t1"])
async def test_stream_over_max_streams_answers_503_with_retry_after(client, settings, place):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS": 2}
    put(RUNNING)
    streams = [await Stream.open(["t1"]) for _ in range(2)]
    response = await client.get(place)
    assert_problem(response, 503, "2 streams are open")
    assert int(response["Retry-After"]) > 0
    streams[0].close()
    hub = get_hub()
    await until(lambda: len(hub.viewers) == 1, "there is room again")
    assert (await client.head(place)).status_code == 200
    streams[1].close()


async def test_max_streams_holds_for_streams_that_open_at_once(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS": 5}
    put(RUNNING)
    responses = await asyncio.gather(*(client.get("/task-progress/t1") for _ in range(20)))
    statuses = [response.status_code for response in responses]
    for response in responses:
        response.close()
    assert (statuses.count(200), statuses.count(503)) == (5, 15)


# WSGI


@pytest.mark.parametrize("place", ["/task-progress/t1", "/task-progress?task=t1"])
def test_stream_under_wsgi_answers_501_and_names_the_fix(place):
    put(RUNNING)
    assert_problem(Client().get(place), 501, "daphne", "ASGI_APPLICATION")


def test_stream_under_wsgi_is_no_error_in_the_log_and_a_warning_once(caplog):
    problems._warn_once.cache_clear()  # a process says it once, whichever test comes first
    for _ in range(3):
        Client().get("/task-progress/t1")
    assert [(record.name, record.levelname) for record in caplog.records] == [("tasks_app", "WARNING")]


def test_snapshot_and_cancel_work_under_wsgi():
    put(RUNNING)
    assert Client().get("/tasks/t1").json()["state"] == "running"
    assert Client().post(make_cancel_url("t1")).status_code == 202


# GET /tasks/<id>


async def test_snapshot_is_that_of_the_stream(client):
    put(report(RUNNING, 42))
    response = await client.get("/tasks/t1")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response["Cache-Control"] == "private, no-cache"
    assert response.json() == json.loads(json.dumps(report(RUNNING, 42).to_wire()))


async def test_snapshot_keeps_what_is_private(client):
    put(make_running("t1", owner=None))
    assert not {"owner", "beat", "logged"} & (await client.get("/tasks/t1")).json().keys()


@pytest.mark.parametrize("condition", ['"2"', 'W/"2"', '"1", "2"', "*"])
async def test_snapshot_that_did_not_change_answers_304(client, condition):
    put(RUNNING)
    etag = (await client.get("/tasks/t1"))["ETag"]
    assert etag == '"2"'
    response = await client.get("/tasks/t1", headers={"If-None-Match": condition})
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"2"'}], ids=["whole", "not modified"])
async def test_snapshot_comes_with_the_time_of_the_server(client, headers):
    put(RUNNING)
    response = await client.get("/tasks/t1", headers=headers)
    assert parse_time(response["Server-Time"]) > datetime.now(UTC) - timedelta(seconds=60)


@pytest.mark.parametrize("condition", ['"1"', "2", "garbage", '"', "\xff"])
async def test_snapshot_that_changed_is_answered(client, condition):
    put(RUNNING)
    response = await client.get("/tasks/t1", headers={"If-None-Match": condition})
    assert (response.status_code, response.json()["seq"]) == (200, 2)


async def test_heartbeat_changes_no_etag(client):
    put(RUNNING)
    before = (await client.get("/tasks/t1"))["ETag"]
    put(RUNNING.beating())
    assert (await client.get("/tasks/t1"))["ETag"] == before


async def test_head_of_a_snapshot_has_its_headers_and_no_body(client):
    put(RUNNING)
    response = await client.head("/tasks/t1")
    assert (response.status_code, response["ETag"], response.content) == (200, '"2"', b"")


# POST /tasks/<id>/cancel


async def test_cancel_answers_202_and_the_task_stops(client):
    task_id = await start_named(client, "wait")
    await until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    response = await client.post(make_cancel_url(task_id))
    assert (response.status_code, response.json()) == (202, {"task_id": task_id, "cancel_requested": True})
    await until(lambda: get_snapshot(task_id).state == "cancelled", "the task stopped")


async def test_second_cancel_of_an_ended_task_answers_409(client):
    task_id = start(jobs.await_forever)
    await until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    assert (await client.post(make_cancel_url(task_id))).status_code == 202
    await until(lambda: get_snapshot(task_id).is_terminal, "the task stopped")
    assert_problem(await client.post(make_cancel_url(task_id)), 409, "ended")


@pytest.mark.parametrize("body", [b"", b"{}", b"garbage", b"x" * 100_000])
async def test_body_of_a_cancel_is_not_looked_at(client, body):
    put(RUNNING)
    response = await client.post(make_cancel_url("t1"), body, content_type="application/json")
    assert response.status_code == 202


async def test_cancel_of_a_queued_task_elsewhere_is_accepted(client):
    put(Snapshot.queued("t1", "demo", now=NOW))
    assert (await client.post(make_cancel_url("t1"))).status_code == 202
    assert get_store().find_cancelled(["t1"]) == {"t1"}


# Leaving


async def test_client_that_leaves_is_forgotten_and_the_task_goes_on(client, open_gate):
    task_id = await start_named(client, "wait")
    response = await client.get(f"/task-progress/{task_id}")
    await read_next(response.streaming_content)
    response.close()
    hub = get_hub()
    await until(lambda: not hub.viewers, "the stream was closed")
    open_gate()
    await until(lambda: get_snapshot(task_id).state == "succeeded", "the task succeeded")


async def test_request_cancelled_while_the_stream_opens_leaves_no_watch(client, cache):
    put(RUNNING)
    hub = get_hub()
    opening = asyncio.ensure_future(client.get("/task-progress/t1"))
    cache.after_read = opening.cancel
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: has_no_viewers(hub), "nothing is watched")
