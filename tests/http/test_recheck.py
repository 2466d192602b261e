"""Streams that are open when a right ends: the policy is asked again every RECHECK_ACCESS seconds."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.utils.decorators import sync_and_async_middleware

from tasks_app import make_token
from tasks_app.http.recheck import get_rounds
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.streaming.hub import get_hub
from tests.support.viewers import decode, has_no_viewers, make_running, put, read_next, read_rest, report, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def _often(settings):
    """The policy is asked again soon; no test leaves a stream or a round, or a rule to another test."""
    # Nothing gives signs of life of these tasks; a busy machine takes its time to open 200 streams.
    settings.TASKS_APP = {**settings.TASKS_APP, "RECHECK_ACCESS": 0.05, "STALLED_AFTER": 1800, "LOST_AFTER": 3000}
    hub, rounds = get_hub(), get_rounds()
    rules.reset()
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")
    settings.TASKS_APP = {**settings.TASKS_APP, "RECHECK_ACCESS": 3600}
    await until(lambda: rounds.running is None, "the last round has ended")


class Rules:
    """What the policies, the sessions and the way to log in of these tests do, and how often they were asked."""

    def reset(self) -> None:
        self.calls: Counter[str] = Counter()
        self.says: Callable[[HttpRequest, Snapshot], object] = lambda request, snapshot: True
        self.threads: set[threading.Thread] = set()
        self.is_database_down = False

    def count(self, name: str) -> None:
        self.calls[name] += 1
        if self.is_database_down:
            raise OperationalError("the database is down")


rules = Rules()


class RulesPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> Any:
        rules.calls["can_view"] += 1
        rules.threads.add(threading.current_thread())
        return rules.says(request, snapshot)


class AsyncRulesPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> Any:
        await asyncio.sleep(0)
        rules.calls["can_view"] += 1
        return rules.says(request, snapshot)


class CountingBackend(ModelBackend):
    def get_user(self, user_id: int) -> User | None:
        rules.count("get_user")
        return super().get_user(user_id)


class SessionStore(DatabaseSessions):
    """Sessions that count how often they are read; this module is their engine."""

    def load(self) -> dict[str, Any]:
        rules.count("load")
        return super().load()


@sync_and_async_middleware
def set_tenant(get_response):
    """A middleware as sites with tenants have: policies read what it sets."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        request.tenant = "acme"
        return await get_response(request)

    return middleware


@sync_and_async_middleware
def log_in_by_header(get_response):
    """A middleware that finds its user without a session."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        request.user = await User.objects.filter(username=request.headers.get("X-User")).afirst() or AnonymousUser()
        return await get_response(request)

    return middleware


@sync_and_async_middleware
def make_user_up(get_response):
    """A middleware that believes a token, and asks no database for its user."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        request.user = User(username=request.headers["X-User"])
        return await get_response(request)

    return middleware


def use_policy(settings: Any, policy: type = RulesPolicy) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}


async def log_in(name: str = "ann", **attributes: bool) -> AsyncClient:
    client = AsyncClient()
    user, _ = await User.objects.aget_or_create(username=name, defaults=attributes)
    await client.aforce_login(user)
    return client


async def put_task_of(name: str = "ann", task_id: str = "t1") -> None:
    user, _ = await User.objects.aget_or_create(username=name)
    put(report(make_running(task_id, owner=str(user.pk)), 42))


async def open_stream(client: AsyncClient, url: str = "/task-progress/t1", **headers: str) -> Any:
    response = await client.get(url, headers=headers)
    assert response.status_code == 200
    await read_next(response)
    return response


async def assert_ends(response: Any, task_id: str = "t1") -> None:
    """A stream ends with a snapshot that its client knows, so that it comes back."""
    content = await read_rest(response)
    assert [event.json()["task_id"] for event in decode(content)] == [task_id]
    assert b"retry: " in content


async def stop_rounds(settings: Any) -> None:
    """Have no round begin by itself from now on, before any stream is open."""
    rounds = get_rounds()
    settings.TASKS_APP = {**settings.TASKS_APP, "RECHECK_ACCESS": 3600}
    await until(lambda: rounds.running is None, "no round runs")


