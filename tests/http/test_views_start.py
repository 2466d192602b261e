"""`POST /start-task`: what starts a task, what is refused and how, and repeats that start nothing."""

import asyncio
import json
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks_app import cancel, get_snapshot
from tasks_app.lifecycle import compat
from tasks_app.reporting.process import get_flusher
from tests.support.answers import assert_problem, post_start
from tests.support.viewers import until
from tests.support.waiting import DEADLINE, wait_until

FIELDS = ["task_id", "task", "state", "progress_url", "status_url", "cancel_url", "token"]


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(enforce_csrf_checks=True)


async def run_to_end(task_id: str) -> None:
    await until(lambda: get_snapshot(task_id).is_terminal, "the task ended")


# Accepted


async def test_start_answers_202_with_where_to_follow_the_task(client):
    response = await post_start(client, {"task": "add", "kwargs": {"a": 1, "b": 2}})
    answer = response.json()
    task_id = answer["task_id"]
    assert (response.status_code, response["Content-Type"]) == (202, "application/json")
    assert list(answer) == FIELDS
    assert (answer["task"], answer["state"]) == ("add", "queued")
    assert answer["progress_url"] == f"/task-progress/{task_id}"
    assert response["Location"] == answer["status_url"] == f"/tasks/{task_id}"
    assert answer["cancel_url"] == f"/tasks/{task_id}/cancel"
    await run_to_end(task_id)
    assert (get_snapshot(task_id).result, get_snapshot(task_id).task) == (3, "add")


async def test_started_task_can_be_seen_when_the_answer_comes(client):
    task_id = (await post_start(client, {"task": "add", "kwargs": {"a": 1}})).json()["task_id"]
    assert (await client.get(f"/tasks/{task_id}")).status_code == 200
    await run_to_end(task_id)


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "application/json", "text/plain", "multipart/form-data", ""]
)
async def test_empty_body_of_any_type_starts_the_default_task(client, content_type):
    response = await post_start(client, content_type=content_type)
    assert (response.status_code, response.json()["task"]) == (202, "count")
    await run_to_end(response.json()["task_id"])


def read_body(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        request._body = request.read()  # as loggers of requests do
        return get_response(request)

    return middleware


def read_form(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.POST.get("name")
        return get_response(request)

    return middleware


@pytest.mark.parametrize("name", ["read_body", "read_form"])
async def test_body_that_a_middleware_has_read_names_the_task(settings, client, name):
    settings.MIDDLEWARE = [f"{__name__}.{name}"]
    response = await post_start(client, {"task": "add", "kwargs": {"a": 1}})
    assert (response.status_code, response.json()["task"]) == (202, "add")
    await run_to_end(response.json()["task_id"])


async def test_body_that_was_read_as_a_form_starts_nothing(settings, client):
    settings.MIDDLEWARE = [f"{__name__}.read_form"]
    assert_problem(await client.post("/start-task", {"task": "add"}), 400, "The body was read before, as a form")
    assert get_flusher().reporters == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kwargs": {"n": 5}},
        {"task": "count"},
        {"task": "count", "kwargs": {}},
        {"task": "greet", "kwargs": {"name": "\ud800"}},
    ],
)
async def test_members_may_be_left_out(client, body):
    response = await post_start(client, body)
    assert response.status_code == 202
    await run_to_end(response.json()["task_id"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_json_in_any_unicode_encoding_is_understood_or_refused(client, encoding):
    response = await post_start(client, '{"task": "greet", "kwargs": {"name": "Zoë"}}'.encode(encoding))
    assert response.status_code in (202, 400)
    if response.status_code == 202:
        await run_to_end(response.json()["task_id"])


async def test_charset_parameter_is_allowed(client):
    response = await post_start(client, {"task": "count"}, content_type="application/json; charset=utf-8")
    assert response.status_code == 202
    await run_to_end(response.json()["task_id"])


def test_start_works_under_wsgi():
    response = Client().post("/start-task", {"task": "add", "kwargs": {"a": 1}}, content_type="application/json")
    assert response.status_code == 202
    wait_until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")


async def test_failed_task_was_still_accepted(client):
    response = await post_start(client, {"task": "fail"})
    await run_to_end(response.json()["task_id"])
    assert (response.status_code, get_snapshot(response.json()["task_id"]).state) == (202, "failed")


# 400: what does not fit


async def test_unknown_task_is_named_with_those_that_are_known(client):
    response = await post_start(client, {"task": "nobody"})
    assert_problem(response, 400, "'nobody'", "['add', 'count', 'fail', 'greet', 'wait']")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tsak": "add"}, ["'tsak'", "['kwargs', 'task']"]),
        ({"task": "add", "args": [1]}, ["'args'", "['kwargs', 'task']"]),
        ({"task": 1}, ["'task'", "string", "1"]),
        ({"task": ["add"]}, ["'task'", "string", "['add']"]),
        ({"task": "add", "kwargs": [1]}, ["'kwargs'", "object", "[1]"]),
        ({"task": "add", "kwargs": None}, ["'kwargs'", "object", "None"]),
        ({"task": "add"}, ["'add'", "'a'"]),
        ({"task": "add", "kwargs": {"a": "1"}}, ["'a'", "int", "'1'"]),
        ({"task": "add", "kwargs": {"a": True}}, ["'a'", "int", "True"]),
        ({"task": "add", "kwargs": {"a": 1.0}}, ["'a'", "int", "1.0"]),
        ({"task": "add", "kwargs": {"a": 1, "c": 1}}, ["'c'", "['a', 'b']"]),
        ({"task": "count", "kwargs": {"self": 1}}, ["'self'"]),
    ],
)
async def test_member_that_does_not_fit_is_named(client, body, words):
    assert_problem(await post_start(client, body), 400, *words)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"null",
        b"[]",
        b'"add"',
        b"1",
        b"\xff\xfe",
        b'{"task": "\xff"}',
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b'{"task": "add", "kwargs": {"a": NaN}}',
        b'{"task": "add", "kwargs": {"a": Infinity}}',
        b'{"task": "add", "kwargs": {"a": -Infinity}}',
        b'{"task": "add", "kwargs": {"a": 1e999}}',
        b'{"task": "add", "kwargs": {"a": ' + b"9" * 5000 + b"}}",
        b'{"task": "add"} {"task": "add"}',
        b'{"task": "add", "kwargs": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b"\0",
        b" ",
    ],
    ids=range(18),
)
async def test_body_that_is_no_json_object_answers_400(client, body):
    assert_problem(await post_start(client, body), 400)


