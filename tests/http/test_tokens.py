"""POST /tasks/tokens: new tokens for those who may see the tasks anyway; and where no token ever appears."""

import logging
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient

from tasks_app import make_token
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.tokens import opens
from tests.support.answers import assert_problem
from tests.support.viewers import make_running, put, read_next

pytestmark = pytest.mark.django_db(transaction=True)

CSRF = "abcdefgh" * 4


async def log_in(name: str = "ann", **options: Any) -> tuple[AsyncClient, str]:
    """Return a client that is logged in as this user, and the user's key."""
    client = AsyncClient(**options)
    user, _ = await User.objects.aget_or_create(username=name)
    await client.aforce_login(user)
    return client, str(user.pk)


async def ask(client: AsyncClient, body: object, query: str = "", **headers: str) -> HttpResponse:
    return await client.post(f"/tasks/tokens{query}", body, content_type="application/json", headers=headers)


async def test_one_token_is_answered_for_all_tasks_that_the_caller_may_see():
    client, user = await log_in()
    put(make_running("t1", owner=user), make_running("t2"), make_running("t3", owner="another"))
    response = await ask(client, {"tasks": ["t3", "t2", "unknown", "t1", "t2"]})
    answer = response.json()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert {**answer, "token": ""} == {"token": "", "tasks": ["t2", "t1"], "max_age": 900}
    opened = [task_id for task_id in ("t1", "t2", "t3", "unknown") if opens(answer["token"], task_id)]
    assert opened == ["t1", "t2"]


async def test_token_opens_a_stream_of_its_tasks():
    client, user = await log_in()
    put(make_running("t1", owner=user), make_running("t2", owner=user))
    token = (await ask(client, {"tasks": ["t1", "t2"]})).json()["token"]
    response = await AsyncClient().get(f"/task-progress?task=t1&task=t2&token={token}")
    head = await read_next(response)
    response.close()
    assert (b"missing" in head, head.count(b"data: ")) == (False, 2)


async def test_hidden_and_unknown_tasks_are_answered_in_the_same_way():
    put(make_running("t1", owner="another"))
    hidden, unknown = [await ask(AsyncClient(), {"tasks": [task_id]}) for task_id in ("t1", "t2")]
    assert hidden.json() == unknown.json() == {"token": None, "tasks": [], "max_age": 900}
    assert hidden.headers.keys() == unknown.headers.keys()


@pytest.mark.parametrize("how", ["query", "header"])
async def test_token_does_not_renew_itself(how):
    put(make_running("t1", owner="another"))
    token = make_token("t1")
    query, headers = (f"?token={token}", {}) if how == "query" else ("", {"Authorization": f"Bearer {token}"})
    assert (await ask(AsyncClient(), {"tasks": ["t1"]}, query, **headers)).json()["tasks"] == []


class EvenPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return int(snapshot.task_id) % 2 == 0


async def test_policy_of_the_site_decides(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.EvenPolicy"}
    put(*[make_running(str(number)) for number in range(4)])
    answer = (await ask(AsyncClient(), {"tasks": ["0", "1", "2", "3"]})).json()
    assert answer["tasks"] == ["0", "2"]


async def test_answer_says_how_long_a_token_lasts(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "TOKEN_MAX_AGE": 60}
    assert (await ask(AsyncClient(), {"tasks": ["t1"]})).json()["max_age"] == 60


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "array of ids"),
        (b"[", "not JSON"),
        (b"[]", "JSON object"),
        (b"{}", "array of ids"),
        (b'{"tasks": "t1"}', "array of ids"),
        (b'{"tasks": ["t1", 1]}', "array of ids"),
        (b'{"tasks": [["t1"]]}', "array of ids"),
        (b'{"tasks": []}', "Name the tasks"),
        (b'{"tasks": ["t1"], "max_age": 9}', "max_age"),
    ],
)
async def test_malformed_body_answers_400(body, words):
    assert_problem(await ask(AsyncClient(), body), 400, words)