async def pass_rounds() -> None:
    """Have all streams looked at a few times; what ends by that is given to its reader."""
    for _ in range(3):
        await get_rounds().look_at_all()
        await asyncio.sleep(0)


async def assert_goes_on(response: Any, condition: Callable[[], object] | None = None) -> None:
    """A stream sends nothing until something happens, or for some rounds, and does not end; then it is closed."""
    waiting = asyncio.ensure_future(anext(aiter(response)))
    await (pass_rounds() if condition is None else until(condition, "the policy was asked some more"))
    assert not waiting.done()
    waiting.cancel()
    response.close()


# The default policy


async def test_stream_of_a_user_who_was_deactivated_ends():
    await put_task_of("ann")
    client = await log_in("ann")
    stream = await open_stream(client)
    await User.objects.aupdate(is_active=False)
    await assert_ends(stream)
    assert (await client.get("/task-progress/t1")).status_code == 404


async def test_stream_of_a_user_who_was_deleted_ends():
    await put_task_of("ann")
    stream = await open_stream(await log_in("ann"))
    await User.objects.all().adelete()
    await assert_ends(stream)


async def test_stream_of_staff_ends_with_their_flag():
    await put_task_of("ann")
    client = await log_in("chief", is_staff=True, is_superuser=True)
    stream = await open_stream(client)
    await User.objects.aupdate(is_staff=False, is_superuser=False)
    await assert_ends(stream)
    assert (await client.get("/task-progress/t1")).status_code == 404


async def test_stream_of_staff_ends_with_their_permission():
    await put_task_of("ann")
    client = await log_in("chief", is_staff=True)
    user = await User.objects.aget(username="chief")
    await user.user_permissions.aadd(await Permission.objects.aget(codename="view_task"))
    kept, stream = [await open_stream(client) for _ in range(2)]
    await assert_goes_on(kept)
    await user.user_permissions.aclear()
    await assert_ends(stream)


async def test_stream_ends_with_the_logout():
    await put_task_of("ann")
    client = await log_in("ann")
    stream = await open_stream(client)
    await client.alogout()
    await assert_ends(stream)


async def test_stream_ends_with_the_session():
    await put_task_of("ann")
    stream = await open_stream(await log_in("ann"))
    await Session.objects.all().adelete()
    await assert_ends(stream)


async def test_stream_ends_with_the_password():
    await put_task_of("ann")
    client = await log_in("ann")
    stream = await open_stream(client)
    user = await User.objects.aget()
    user.set_password("new")
    await user.asave()
    await assert_ends(stream)


async def test_stream_of_many_tasks_ends_with_the_right_to_one():
    await put_task_of("ann", "t1")
    put(make_running("t2"))
    client = await log_in("ann")
    response = await open_stream(client, "/task-progress?task=t2&task=t1")
    await Session.objects.all().adelete()
    await assert_ends(response, "t2")


async def test_right_to_a_task_that_has_ended_ends_no_stream():
    await put_task_of("ann", "t1")
    put(make_running("t2"))
    client = await log_in("ann")
    response = await open_stream(client, "/task-progress?task=t2&task=t1")
    put(make_running("t1", owner="7").cancelled(now=make_running().updated_at))
    await read_next(response)
    await Session.objects.all().adelete()
    await assert_goes_on(response)


async def test_stream_of_who_may_see_the_task_goes_on():
    await put_task_of("ann")
    await assert_goes_on(await open_stream(await log_in("ann")))


async def test_stream_that_a_token_opened_goes_on_whatever_becomes_of_the_user():
    await put_task_of("ann")
    stream = await open_stream(await log_in("ann"), f"/task-progress/t1?token={make_token('t1')}")
    await User.objects.aupdate(is_active=False)
    await assert_goes_on(stream)


async def test_old_secret_of_the_session_keeps_the_user_logged_in(settings):
    """Where Django would give the session a new key, no answer takes that to the browser."""
    await put_task_of("ann")
    client = await log_in("ann")
    stream = await open_stream(client)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    await assert_goes_on(stream)
    assert await Session.objects.filter(pk=client.cookies["sessionid"].value).aexists()