async def test_detail_does_not_repeat_all_that_a_client_sent(client):
    problem = assert_problem(await post_start(client, {"task": "x" * 60_000}), 400)
    assert len(problem["detail"]) < 1000


async def test_empty_body_without_default_task_is_refused(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "DEFAULT_TASK": None}
    assert_problem(await post_start(client), 400, "DEFAULT_TASK")


async def test_site_without_startable_tasks_starts_none(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "STARTABLE": {}, "DEFAULT_TASK": None}
    assert_problem(await post_start(client, {"task": "add"}), 400, "[]")


# 405, 413, 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
async def test_other_methods_are_refused_with_those_allowed(client, method):
    response = await client.generic(method, "/start-task")
    assert (response.status_code, response["Allow"]) == (405, "POST")


async def test_body_over_max_body_is_refused(client, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_BODY": 20}
    assert_problem(await post_start(client, b'{"task": "count"    }'), 413, "20")
    response = await post_start(client, b'{"task": "count"   }')
    assert response.status_code == 202
    await run_to_end(response.json()["task_id"])


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""]
)
async def test_body_of_another_type_is_refused(client, content_type):
    assert_problem(await post_start(client, {"task": "add"}, content_type=content_type), 415, "'application/json'")


# 503


async def test_full_queue_answers_503_with_retry_after(client, settings):
    settings.TASKS = {
        "default": {
            "BACKEND": "tasks_app.backends.InProcessBackend",
            "OPTIONS": {"max_workers": 1, "max_queue": 1},
        }
    }
    running = (await post_start(client, {"task": "wait"})).json()["task_id"]
    await until(lambda: get_snapshot(running).state == "running", "the first runs")
    waiting = (await post_start(client, {"task": "wait"})).json()["task_id"]
    response = await post_start(client, {"task": "wait"})
    assert_problem(response, 503, "1 tasks wait already; max_queue allows 1")
    assert int(response["Retry-After"]) > 0
    for task_id in (waiting, running):
        cancel(task_id)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "keyed"])
async def test_failing_cache_answers_503_and_starts_nothing(client, cache, headers):
    cache.break_down()
    response = await post_start(client, {"task": "wait"}, **headers)
    assert_problem(response, 503)
    assert int(response["Retry-After"]) > 0
    assert not get_flusher().reporters


async def test_cause_of_a_503_is_logged_and_not_told(client, cache, caplog):
    cache.break_down()
    response = await post_start(client, {"task": "wait"}, **{"Idempotency-Key": "k"})
    assert b"CacheDown" not in response.content
    assert "CacheDown" in caplog.text


# Idempotency-Key