async def test_as_many_tasks_may_be_named_as_a_stream_may_have(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_TASKS_PER_STREAM": 2}
    assert (await ask(AsyncClient(), {"tasks": ["a", "b"]})).status_code == HTTPStatus.OK
    assert_problem(await ask(AsyncClient(), {"tasks": ["a", "b", "c"]}), 400, "at most 2")


@pytest.mark.parametrize("task_id", ["x" * 5000, "a\nb", "\x00", "é", "\ud800", ""])
async def test_odd_ids_are_unknown_tasks(task_id):
    assert (await ask(AsyncClient(), {"tasks": [task_id]})).json()["tasks"] == []


async def test_form_answers_415():
    response = await AsyncClient().post("/tasks/tokens", b"tasks=t1", content_type="application/x-www-form-urlencoded")
    assert_problem(response, 415, "application/json")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
async def test_other_methods_answer_405(method):
    response = await getattr(AsyncClient(), method)("/tasks/tokens")
    assert_problem(response, 405)
    assert response["Allow"] == "POST"


async def test_session_needs_the_token_against_forgery():
    client, _ = await log_in(enforce_csrf_checks=True)
    assert_problem(await ask(client, {"tasks": ["t1"]}), 403, "CSRF")
    client.cookies["csrftoken"] = CSRF
    assert (await ask(client, {"tasks": ["t1"]}, **{"X-CSRFToken": CSRF})).status_code == HTTPStatus.OK


async def test_cache_that_fails_answers_503(cache):
    cache.break_down("get", "get_many")
    assert_problem(await ask(AsyncClient(), {"tasks": ["t1"]}), 503)


@pytest.mark.parametrize(
    "place",
    ["/tasks/t1?", "/task-progress/t1?", "/task-progress?task=t1&", "/task-progress?", "/task-progress/t1?logs=x&"],
)
@pytest.mark.parametrize("failing", [[], ["get", "get_many"]], ids=["", "while the cache fails"])
async def test_no_token_appears_in_a_log(place, failing, cache, caplog):
    caplog.set_level(logging.DEBUG)
    put(make_running("t1", owner="another"))
    cache.break_down(*failing)
    for token in (make_token("t1"), make_token("t1", max_age=-1)):
        response = await AsyncClient().get(f"{place}token={token}", headers={"Authorization": f"Bearer {token}"})
        response.close()
        assert token not in caplog.text


TOO_MANY = "&".join(["token=x"] * 101)


@pytest.mark.parametrize("place", ["/tasks/{}?", "/task-progress/{}?", "/task-progress?task={}&"])
@pytest.mark.parametrize("task_id", ["hidden", "unknown"])
async def test_more_tokens_than_tasks_on_a_stream_answer_400_whatever_there_is(place, task_id):
    put(make_running("hidden", owner="7"))
    assert_problem(await AsyncClient().get(f"{place.format(task_id)}{TOO_MANY}"), 400, "101 tokens", "at most 100")


async def test_more_tokens_than_tasks_on_a_stream_cancel_nothing():
    put(make_running("t1"))
    assert_problem(await AsyncClient().post(f"/tasks/t1/cancel?{TOO_MANY}"), 400, "101 tokens")


async def test_as_many_tokens_as_tasks_on_a_stream_are_looked_at():
    put(make_running("hidden", owner="7"))
    tokens = "&".join(["token=x"] * 99 + [f"token={make_token('hidden')}"])
    assert (await AsyncClient().get(f"/tasks/hidden?{tokens}")).status_code == 200


async def test_no_token_of_too_many_is_looked_at(monkeypatch):
    put(make_running("t1"))
    looked_at = []
    monkeypatch.setattr("tasks_app.tokens._read_token", looked_at.append)
    await AsyncClient().get(f"/task-progress/t1?{TOO_MANY}")
    assert looked_at == []
