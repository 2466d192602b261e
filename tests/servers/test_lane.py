"""Streams that are answered below Django: the same bytes as the view's, and only where the view would say the same."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.asgi import get_asgi_application
from django.urls import include, path

from tasks_app import make_token
from tasks_app.asgi import wrap
from tasks_app.http import views
from tasks_app.servers import patience
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import Store
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.stream import Stream
from tests.support.exchange import HOST, Exchange
from tests.support.viewers import NOW, has_no_viewers, make_running, put, report, until

LANGUAGES = "django.middleware.locale.LocaleMiddleware"

#: Drawn by chance for each connection.
RETRY = re.compile(rb"^retry: \d+\n")

SERVER_TIME = re.compile(rb'"server_time":"[^"]*"')


@pytest.fixture(autouse=True)
async def _leaves_nothing() -> AsyncIterator[None]:
    """Whatever is answered, no stream stays open."""
    hub = get_hub()
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


class Site:
    """Django with the lane, and how often Django was asked."""

    def __init__(self, **options: Any) -> None:
        self._django = get_asgi_application()
        self.application = wrap(self._ask_django, **options)
        self.asked = 0

    async def _ask_django(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self._django(scope, receive, send)


async def ask(target: str, *, lane: bool = True, **options: Any) -> tuple[Exchange, bool]:
    """Return an exchange that has ended, and whether the lane answered."""
    site = Site(lane=lane)
    exchange = await Exchange(target, **options).start(site.application).finish()
    return exchange, not site.asked


async def compare(target: str, **options: Any) -> tuple[Exchange, bool]:
    """Check that a request is answered with the lane as without; return the answer, and whether the lane gave it."""
    theirs, _ = await ask(target, lane=False, **options)
    ours, is_lane = await ask(target, **options)
    assert show(ours) == show(theirs)
    return ours, is_lane


def show(exchange: Exchange) -> tuple[Any, ...]:
    body = SERVER_TIME.sub(b"", RETRY.sub(b"", exchange.body))
    headers = [header for header in exchange.response_headers if header[0] != b"Server-Time"]
    return exchange.status, headers, body, exchange.is_complete


def make_ended(task_id: str = "t1", **options: Any) -> Snapshot:
    return make_running(task_id, **options).succeeded({"n": 1}, now=NOW)


def bear(*task_ids: str, **options: Any) -> str:
    """Return the part of a query with a token for each task."""
    return "&".join(f"token={make_token(task_id, **options)}" for task_id in task_ids)


# What the lane answers


ONE, MANY = f"/task-progress/t1?{bear('t1')}", f"/task-progress?task=t1&task=t2&{bear('t1', 't2')}"

#: Answered by the lane, if the tasks have ended.
STREAMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "one": (ONE, {}),
    "many": (MANY, {}),
    "one of many": (f"/task-progress?task=t1&{bear('t1')}", {}),
    "named twice": (f"/task-progress?task=t1&task=t1&{bear('t1')}", {}),
    "more tokens than tasks": (f"/task-progress/t1?{bear('t2', 't1', 't1')}", {}),
    "one valid token of two": (f"/task-progress/t1?{bear('t1')}&token=x", {}),
    "head": (ONE, {"method": "HEAD"}),
    "head of many": (MANY, {"method": "HEAD"}),
    "header": ("/task-progress/t1", {"headers": [HOST, ("Authorization", f"Bearer {make_token('t1')}")]}),
    "seen a part": (ONE, {"headers": [HOST, ("Last-Event-ID", "2")]}),
    "seen a part by the query": (f"{ONE}&last_event_id=2", {}),
    "seen anything": (ONE, {"headers": [HOST, ("Last-Event-ID", "no id")]}),
    "seen nothing of many": (f"{MANY}&last_event_id=5", {}),
    "events for heartbeats": (f"{ONE}&heartbeat=event", {}),
    "comments for heartbeats": (f"{ONE}&heartbeat=comment", {}),
    "log": (f"{ONE}&logs=1", {}),
    "log of many": (f"{MANY}&logs=1&heartbeat=event", {}),
    "this site's own page": (ONE, {"headers": [HOST, ("Origin", "http://testserver")]}),
}


@pytest.mark.parametrize(("target", "options"), STREAMS.values(), ids=STREAMS)
async def test_stream_is_the_view_s_to_the_byte(target, options):
    put(make_ended("t1", owner="7"), make_ended("t2", owner="8"))
    exchange, is_lane = await compare(target, **options)
    assert is_lane
    assert exchange.status == 200
    assert (exchange.body == b"") == (options.get("method") == "HEAD")


async def test_more_tokens_than_tasks_on_a_stream_are_left_to_the_view():
    put(make_ended("t1"))
    exchange, is_lane = await compare(f"/task-progress/t1?{bear(*['t1'] * 101)}")
    assert not is_lane
    assert exchange.status == 400


async def test_session_is_not_looked_at():
    put(make_ended(owner="7"))
    exchange, is_lane = await ask(ONE, headers=[HOST, ("Cookie", "sessionid=of-one-who-has-left")])
    assert is_lane
    assert b"Set-Cookie" not in dict(exchange.response_headers)


async def test_stream_goes_on_with_what_happens():
    put(snapshot := make_running())
    site = Site()
    exchange = Exchange(ONE).start(site.application)
    await exchange.read_until(b'"current":null')
    put(snapshot := report(snapshot, 30))
    await exchange.read_until(b'"current":30')
    put(snapshot.succeeded(now=NOW))
    await exchange.finish()
    assert exchange.body.count(b"event: end") == 1
    assert exchange.is_complete
    assert not site.asked


async def test_client_that_leaves_is_let_go_of():
    put(make_running())
    exchange = Exchange(ONE).start(Site().application)
    await exchange.read_until(b"data: ")
    assert len(get_hub().viewers) == 1
    exchange.leave()
    await exchange.finish()
    assert not get_hub().viewers


async def test_client_that_has_left_is_sent_nothing():
    put(make_running())
    exchange = Exchange(ONE).start(Site().application)
    await exchange.read_until(b"data: ")
    sent = len(exchange.sent)
    exchange.leave()
    await exchange.finish()
    assert len(exchange.sent) == sent


async def test_stream_that_is_cancelled_is_let_go_of():
    put(make_running())
    exchange = Exchange(ONE).start(Site().application)
    await exchange.read_until(b"data: ")
    exchange.serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange.finish()


async def test_send_that_fails_is_told_of_and_the_response_ended(caplog):
    put(make_running())
    exchange = Exchange(ONE)
    send = exchange.send

    async def fail(message: Any) -> None:
        if message.get("body"):
            raise OSError("no")
        await send(message)

    exchange.send = fail
    await exchange.start(Site().application).finish()
    assert [item["type"] for item in exchange.sent] == ["http.response.start", "http.response.body"]
    assert exchange.is_complete
    (record,) = [item for item in caplog.records if item.levelno >= logging.ERROR]
    assert "/task-progress/t1" in record.getMessage()
    assert "token" not in record.getMessage()


# What it leaves to Django


OTHERS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "no token": ("/task-progress/t1", 404, {}),
    "another task's token": (f"/task-progress/t1?{bear('t2')}", 404, {}),
    "expired": (f"/task-progress/t1?{bear('t1', max_age=-1)}", 404, {}),
    "no token at all": ("/task-progress/t1?token=", 404, {}),
    "forged": (f"{ONE}x", 404, {}),
    "one of two": (f"/task-progress?task=t1&task=t2&{bear('t1')}", 200, {}),
    "one of two expired": (f"/task-progress?task=t1&task=t2&{bear('t1')}&{bear('t2', max_age=-1)}", 200, {}),
    "gone": (f"/task-progress/gone?{bear('gone')}", 404, {}),
    "one of two gone": (f"/task-progress?task=t1&task=gone&{bear('t1', 'gone')}", 200, {}),
    "another app's token": ("/task-progress/t1", 404, {"headers": [HOST, ("Authorization", "Bearer eyJhbGciOi")]}),
    "no bearer": ("/task-progress/t1", 404, {"headers": [HOST, ("Authorization", "Basic YTpi")]}),
    "no task": (f"/task-progress?{bear('t1')}", 400, {}),
    "too many tasks": (f"/task-progress?{'&'.join(f'task={n}' for n in range(101))}&{bear('0')}", 400, {}),
    "bad heartbeat": (f"{ONE}&heartbeat=no", 400, {}),
    "bad logs": (f"{ONE}&logs=2", 400, {}),
    "too many fields": (f"{ONE}&{'a=1&' * 1001}", 400, {}),
    "told all": (f"{ONE}&last_event_id={make_ended().event_id}", 204, {}),
    "told all of many": (f"{MANY}&last_event_id=end", 204, {}),
    "post": (ONE, 405, {"method": "POST"}),
    "another endpoint": (f"/tasks/t1?{bear('t1')}", 304, {"headers": [HOST, ("If-None-Match", '"3"')]}),
    "no endpoint": (f"/nowhere?{bear('t1')}", 404, {}),
    "slash": (f"/task-progress/?{bear('t1')}", 404, {}),
}


@pytest.mark.parametrize(("target", "status", "options"), OTHERS.values(), ids=OTHERS)
async def test_what_is_no_stream_for_its_bearer_is_left_to_django(target, status, options):
    put(make_ended("t1", owner="7"), make_ended("t2", owner="8"))
    exchange, is_lane = await compare(target, **options)
    assert not is_lane
    assert exchange.status == status


async def test_request_that_is_left_to_django_is_untouched():
    exchange, seen = Exchange(f"/task-progress/gone?{bear('gone')}"), []
    before = dict(exchange.scope)

    async def accept(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, exchange.received, exchange.sent))

    await exchange.start(wrap(accept)).finish()
    assert exchange.scope == before
    assert seen == [(exchange.scope, exchange._receive, 0, [])]


async def test_stream_that_the_cache_lets_wait_is_left_to_django(monkeypatch):
    put(make_ended())
    read, slow = Store.aread, asyncio.Event()

    async def read_slowly(self: Store, task_ids: Any) -> Any:
        await slow.wait()
        return await read(self, task_ids)

    monkeypatch.setattr(Store, "aread", read_slowly)
    monkeypatch.setattr(patience, "MAX_LOOKS", 1)
    site = Site()
    exchange = Exchange(ONE).start(site.application)
    await until(lambda: site.asked == 1, "Django was asked")
    slow.set()
    assert (await exchange.finish()).status == 200


async def test_lane_can_be_switched_off():
    put(make_ended())
    assert (await ask(ONE, lane=False))[1] is False


SETTINGS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], int]] = {
    "host that is not allowed": ({"ALLOWED_HOSTS": ["elsewhere"]}, {}, 400),
    "no host": ({"ALLOWED_HOSTS": ["elsewhere"]}, {"headers": []}, 400),
    "host behind a proxy that is not allowed": (
        {"ALLOWED_HOSTS": ["testserver"], "USE_X_FORWARDED_HOST": True},
        {"headers": [HOST, ("X-Forwarded-Host", "elsewhere")]},
        400,
    ),
    "no host behind a proxy": (
        {"ALLOWED_HOSTS": ["testserver"], "USE_X_FORWARDED_HOST": True},
        {"headers": [HOST, ("X-Forwarded-Host", "")]},
        400,
    ),
    "host that is too long to be kept": ({"ALLOWED_HOSTS": ["*"]}, {"headers": [("Host", "a" * 400)]}, 200),
    "two hosts": ({"ALLOWED_HOSTS": ["testserver"]}, {"headers": [HOST, HOST]}, 400),
    "plain HTTP": ({"SECURE_SSL_REDIRECT": True}, {}, 301),
    "plain HTTP behind a proxy": (
        {"SECURE_SSL_REDIRECT": True, "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        {"headers": [HOST, ("X-Forwarded-Proto", "http")], "scope": {"scheme": "https"}},
        301,
    ),
    "page of another site": ({}, {"headers": [HOST, ("Origin", "https://elsewhere")]}, 200),
    "page of no site": ({}, {"headers": [HOST, ("Origin", "null")]}, 200),
    "page over another scheme": ({}, {"headers": [HOST, ("Origin", "https://testserver")]}, 200),
    "host without www": ({"PREPEND_WWW": True}, {}, 301),
    "client that is not allowed": (
        {"DISALLOWED_USER_AGENTS": [re.compile("^Old")]},
        {"headers": [HOST, ("User-Agent", "Old browser")]},
        403,
    ),
    "too many streams": ({"TASKS_APP": {"MAX_STREAMS": 1}}, {}, 503),
    "cache that fails": ({"CACHES": {"default": {"BACKEND": "tests.servers.test_lane.Broken"}}}, {}, 503),
}


@pytest.mark.parametrize(("values", "options", "status"), SETTINGS.values(), ids=SETTINGS)
async def test_request_that_the_site_may_answer_otherwise_is_left_to_django(settings, values, options, status):
    put(make_ended("t0"), make_ended())
    other = await Stream.open(["t0"])
    for name, value in values.items():
        setattr(settings, name, value)
    exchange, is_lane = await compare(ONE, **options)
    assert not is_lane
    assert exchange.status == status
    other.close()


ALLOWED: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "host": ({"ALLOWED_HOSTS": [".testserver"]}, {"headers": [("Host", "a.testserver:8000")]}),
    "host in development": ({"ALLOWED_HOSTS": [], "DEBUG": True}, {"headers": [("Host", "localhost:8000")]}),
    "host behind a proxy": (
        {"ALLOWED_HOSTS": ["testserver"], "USE_X_FORWARDED_HOST": True},
        {"headers": [("Host", "inner"), ("X-Forwarded-Host", "testserver")]},
    ),
    "HTTPS": ({"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 60}, {"scope": {"scheme": "https"}}),
    "HTTPS behind a proxy": (
        {
            "SECURE_SSL_REDIRECT": True,
            "SECURE_HSTS_SECONDS": 60,
            "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
            "SECURE_HSTS_PRELOAD": True,
            "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        },
        {"headers": [HOST, ("X-Forwarded-Proto", "https, http"), ("Origin", "https://testserver")]},
    ),
    "HSTS over HTTP": ({"SECURE_HSTS_SECONDS": 60}, {}),
    "other values": (
        {
            "SECURE_CONTENT_TYPE_NOSNIFF": False,
            "SECURE_REFERRER_POLICY": ["origin", "no-referrer"],
            "SECURE_CROSS_ORIGIN_OPENER_POLICY": None,
            "X_FRAME_OPTIONS": "SAMEORIGIN",
        },
        {},
    ),
    "no middleware": ({"MIDDLEWARE": []}, {}),
    "no user": ({"MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"]}, {}),
    "another order": (
        {
            "MIDDLEWARE": [
                "django.middleware.clickjacking.XFrameOptionsMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.middleware.security.SecurityMiddleware",
                "django.middleware.gzip.GZipMiddleware",
            ]
        },
        {"headers": [HOST, ("Accept-Encoding", "gzip")]},
    ),
}


@pytest.mark.parametrize(("values", "options"), ALLOWED.values(), ids=ALLOWED)
async def test_headers_are_those_that_the_settings_ask_for(settings, values, options):
    put(make_ended())
    for name, value in values.items():
        setattr(settings, name, value)
    _, is_lane = await compare(ONE, **options)
    assert is_lane


class Broken:
    """A cache that can't even be made."""

    def __init__(self, *args: object) -> None:
        raise OSError("no cache")


