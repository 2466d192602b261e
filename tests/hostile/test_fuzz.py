"""Requests of every wrong shape to every endpoint, through Django and below it: no error is ever the server's."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tasks_app import make_token
from tasks_app.asgi import wrap
from tests.support.exchange import Exchange
from tests.support.monitor_settings import TEMPLATES
from tests.support.viewers import NOW, make_running, put_silently

#: What a stored task is called, and those that were never stored.
ENDED, RUNNING, HIDDEN = "ended", "running", "hidden"

#: What some reader of text takes for something else.
ODD = [
    "",
    ".",
    "..",
    "%",
    "%00",
    "\0",
    "\n",
    "\r\nX: y",
    "\ud800",
    "🎉",
    "a/b",
    "x" * 5000,
    "-1",
    "1e999",
    "٣",
    "null",
    "{",
]

text = st.one_of(
    st.sampled_from([ENDED, RUNNING, HIDDEN]), st.sampled_from(ODD), st.text(max_size=20), st.binary(max_size=20)
)


def to_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


quoted = text.map(lambda value: quote_from_bytes(to_bytes(value), safe=""))

#: The endpoints, with the methods that they take.
PLACES = {
    "/start-task": ["POST"],
    "/task-progress": ["GET"],
    "/task-progress/{}": ["GET", "HEAD"],
    "/tasks": ["GET"],
    "/tasks/tokens": ["POST"],
    "/tasks/{}": ["GET"],
    "/tasks/{}/cancel": ["POST"],
    "/tasks/monitor": ["GET"],
    "/tasks/monitor/data": ["GET"],
    "/tasks/{}/monitor": ["GET"],
    "/tasks/{}/monitor/details": ["GET"],
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X"]

tokens = st.one_of(
    st.sampled_from([ENDED, HIDDEN, "other"]).map(make_token),
    st.sampled_from([ENDED, HIDDEN]).map(lambda task_id: make_token(task_id)[:-1]),
    quoted,
)
values = {
    "token": tokens,
    "task": quoted,
    "last_event_id": quoted,
    "heartbeat": st.one_of(st.just("event"), quoted),
    "logs": st.one_of(st.just("1"), quoted),
    "limit": quoted,
    "state": quoted,
    "page": quoted,
    "sort": quoted,
    "q": quoted,
}
pairs = st.sampled_from(sorted(values)).flatmap(lambda name: values[name].map(lambda value: f"{name}={value}"))
queries = st.one_of(st.lists(pairs, max_size=6).map("&".join), quoted)


def _show(value: str | bytes) -> str:
    """Return a part of a path as servers hand it on: what is not UTF-8 is replaced."""
    return to_bytes(value).decode("utf-8", "replace")


NAMES = ["authorization", "cookie", "content-type", "idempotency-key", "last-event-id", "origin", "if-none-match"]
NAMES += ["accept", "cache-control", "sec-fetch-site", "x-csrftoken", "content-length", "range", "referer"]
header_texts = st.one_of(text.map(to_bytes), tokens.map(lambda token: b"Bearer " + token.encode()))
headers = st.dictionaries(st.sampled_from(NAMES), header_texts, max_size=4)

#: Seconds after which a stream is taken for one that lasts.
PAUSE = 0.01

#: What stands for the cookie of a session of staff.
STAFF = b"staff"

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**30)]))
trees = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=10), st.sampled_from(["count", "add", "a", "n"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
orders = st.fixed_dictionaries(
    {}, optional={"task": st.one_of(st.sampled_from(["count", "add", "fail"]), trees), "kwargs": trees, "tasks": trees}
)
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=50),
    orders.map(lambda tree: json.dumps(tree).encode()),
    trees.map(lambda tree: json.dumps(tree).encode()),
)


@st.composite
def requests(draw: st.DrawFn) -> Mapping[str, Any]:
    """Return the parts of a scope, and a body."""
    sent = {"content-type": b"application/json", **draw(headers)}
    if draw(st.booleans()):
        sent["cookie"] = STAFF
    place = draw(st.sampled_from(sorted(PLACES)))
    return {
        "method": draw(st.sampled_from(PLACES[place] * 10 + METHODS)),
        "path": place.format(_show(draw(text))),
        "query_string": draw(queries).encode(),
        "headers": [(name.encode(), value) for name, value in sent.items()],
        "body": draw(bodies),
    }


@st.composite
def bearers(draw: st.DrawFn) -> Mapping[str, Any]:
    """Return a request for a stream that bears a token of each task, among other things."""
    task_ids = draw(st.lists(st.sampled_from([ENDED, RUNNING, HIDDEN]), min_size=1, max_size=3))
    fields = [f"token={make_token(task_id)}" for task_id in {*task_ids}]
    path = "/task-progress"
    if len(task_ids) == 1:
        path += f"/{task_ids[0]}"
    else:
        fields += [f"task={task_id}" for task_id in task_ids]
    fields += draw(st.lists(pairs.filter(lambda pair: not pair.startswith("task")), max_size=3))
    query = "&".join(draw(st.permutations(fields)))
    return {**draw(requests()), "method": "GET", "path": path, "query_string": query.encode(), "body": b""}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


#: What is asked, and of what: Django alone, or below it the lane.
WAYS = {
    "anything": (requests(), lambda: wrap(get_asgi_application())),
    "bearers of tokens": (bearers(), get_asgi_application),
    "bearers of tokens in the lane": (bearers(), lambda: wrap(get_asgi_application())),
}


async def answer(application: Any, request: Mapping[str, Any], cookie: bytes) -> Exchange:
    """Return the answer to a request, of whose stream, if it is one that lasts, the client has enough at once."""
    sent = [(b"host", b"testserver")]
    sent += [(name, cookie if value == STAFF else value) for name, value in request["headers"]]
    scope = {**request, "raw_path": request["path"].encode(), "headers": sent}
    body = scope.pop("body")
    exchange = Exchange("/", scope=scope, request_body=body).start(application)
    assert exchange.serving is not None
    done: set[asyncio.Task[None]] = set()
    while not (done or exchange.sent):
        done, _ = await asyncio.wait([exchange.serving], timeout=PAUSE)
    if not done:
        exchange.leave()
    return await exchange.finish()


def log_in() -> bytes:
    """Return the cookie of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("chief"))
    return f"sessionid={client.session.session_key}".encode()


def make_tasks() -> None:
    put_silently(make_running(ENDED).succeeded(now=NOW), make_running(RUNNING), make_running(HIDDEN, owner="7"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("asked", "make_application"), WAYS.values(), ids=WAYS)
def test_no_request_makes_an_error_of_the_server(
    asked: st.SearchStrategy[Mapping[str, Any]], make_application: Callable[[], Any], count: int, log, settings
):
    settings.TEMPLATES = TEMPLATES
    application, cookie = make_application(), log_in()
    make_tasks()

    @examples(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(asked)
    def check(request: Mapping[str, Any]) -> None:
        log.clear()
        exchange = async_to_sync(answer)(application, request, cookie)
        is_busy = exchange.status == 503 and dict(exchange.response_headers).get(b"Retry-After") is not None
        assert exchange.status < 500 or is_busy, request
        assert [record for record in log.records if record.exc_info] == [], request

    check()