# Users whom a middleware found in another way


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
async def test_user_without_a_session_is_read_from_the_database(settings, change):
    settings.MIDDLEWARE = [f"{__name__}.log_in_by_header"]
    await put_task_of("ann")
    await User.objects.acreate(username="chief", is_staff=True, is_superuser=True)
    stream = await open_stream(AsyncClient(), **{"X-User": "chief"})
    await User.objects.filter(username="chief").aupdate(**change)
    await assert_ends(stream)


async def test_user_without_a_session_who_may_see_the_task_stays(settings):
    settings.MIDDLEWARE = [f"{__name__}.log_in_by_header"]
    await put_task_of("ann")
    await assert_goes_on(await open_stream(AsyncClient(), **{"X-User": "ann"}))


async def test_users_whom_no_database_knows_are_told_apart(settings):
    use_policy(settings)
    settings.MIDDLEWARE = [f"{__name__}.make_user_up"]
    put(make_running())
    first, second = [await open_stream(AsyncClient(), **{"X-User": name}) for name in ("ann", "bob")]
    rules.says = lambda request, snapshot: request.user.username == "bob"
    await assert_ends(first)
    await assert_goes_on(second)


async def test_part_that_staff_take_ends_with_their_session(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.log_in_by_header"]
    await put_task_of("ann")
    client = await log_in("chief")
    first, second = [await open_stream(client, **{"X-User": "ann"}) for _ in range(2)]
    await assert_goes_on(first)
    await Session.objects.all().adelete()
    await assert_ends(second)


async def test_site_without_users_keeps_its_streams(settings):
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    put(make_running())
    await assert_goes_on(await open_stream(AsyncClient()))


# Policies of a site


@pytest.mark.parametrize("policy", [RulesPolicy, AsyncRulesPolicy])
async def test_stream_ends_when_the_policy_says_no(settings, policy):
    use_policy(settings, policy)
    put(make_running())
    client = AsyncClient()
    stream = await open_stream(client)
    rules.says = lambda request, snapshot: False
    await assert_ends(stream)
    assert (await client.get("/task-progress/t1")).status_code == 404


@pytest.mark.parametrize("policy", [RulesPolicy, AsyncRulesPolicy])
async def test_stream_ends_when_the_policy_raises(settings, policy, caplog):
    use_policy(settings, policy)
    put(make_running("t1"), make_running("t2"))
    broken, sound = [await open_stream(AsyncClient(), f"/task-progress/{task_id}") for task_id in ("t1", "t2")]
    rules.says = lambda request, snapshot: snapshot.task_id == "t2" or 1 / 0
    await assert_ends(broken)
    assert "ZeroDivisionError" in caplog.text
    await assert_goes_on(sound)


async def test_policy_is_given_the_request_with_what_middleware_set(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.set_tenant"]
    use_policy(settings)
    put(make_running())
    rules.says = lambda request, snapshot: (
        (request.tenant, request.GET["share"], request.headers["X-Plan"]) == ("acme", "abc", "pro")
    )
    stream = await open_stream(AsyncClient(), "/task-progress/t1?share=abc", **{"X-Plan": "pro"})
    await assert_goes_on(stream, lambda: rules.calls["can_view"] > 3)


@pytest.mark.parametrize("policy", [RulesPolicy, AsyncRulesPolicy])
async def test_policy_is_given_the_user_of_now(settings, policy):
    use_policy(settings, policy)
    put(make_running())
    stream = await open_stream(await log_in("ann"))
    rules.says = lambda request, snapshot: request.user.last_name != "gone"
    await User.objects.aupdate(last_name="gone")
    await assert_ends(stream)


class AskingPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return (await request.auser()).last_name != "gone"


async def test_policy_that_asks_for_the_user_is_given_the_one_of_now(settings):
    use_policy(settings, AskingPolicy)
    put(make_running())
    stream = await open_stream(await log_in("ann"))
    await User.objects.aupdate(last_name="gone")
    await assert_ends(stream)


async def test_policy_is_given_the_session_of_now(settings):
    use_policy(settings)
    put(make_running())
    client = AsyncClient()
    session = await client.asession()
    await session.aset("tasks", ["t1"])
    await session.asave()
    rules.says = lambda request, snapshot: snapshot.task_id in request.session.get("tasks", ())
    stream = await open_stream(client)
    await session.aset("tasks", [])
    await session.asave()
    await assert_ends(stream)


# What it costs


async def test_many_streams_of_one_user_take_one_query_a_round(settings):
    settings.SESSION_ENGINE = __name__
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CountingBackend"]
    use_policy(settings)
    put(make_running())
    client = await log_in("ann")
    await stop_rounds(settings)
    streams = [await open_stream(client) for _ in range(40)]
    rules.reset()
    rules.says = lambda request, snapshot: False
    await get_rounds().look_at_all()
    for stream in streams:
        await assert_ends(stream)
    assert rules.calls == {"load": 1, "get_user": 1, "can_view": 1}


async def test_stream_that_ends_and_is_not_read_yet_is_not_asked_about_again(settings):
    use_policy(settings)
    put(make_running())
    await stop_rounds(settings)
    stream = await open_stream(await log_in("ann"))
    rules.reset()
    rules.says = lambda request, snapshot: False
    await pass_rounds()
    assert rules.calls["can_view"] == 1
    await assert_ends(stream)


@pytest.mark.parametrize(
    ("url", "headers"), [("/task-progress/t1?share={}", {}), ("/task-progress/t1", {"X-Share": "{}"})]
)
async def test_callers_whom_a_policy_may_tell_apart_are_asked_about_each(settings, url, headers):
    use_policy(settings)
    put(make_running())
    first, second = [
        await open_stream(
            AsyncClient(), url.format(share), **{key: text.format(share) for key, text in headers.items()}
        )
        for share in "ab"
    ]
    rules.says = lambda request, snapshot: "b" in (request.GET.get("share"), request.headers.get("X-Share"))
    await assert_ends(first)
    await assert_goes_on(second)


async def test_rounds_end_with_the_last_stream(settings):
    use_policy(settings)
    put(make_running())
    stream = await open_stream(AsyncClient())
    await assert_goes_on(stream, lambda: rules.calls["can_view"] > 1)
    del stream
    rounds = get_rounds()
    await until(lambda: not rounds.is_planned, "no round is planned any more")


async def test_round_leaves_no_thread(settings):
    use_policy(settings)
    put(make_running())
    stream = await open_stream(AsyncClient())
    rules.threads.clear()
    await assert_goes_on(stream, lambda: rules.calls["can_view"] > 3)
    await until(lambda: not any(thread.is_alive() for thread in rules.threads), "the threads ended")


# A database that is down


async def test_stream_goes_on_while_the_user_can_not_be_loaded(settings, caplog):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CountingBackend"]
    await put_task_of("ann")
    stream = await open_stream(await log_in("ann"))
    rules.is_database_down = True
    calls = rules.calls["get_user"]
    waiting = asyncio.ensure_future(read_rest(stream))
    await until(lambda: rules.calls["get_user"] > calls + 3, "several rounds failed")
    assert not waiting.done()
    assert "the database is down" in caplog.text
    rules.is_database_down = False
    await User.objects.aupdate(is_active=False)
    assert b"retry: " in await waiting


async def test_stream_goes_on_while_the_policy_can_not_ask_the_database(settings):
    use_policy(settings)
    put(make_running())
    stream = await open_stream(AsyncClient())
    rules.is_database_down = True
    rules.says = lambda request, snapshot: rules.count("can_view") is None
    await assert_goes_on(stream, lambda: rules.calls["can_view"] > 5)


async def test_stream_that_nobody_can_judge_ends_with_its_right(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "TOKEN_MAX_AGE": 1}
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CountingBackend"]
    await put_task_of("ann")
    stream = await open_stream(await log_in("ann"))
    rules.is_database_down = True
    await assert_ends(stream)