async def test_repeat_answers_the_same_task_and_starts_no_other(client):
    body = {"task": "add", "kwargs": {"a": 1}}
    first = await post_start(client, body, **{"Idempotency-Key": "k"})
    second = await post_start(client, body, **{"Idempotency-Key": "k"})
    answers = [{**response.json(), "token": ""} for response in (first, second)]
    assert answers[0] == answers[1]
    assert (second.status_code, second["Location"]) == (202, first["Location"])
    await run_to_end(first.json()["task_id"])


async def test_many_repeats_at_once_start_one_task(client):
    responses = await asyncio.gather(
        *(post_start(client, {"task": "wait"}, **{"Idempotency-Key": "k"}) for _ in range(20))
    )
    started = {response.json()["task_id"] for response in responses if response.status_code == 202}
    assert {response.status_code for response in responses} <= {202, 409}
    assert len(started) == 1
    assert {reporter.task_id for reporter in get_flusher().reporters} == started
    cancel(started.pop())


async def test_other_body_with_the_same_key_is_a_conflict(client):
    first = await post_start(client, {"task": "add", "kwargs": {"a": 1}}, **{"Idempotency-Key": "k"})
    second = await post_start(client, {"task": "add", "kwargs": {"a": 2}}, **{"Idempotency-Key": "k"})
    assert_problem(second, 409, "another body")
    await run_to_end(first.json()["task_id"])


async def test_other_keys_start_other_tasks(client):
    responses = [await post_start(client, **{"Idempotency-Key": key}) for key in ("k", "K")]
    task_ids = {response.json()["task_id"] for response in responses}
    assert len(task_ids) == 2
    for task_id in task_ids:
        await run_to_end(task_id)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_key_of_bad_length_is_refused(client, key):
    assert_problem(await post_start(client, **{"Idempotency-Key": key}), 400, "255", str(len(key)))


async def test_refused_start_gives_its_key_back(client, settings):
    settings.TASKS = {
        "default": {
            "BACKEND": "tasks_app.backends.InProcessBackend",
            "OPTIONS": {"max_workers": 1, "max_queue": 1},
        }
    }
    running = (await post_start(client, {"task": "wait"})).json()["task_id"]
    await until(lambda: get_snapshot(running).state == "running", "the first runs")
    waiting = (await post_start(client, {"task": "wait"})).json()["task_id"]
    assert_problem(await post_start(client, {"task": "add", "kwargs": {"a": 1}}, **{"Idempotency-Key": "k"}), 503)
    cancel(waiting)
    response = await post_start(client, {"task": "add", "kwargs": {"a": 1}}, **{"Idempotency-Key": "k"})
    assert response.status_code == 202
    cancel(running)


@pytest.mark.django_db(transaction=True)
async def test_key_of_another_user_is_another_key():
    task_ids = set()
    for name in ("ann", "bob"):
        client = AsyncClient()
        await client.aforce_login(await User.objects.acreate(username=name))
        response = await post_start(client, **{"Idempotency-Key": "k"})
        task_ids.add(response.json()["task_id"])
        await run_to_end(response.json()["task_id"])
    assert len(task_ids) == 2


async def test_repeat_of_a_client_that_went_away_finds_what_it_started(client):
    """The connection broke before the answer: this is what the key is for."""
    entered, leave, started = threading.Event(), threading.Event(), []

    def receive(*, task_result, **kwargs) -> None:
        started.append(task_result.id)
        entered.set()
        leave.wait(DEADLINE)

    signals = next(compat.signal_modules())
    signals.task_enqueued.connect(receive)
    try:
        request = asyncio.ensure_future(post_start(client, **{"Idempotency-Key": "k"}))
        await until(entered.is_set, "the task is about to be enqueued")
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        leave.set()
        await until(lambda: get_snapshot(started[0]).is_terminal, "the task ended")
        response = await post_start(client, **{"Idempotency-Key": "k"})
        while response.status_code == 409:
            response = await post_start(client, **{"Idempotency-Key": "k"})
    finally:
        leave.set()
        signals.task_enqueued.disconnect(receive)
    assert started == [response.json()["task_id"]]


# Anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {},
        optional={
            "task": st.sampled_from(["add", "greet", "fail", "nobody"]) | json_values,
            "kwargs": st.dictionaries(st.sampled_from(["a", "b", "name", "message", "self"]), json_values)
            | json_values,
        },
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bodies, content_type=st.sampled_from(["application/json"] * 5 + ["text/plain", "application/octet-stream"])
)
def test_no_body_is_a_server_error(body, content_type):
    response = Client(raise_request_exception=False).post("/start-task", body, content_type=content_type)
    assert response.status_code in (202, 400, 413, 415, 503)
    if response.status_code == 202:
        assert list(response.json()) == FIELDS
    else:
        assert_problem(response, response.status_code)