# Where the endpoints are


urlpatterns = [
    path("deep/down/", include("tasks_app.urls", namespace="deep")),
    path("<int:number>/", include("tasks_app.urls", namespace="numbered")),
    path("own/<str:task_id>", views.show_task),
    *i18n_patterns(path("tasks-of/", include("tasks_app.urls", namespace="translated"))),
]


@pytest.fixture
def included(settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LANGUAGES]


FOUND = {
    "included": ("/deep/down/task-progress/t1", {}),
    "in a language": ("/de/tasks-of/task-progress/t1", {}),
    "in the site's language": ("/en/tasks-of/task-progress/t1", {}),
}


@pytest.mark.parametrize(("where", "scope"), FOUND.values(), ids=FOUND)
@pytest.mark.usefixtures("included")
async def test_endpoint_is_found_where_it_is_included(where, scope):
    put(make_ended())
    exchange, is_lane = await ask(f"{where}?{bear('t1')}", scope=scope)
    assert is_lane
    assert exchange.status == 200


MISSED = {
    "path below no include": "/task-progress/t1",
    "language that the site has not": "/xx/tasks-of/task-progress/t1",
    "another view": "/own/t1",
}


@pytest.mark.parametrize("where", MISSED.values(), ids=MISSED)
@pytest.mark.usefixtures("included")
async def test_other_path_is_left_to_django(where):
    put(make_ended())
    _, is_lane = await ask(f"{where}?{bear('t1')}")
    assert not is_lane


async def test_endpoint_whose_path_has_another_part_is_left_to_django(settings):
    settings.ROOT_URLCONF = __name__
    put(make_ended())
    seen = []

    async def accept(*args: object) -> None:
        seen.append(args)

    await Exchange(f"/7/task-progress/t1?{bear('t1')}").start(wrap(accept)).finish()
    assert len(seen) == 1


async def test_language_of_a_path_needs_its_middleware(settings):
    settings.ROOT_URLCONF = __name__
    put(make_ended())
    exchange, is_lane = await compare(f"/de/tasks-of/task-progress/t1?{bear('t1')}")
    assert (is_lane, exchange.status) == (False, 404)


@pytest.mark.parametrize(
    ("forced", "root_path"), [(None, "/mounted"), ("/mounted", ""), ("/mounted", "/other")], ids=str
)
async def test_path_under_which_django_is_mounted_is_left_out(settings, forced, root_path):
    settings.FORCE_SCRIPT_NAME = forced
    put(make_ended())
    _, is_lane = await compare(f"/mounted{ONE}", scope={"root_path": root_path})
    assert is_lane
