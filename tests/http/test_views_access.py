"""Who may do what over HTTP: sessions, CSRF, owners, tokens and policies."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import AsyncClient

from tasks_app import get_snapshot, make_token
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.response import EventStreamResponse
from tasks_app.tokens import gives_control
from tests.support.answers import assert_problem, post_start
from tests.support.viewers import (
    NOW,
    find_states,
    has_no_viewers,
    make_cancel_url,
    make_running,
    put,
    read_events,
    read_next,
    read_rest,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CSRF = "abcdefgh" * 4


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    """Whoever is refused leaves no stream open."""
    hub = get_hub()
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


async def log_in(name: str | None, **options: Any) -> AsyncClient:
    """Return a client that is logged in as this user; None is nobody."""
    client = AsyncClient(**options)
    if name is not None:
        flags = dict.fromkeys(("is_staff", "is_superuser"), name == "staff")
        user, _ = await User.objects.aget_or_create(username=name, **flags)
        await client.aforce_login(user)
    return client


async def put_task_of(name: str, task_id: str = "t1") -> Snapshot:
    """Store an ended task that belongs to this user."""
    user, _ = await User.objects.aget_or_create(username=name)
    snapshot = make_running(task_id, owner=str(user.pk)).succeeded({"secret": "of its owner"}, now=NOW)
    put(snapshot)
    return snapshot


def use_policy(settings: Any, policy: type) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}


# Starting


@pytest.fixture
def closed(settings) -> None:
    """The default: who is not logged in starts nothing."""
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False}


async def test_anonymous_start_is_refused_by_default(closed):
    response = await post_start(AsyncClient(), {"task": "add", "kwargs": {"a": 1}})
    assert_problem(response, 401, "Log in")
    assert response.has_header("WWW-Authenticate")


@pytest.mark.parametrize("name", ["add", "nobody", "", "x" * 5000, "\ud800"])
async def test_who_may_start_nothing_learns_no_names(closed, name):
    known = await post_start(AsyncClient(), {"task": "add", "kwargs": {"a": 1}})
    response = await post_start(AsyncClient(), {"task": name})
    assert (response.status_code, response.content) == (401, known.content)


async def test_who_may_start_nothing_learns_no_arguments(closed):
    response = await post_start(AsyncClient(), {"task": "add", "kwargs": {"bad": 1}})
    assert b"'a'" not in response.content
    assert response.status_code == 401


async def test_who_is_logged_in_starts_and_owns_the_task(closed):
    client = await log_in("ann")
    response = await post_start(client)
    assert response.status_code == 202
    task_id = response.json()["task_id"]
    await until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    assert get_snapshot(task_id).owner == str((await User.objects.aget(username="ann")).pk)


class NoAddPolicy(Policy):
    def can_start(self, request: HttpRequest, name: str) -> bool:
        return name != "add"


@pytest.mark.parametrize("name", ["ann", None])
async def test_task_that_the_policy_refuses_is_as_unknown_as_one_that_never_was(settings, name):
    use_policy(settings, NoAddPolicy)
    client = await log_in(name)
    hidden, unknown = [await post_start(client, {"task": task, "kwargs": {"a": 1}}) for task in ("add", "odd")]
    assert_problem(hidden, 400, "Unknown task 'add'")
    assert (unknown.status_code, unknown.content.replace(b"'odd'", b"'add'")) == (400, hidden.content)


class NothingPolicy(Policy):
    def can_start(self, request: HttpRequest, name: str) -> bool:
        return False


@pytest.mark.parametrize(("name", "status"), [("ann", 403), (None, 401)])
async def test_who_may_start_nothing_is_refused_in_one_way(settings, name, status):
    use_policy(settings, NothingPolicy)
    client = await log_in(name)
    answers = [await post_start(client, {"task": task}) for task in ("add", "odd")]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].content == answers[1].content


async def test_unknown_name_is_told_with_those_that_the_caller_may_start(settings):
    use_policy(settings, NoAddPolicy)
    response = await post_start(await log_in("ann"), {"task": "nobody"})
    assert_problem(response, 400, "['count', 'fail', 'greet', 'wait']")


# CSRF


class NoClientPolicy(Policy):
    def identify(self, request: HttpRequest) -> Any:
        raise ((Http404 if request.GET.get("why") == "missing" else PermissionDenied)("no customer"))


@pytest.mark.parametrize(("why", "status"), [("missing", 404), ("refused", 403)])
async def test_refusal_by_code_of_the_site_is_a_problem(settings, why, status):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.NoClientPolicy"}
    response = await AsyncClient().post(f"/start-task?why={why}", {"task": "add"}, content_type="application/json")
    assert "customer" not in assert_problem(response, status)["detail"]


async def test_script_without_cookies_needs_no_csrf_token():
    put(make_running())
    client = AsyncClient(enforce_csrf_checks=True)
    assert (await client.post(make_cancel_url("t1"))).status_code == 202
    response = await post_start(client)
    assert response.status_code == 202
    await until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")


@pytest.mark.parametrize("place", ["/start-task", "/tasks/t1/cancel"])
async def test_session_cookie_without_csrf_token_answers_403(place):
    await put_task_of("ann")
    client = await log_in("ann", enforce_csrf_checks=True)
    assert_problem(await client.post(place, content_type="application/json"), 403, "CSRF")
    assert get_store().find_cancelled(["t1"]) == set()


@pytest.mark.parametrize("place", ["/start-task", "/tasks/t1/cancel"])
async def test_any_session_cookie_asks_for_a_csrf_token(place):
    put(make_running())
    client = AsyncClient(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "of nobody"
    assert_problem(await client.post(place, content_type="application/json"), 403, "CSRF")


async def post_with_token(client: AsyncClient, place: str, token: str, **headers: str) -> HttpResponse:
    client.cookies["csrftoken"] = CSRF
    return await client.post(place, content_type="application/json", headers={"X-CSRFToken": token, **headers})


async def test_session_cookie_with_csrf_token_is_accepted():
    client = await log_in("ann", enforce_csrf_checks=True)
    response = await post_with_token(client, "/start-task", CSRF)
    assert response.status_code == 202
    await until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")


async def test_cancel_with_csrf_token_is_accepted():
    user = await User.objects.acreate(username="ann")
    put(make_running(owner=str(user.pk)))
    client = await log_in("ann", enforce_csrf_checks=True)
    assert (await post_with_token(client, "/tasks/t1/cancel", CSRF)).status_code == 202


@pytest.mark.parametrize("token", ["", "b" * 32, "short", "ab" * 32, "\xff"])
async def test_wrong_csrf_token_answers_403(token):
    client = await log_in("ann", enforce_csrf_checks=True)
    assert_problem(await post_with_token(client, "/start-task", token), 403, "CSRF")


async def test_right_csrf_token_from_another_origin_answers_403():
    client = await log_in("ann", enforce_csrf_checks=True)
    response = await post_with_token(client, "/start-task", CSRF, Origin="https://evil.example")
    assert_problem(response, 403, "CSRF", "evil.example")


async def test_csrf_token_in_the_session_is_accepted(settings):
    settings.CSRF_USE_SESSIONS = True
    client = await log_in("ann", enforce_csrf_checks=True)
    session = await client.asession()
    await session.aset("_csrftoken", CSRF)
    await session.asave()
    response = await client.post("/start-task", content_type="application/json", headers={"X-CSRFToken": CSRF})
    assert response.status_code == 202
    await until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")
    assert_problem(await client.post("/start-task", content_type="application/json"), 403, "CSRF")


async def test_cookies_that_say_nothing_of_the_caller_need_no_token():
    client = AsyncClient(enforce_csrf_checks=True)
    client.cookies["theme"] = "dark"
    response = await post_start(client)
    assert response.status_code == 202
    await until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")


async def test_reading_needs_no_csrf_token():
    await put_task_of("ann")
    client = await log_in("ann", enforce_csrf_checks=True)
    assert (await client.get("/tasks/t1")).status_code == 200


# Owners

PLACES = {
    "stream": ("GET", "/task-progress/{}"),
    "stream head": ("HEAD", "/task-progress/{}"),
    "snapshot": ("GET", "/tasks/{}"),
    "snapshot head": ("HEAD", "/tasks/{}"),
    "cancel": ("POST", "/tasks/{}/cancel"),
}


@pytest.mark.parametrize("name", ["bob", None])
@pytest.mark.parametrize(("method", "place"), PLACES.values(), ids=PLACES)
async def test_task_of_another_is_as_unknown_as_one_that_never_was(name, method, place):
    await put_task_of("ann", "theirs")
    client = await log_in(name)
    hidden = await client.generic(method, place.format("theirs"))
    unknown = await client.generic(method, place.format("nobody"))
    assert hidden.status_code == unknown.status_code == HTTPStatus.NOT_FOUND
    assert hidden.content.replace(b"theirs", b"nobody") == unknown.content
    assert {**hidden.headers, "Content-Length": ""} == {**unknown.headers, "Content-Length": ""}
    assert get_store().find_cancelled(["theirs"]) == set()


@pytest.mark.parametrize("name", ["bob", None])
async def test_task_of_another_is_missing_among_many(name):
    await put_task_of("ann", "theirs")
    put(make_running("t1").succeeded(now=NOW))
    client = await log_in(name)
    content = await read_rest(await client.get("/task-progress?task=theirs&task=t1&task=nobody"))
    assert content.count(b"theirs") == content.count(b"nobody") == 1
    assert b"of its owner" not in content


@pytest.mark.parametrize("name", ["ann", "staff"])
@pytest.mark.parametrize(
    ("method", "place", "status"),
    [
        ("GET", "/task-progress/t1", 200),
        ("GET", "/tasks/t1", 200),
        ("POST", "/tasks/t1/cancel", 409),
    ],
    ids=["stream", "snapshot", "cancel"],
)
async def test_owner_and_staff_see_and_cancel(name, method, place, status):
    await put_task_of("ann")
    response = await (await log_in(name)).generic(method, place)
    assert response.status_code == status
    if response.streaming:
        await read_rest(response)


async def test_owner_sees_the_task_among_many():
    await put_task_of("ann")
    events = await read_events(await (await log_in("ann")).get("/task-progress?task=t1"))
    assert events[0].json()["result"] == {"secret": "of its owner"}


async def test_user_who_was_deactivated_sees_nothing():
    await put_task_of("ann")
    client = await log_in("ann")
    await User.objects.filter(username="ann").aupdate(is_active=False)
    assert (await client.get("/tasks/t1")).status_code == 404


async def test_user_who_logged_out_sees_nothing():
    await put_task_of("ann")
    client = await log_in("ann")
    await client.alogout()
    assert (await client.get("/tasks/t1")).status_code == 404


async def test_task_without_owner_is_seen_by_who_knows_its_id():
    put(make_running().succeeded(now=NOW))
    assert (await AsyncClient().get("/tasks/t1")).status_code == 200


async def test_site_without_authentication_has_tasks_without_owner(settings):
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    put(make_running().succeeded(now=NOW))
    await put_task_of("ann", "theirs")
    client = AsyncClient()
    statuses = [(await client.get(f"/tasks/{task_id}")).status_code for task_id in ("t1", "theirs")]
    assert statuses == [200, 404]


# Tokens


@pytest.mark.parametrize("place", ["/task-progress/t1", "/tasks/t1", "/task-progress?task=t1"])
@pytest.mark.parametrize("how", ["query", "header"])
async def test_token_shows_its_task_to_anybody(place, how):
    await put_task_of("ann")
    token = make_token("t1")
    joint = "&" if "?" in place else "?"
    url = f"{place}{joint}token={token}" if how == "query" else place
    headers = {"Authorization": f"Bearer {token}"} if how == "header" else {}
    response = await AsyncClient().get(url, headers=headers)
    content = await read_rest(response) if response.streaming else response.content
    assert b"of its owner" in content


@pytest.mark.parametrize("how", ["query", "header"])
async def test_token_does_not_cancel(how):
    user = await User.objects.acreate(username="ann")
    put(make_running(owner=str(user.pk)))
    token = make_token("t1")
    query, headers = (f"?token={token}", {}) if how == "query" else ("", {"Authorization": f"Bearer {token}"})
    response = await AsyncClient().post(f"/tasks/t1/cancel{query}", headers=headers)
    assert_problem(response, 401)
    assert get_store().find_cancelled(["t1"]) == set()


async def test_token_does_not_start(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False}
    response = await post_start(AsyncClient(), Authorization=f"Bearer {make_token('t1')}")
    assert_problem(response, 401)


@pytest.mark.parametrize("place", ["/task-progress/t1", "/tasks/t1"])
@pytest.mark.parametrize("kind", ["expired", "of another task", "changed", "garbage", "empty"])
async def test_bad_token_shows_nothing(place, kind):
    await put_task_of("ann")
    token = {
        "expired": make_token("t1", max_age=-1),
        "of another task": make_token("t2"),
        "changed": make_token("t1")[:-1],
        "garbage": "a:b:c",
        "empty": "",
    }[kind]
    assert_problem(await AsyncClient().get(f"{place}?token={token}"), 404)
    assert_problem(await AsyncClient().get(place, headers={"Authorization": f"Bearer {token}"}), 404)


async def test_token_shows_no_other_task_of_a_multiplexed_stream():
    await put_task_of("ann", "t1")
    await put_task_of("ann", "t2")
    events = await read_events(await AsyncClient().get(f"/task-progress?task=t1&task=t2&token={make_token('t1')}"))
    assert [(event.type, event.json().get("task_id")) for event in events[:2]] == [
        ("missing", "t2"),
        ("message", "t1"),
    ]


#: Seconds for which the tokens that expire here last at the most.
LONGEST = 0.3


@pytest.mark.parametrize("place", ["/task-progress/t1?", "/task-progress?task=t1&"])
async def test_stream_ends_with_the_token_that_opened_it(place):
    put(make_running(owner="7"))
    response = await AsyncClient().get(f"{place}token={make_token('t1', max_age=LONGEST)}")
    assert find_states(await read_events(response)) == ["running", "running"]


async def test_stream_ends_with_the_last_token_of_a_task():
    put(make_running(owner="7"))
    tokens = "&".join(f"token={make_token('t1', max_age=age)}" for age in (0.1, 3600))
    stream = await open_stream(AsyncClient(), f"/task-progress/t1?{tokens}")
    await assert_goes_on(stream)


async def test_stream_ends_with_the_first_token_by_which_a_task_is_seen():
    put(make_running("t1", owner="7"), make_running("t2", owner="7"))
    tokens = f"token={make_token('t1', max_age=LONGEST)}&token={make_token('t2')}"
    response = await AsyncClient().get(f"/task-progress?task=t1&task=t2&{tokens}")
    assert len(await read_events(response)) == 3


@pytest.mark.parametrize("max_age", [-1, None], ids=["expired", "of another task"])
async def test_stream_that_the_policy_allows_does_not_end_with_a_token_that_opened_nothing(max_age):
    client = await log_in("ann")
    put(make_running(owner=str((await User.objects.aget(username="ann")).pk)))
    token = make_token("t1", max_age=-1) if max_age else make_token("t2", max_age=0.1)
    await assert_goes_on(await open_stream(client, f"/task-progress/t1?token={token}"))


async def test_stream_that_the_policy_allows_ends_when_a_new_token_would(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "TOKEN_MAX_AGE": 1}
    client = await log_in("ann")
    put(make_running(owner=str((await User.objects.aget(username="ann")).pk)))
    assert len(await read_events(await client.get("/task-progress/t1"))) == 2


async def test_who_comes_back_with_a_token_that_has_expired_is_judged_by_the_policy():
    client = await log_in("ann")
    put(make_running(owner=str((await User.objects.aget(username="ann")).pk)))
    url = f"/task-progress/t1?token={make_token('t1', max_age=LONGEST)}"
    assert len(await read_events(await client.get(url))) == 2
    await assert_goes_on(await open_stream(client, url))


async def open_stream(client: AsyncClient, url: str) -> EventStreamResponse:
    response = await client.get(url)
    assert response.status_code == 200
    await read_next(response)
    return response


async def assert_goes_on(response: EventStreamResponse) -> None:
    """A stream sends nothing, and does not end, until the token of a later one has expired; then it is closed."""
    waiting = asyncio.ensure_future(anext(aiter(response)))
    token = make_token("t1", max_age=LONGEST)
    await read_rest(await AsyncClient().get(f"/task-progress/t1?token={token}"))
    assert not waiting.done()
    waiting.cancel()
    response.close()


async def test_token_of_the_start_answer_shows_the_task():
    client = await log_in("ann")
    answer = (await post_start(client)).json()
    await until(lambda: get_snapshot(answer["task_id"]).is_terminal, "the task ended")
    assert (await AsyncClient().get(answer["status_url"])).status_code == 404
    assert (await AsyncClient().get(f"{answer['status_url']}?token={answer['token']}")).status_code == 200


# Policies


class HidingPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        if snapshot.task.endswith("fail"):
            raise RuntimeError("the policy broke")
        return snapshot.task.endswith("greet")


@pytest.mark.parametrize(
    ("name", "task", "is_visible"),
    [("ann", "count", False), (None, "count", False), ("ann", "fail", False), ("ann", "greet", True)],
)
async def test_start_answer_has_a_token_only_if_the_policy_shows_the_task(settings, name, task, is_visible):
    use_policy(settings, HidingPolicy)
    response = await post_start(await log_in(name), {"task": task})
    answer = response.json()
    assert (response.status_code, answer["token"] is not None) == (202, is_visible)
    await until(lambda: get_snapshot(answer["task_id"]).is_terminal, "the task ended")


class DatabasePolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return User.objects.filter(username=snapshot.task_id).exists()

    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return User.objects.filter(username="judge").exists()


class AsyncPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        await asyncio.sleep(0)
        return await User.objects.filter(username=snapshot.task_id).aexists()

    async def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return await User.objects.filter(username="judge").aexists()


@pytest.mark.parametrize("policy", [DatabasePolicy, AsyncPolicy])
async def test_policy_that_asks_the_database_decides_who_sees(settings, policy):
    use_policy(settings, policy)
    put(make_running("ann").succeeded(now=NOW), make_running("bob").succeeded(now=NOW))
    await User.objects.acreate(username="ann")
    client = AsyncClient()
    assert [(await client.get(f"/tasks/{name}")).status_code for name in ("ann", "bob")] == [200, 404]
    events = await read_events(await client.get("/task-progress?task=ann&task=bob"))
    assert [event.type for event in events] == ["missing", "message", "end"]
    response = await client.get("/task-progress/ann")
    assert response.status_code == 200
    await read_rest(response)
    assert (await client.get("/task-progress/bob")).status_code == 404


@pytest.mark.parametrize("policy", [DatabasePolicy, AsyncPolicy])
async def test_who_sees_but_may_not_cancel_is_told_so(settings, policy):
    use_policy(settings, policy)
    put(make_running("ann"))
    client = await log_in("ann")
    assert_problem(await client.post("/tasks/ann/cancel"), 403, "may not cancel")
    assert_problem(await AsyncClient().post("/tasks/ann/cancel"), 401, "may not cancel")
    assert get_store().find_cancelled(["ann"]) == set()
    await User.objects.acreate(username="judge")
    assert (await client.post("/tasks/ann/cancel")).status_code == 202


class BrokenPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        raise RuntimeError("the policy broke")


@pytest.mark.parametrize("place", ["/tasks/t1", "/task-progress/t1", "/task-progress?task=t1"])
async def test_policy_that_raises_shows_nothing_and_leaves_no_stream(settings, place):
    use_policy(settings, BrokenPolicy)
    put(make_running().succeeded(now=NOW))
    client = AsyncClient(raise_request_exception=False)
    response = await client.get(place)
    assert (response.status_code, b"succeeded" in response.content) == (500, False)


# Tasks without an owner, and those of visitors


@pytest.fixture
def stranger(settings):
    """A visitor of a site with the default settings for tasks without an owner."""
    settings.TASKS_APP = {name: value for name, value in settings.TASKS_APP.items() if name != "OWNERLESS"}
    return AsyncClient()


@pytest.mark.parametrize("place", ["/task-progress/t1", "/tasks/t1"])
async def test_task_that_nobody_started_is_hidden(stranger, place):
    put(make_running())
    response = await stranger.get(place)
    assert (response.status_code, response.json()["detail"]) == (404, (await stranger.get(place)).json()["detail"])


async def test_visitor_sees_by_id_what_visitors_started_and_cancels_by_the_token_of_the_answer(stranger):
    answer = (await post_start(stranger, {"task": "wait"})).json()
    path = f"/tasks/{answer['task_id']}"
    assert (await stranger.get(path)).status_code == 200
    for token in ("", make_token(answer["task_id"])):
        assert (await stranger.post(f"{path}/cancel?token={token}")).status_code == 401
    response = await stranger.post(f"{path}/cancel", headers={"Authorization": f"Bearer {answer['token']}"})
    assert response.status_code == 202
    await until(lambda: get_snapshot(answer["task_id"]).is_terminal, "the task stopped")


async def test_repeat_by_another_client_is_given_no_control(settings, stranger):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": "tests.http.test_views_access.NamingPolicy"}
    answers = [
        (await post_start(stranger, **{"Idempotency-Key": "k", "X-Who": who})).json() for who in ("a", "b", "a")
    ]
    task_id = answers[0]["task_id"]
    assert [gives_control(answer["token"], task_id) for answer in answers] == [True, False, True]
    await until(lambda: get_snapshot(task_id).is_terminal, "the task ended")


async def test_token_of_a_user_who_is_logged_in_only_shows():
    client = await log_in("ann")
    answer = (await post_start(client)).json()
    assert not gives_control(answer["token"], answer["task_id"])
    await until(lambda: get_snapshot(answer["task_id"]).is_terminal, "the task ended")


async def test_visitor_is_no_owner_where_a_policy_alone_lets_visitors_start(settings, stranger):
    policy = "tests.http.test_views_access.OpenStartPolicy"
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False, "POLICY": policy}
    answer = (await post_start(stranger)).json()
    assert get_snapshot(answer["task_id"]).owner is None
    assert (await stranger.get(f"/tasks/{answer['task_id']}")).status_code == 404
    assert (await stranger.head(f"/task-progress/{answer['task_id']}")).status_code == 404
    assert (await stranger.head(answer["progress_url"])).status_code == 200
    assert "control" not in answer["progress_url"]
    assert (await stranger.get(f"/tasks/{answer['task_id']}?token={answer['token']}")).status_code == 200
    await until(lambda: get_snapshot(answer["task_id"]).is_terminal, "the task ended")


class NamingPolicy(Policy):
    def identify(self, request: HttpRequest) -> str:
        return request.headers["X-Who"]


class OpenStartPolicy(Policy):
    def can_start(self, request: HttpRequest, name: str) -> bool:
        return True
