"""No client takes the streams of the others: which requests count as one client's, and how too many are answered."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.core import mail
from django.core.asgi import get_asgi_application
from django.test import AsyncClient
from django.utils.log import AdminEmailHandler

from tasks_app import make_token
from tasks_app.asgi import wrap
from tasks_app.http import clients
from tasks_app.permissions import Policy
from tasks_app.snapshot import ANYONE
from tasks_app.store.store import Store
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.places import get_places
from tasks_app.utils.rarely import Rarely
from tests.support.answers import assert_problem
from tests.support.exchange import HOST, Exchange
from tests.support.viewers import NOW, has_no_viewers, make_running, put, until

PLACE = "/task-progress/t1"
HERE, THERE = "address:192.0.2.1", "address:192.0.2.2"
EVENT_SOURCE = [HOST, ("Accept", "text/event-stream"), ("Cache-Control", "no-cache")]


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(enforce_csrf_checks=True)


@pytest.fixture(autouse=True)
async def _leaves_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Whatever is answered, no stream is left open, and no place taken."""
    monkeypatch.setattr(clients, "_faults", Rarely())
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS_PER_CLIENT": 2}
    hub = get_hub()
    put(make_running("t1"))
    yield
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")
    await until(lambda: not get_places()._counts, "all places are given back")


def make_exchange(target: str = PLACE, *, address: str = "192.0.2.1", **options: Any) -> Exchange:
    return Exchange(target, scope={"client": (address, 1)}, **options)


@asynccontextmanager
async def opened(count: int, application: Any = None, target: str = PLACE, **options: Any) -> AsyncIterator[None]:
    """Hold so many streams open."""
    application = application or get_asgi_application()
    exchanges = [make_exchange(target, **options).start(application) for _ in range(count)]
    for exchange in exchanges:
        await exchange.read_until(b"data: ")
    yield
    for exchange in exchanges:
        exchange.leave()
        await exchange.finish()


async def ask(target: str = PLACE, *, application: Any = None, **options: Any) -> Exchange:
    """Return the answer to one more request, which must end."""
    return await make_exchange(target, **options).start(application or get_asgi_application()).finish()


async def is_refused(**options: Any) -> bool:
    """Return whether one more stream is refused."""
    return (await ask(method="HEAD", **options)).status == 429


# Who counts


@pytest.mark.parametrize("target", [PLACE, "/task-progress?task=t1"])
async def test_stream_above_the_limit_of_a_client_answers_429_with_retry_after(target):
    async with opened(2):
        exchange = await ask(target)
    headers = dict(exchange.response_headers)
    assert (exchange.status, headers[b"Content-Type"]) == (429, b"application/problem+json")
    assert headers[b"Retry-After"] == b"5"
    assert "At most 2 streams" in json.loads(exchange.body)["detail"]


async def test_one_client_takes_no_place_of_another():
    async with opened(2):
        assert await is_refused()
        assert not await is_refused(address="192.0.2.2")


async def test_all_addresses_of_an_ipv6_network_are_one_client():
    async with opened(1, address="2001:db8::1"), opened(1, address="2001:db8::2"):
        assert await is_refused(address="2001:db8::3")
        assert not await is_refused(address="2001:db8:0:1::3")


async def test_streams_that_open_at_once_are_counted():
    application = get_asgi_application()
    exchanges = [make_exchange().start(application) for _ in range(10)]
    await until(lambda: sum(bool(exchange.sent) for exchange in exchanges) == 10, "all are answered")
    assert sorted(exchange.status for exchange in exchanges) == [200] * 2 + [429] * 8
    for exchange in exchanges:
        exchange.leave()
        await exchange.finish()


async def test_none_is_no_limit(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS_PER_CLIENT": None}
    async with opened(60):
        assert not await is_refused()


class Named(Policy):
    name: Any = None

    async def identify(self, request: Any) -> Any:
        return request.GET.get("name") or self.name


class NamedInThread(Policy):
    def identify(self, request: Any) -> Any:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return request.GET.get("name")


class Bare:
    """A policy that knows the four rules alone."""

    def can_view(self, request: Any, snapshot: Any) -> bool:
        return True


@pytest.mark.parametrize("policy", [Named, NamedInThread])
async def test_policy_says_who_is_one_client(settings, policy):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}
    async with opened(2, target=f"{PLACE}?name=a"):
        assert (await ask(f"{PLACE}?name=a", address="192.0.2.9", method="HEAD")).status == 429
        assert (await ask(f"{PLACE}?name=b", method="HEAD")).status == 200


async def test_policy_without_a_word_on_clients_has_the_default(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.Bare"}
    async with opened(2):
        assert await is_refused()
        assert not await is_refused(address="192.0.2.2")


@pytest.mark.parametrize("name", [None, "", 7, ["a"], b"a"])
async def test_client_that_the_policy_gives_no_name_is_its_address(settings, monkeypatch, caplog, name):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.Named"}
    monkeypatch.setattr(Named, "name", name)
    async with opened(2):
        assert get_places().count(HERE) == 2
        assert await is_refused()
    told = [record.getMessage() for record in caplog.records if "identify" in record.getMessage()]
    what = f"identify returned no name but a {type(name).__name__}; the client's address counts"
    assert told == [f"POLICY '{__name__}.Named': {what}"]


@pytest.mark.django_db(transaction=True)
async def test_user_is_one_client_wherever_they_are(client, django_user_model):
    user = await django_user_model.objects.acreate(username="ann")
    await client.aforce_login(user)
    taken = [get_places().take(f"user:{user.pk}", None) for _ in range(2)]
    assert_problem(await client.get(PLACE), 429)
    del taken
    assert (await client.head(PLACE)).status_code == 200


# Places are given back


async def leave(exchange: Exchange) -> None:
    await exchange.read_until(b"data: ")
    exchange.leave()
    await exchange.finish()


async def test_stream_whose_client_left_gives_its_place_back():
    await leave(make_exchange().start(get_asgi_application()))
    await until(lambda: get_places().count(HERE) == 0, "the place is given back")


async def test_stream_that_ended_gives_its_place_back():
    exchange = make_exchange().start(get_asgi_application())
    await exchange.read_until(b"data: ")
    assert get_places().count(HERE) == 1
    put(make_running("t1").succeeded(None, now=NOW))
    await exchange.finish()
    await until(lambda: get_places().count(HERE) == 0, "the place is given back")


@pytest.mark.parametrize(
    ("target", "options", "status"),
    [
        (PLACE, {"method": "HEAD"}, 200),
        ("/task-progress/unknown", {}, 404),
        ("/task-progress?task=t1&logs=7", {}, 400),
        ("/task-progress/t2?last_event_id=3", {}, 204),
        (PLACE, {"method": "POST"}, 405),
    ],
)
async def test_answer_that_is_no_open_stream_takes_no_place(target, options, status):
    put(make_running("t2").succeeded(None, now=NOW))
    assert (await ask(target, **options)).status == status
    await until(lambda: get_places().count(HERE) == 0, "the place is given back")


async def test_cache_that_fails_gives_the_place_back(cache):
    cache.break_down()
    assert (await ask()).status == 503
    assert get_places().count(HERE) == 0
    cache.reset()


async def test_client_that_leaves_while_its_stream_opens_gives_its_place_back(monkeypatch):
    read, slow = Store.aread, asyncio.Event()

    async def read_slowly(self: Store, task_ids: Any) -> Any:
        await slow.wait()
        return await read(self, task_ids)

    monkeypatch.setattr(Store, "aread", read_slowly)
    exchange = make_exchange().start(get_asgi_application())
    await until(lambda: get_places().count(HERE) == 1, "a place is taken")
    exchange.leave()
    await until(lambda: get_places().count(HERE) == 0, "the place is given back")
    slow.set()
    await exchange.finish()


# The lane


def make_target(task_id: str = "t1") -> str:
    return f"/task-progress/{task_id}?token={make_token(task_id)}"


class Site:
    def __init__(self) -> None:
        self._django = get_asgi_application()
        self.application, self.asked = wrap(self._ask), 0

    async def _ask(self, *args: Any) -> None:
        self.asked += 1
        await self._django(*args)


async def test_streams_of_the_lane_and_of_django_count_together():
    site = Site()
    async with opened(1), opened(1, site.application, make_target()):
        assert site.asked == 0
        assert await is_refused()
        assert (await ask(make_target(), application=site.application)).status == 429
        assert (
            await ask(make_target(), application=site.application, address="192.0.2.2", method="HEAD")
        ).status == 200


async def test_lane_counts_the_owner_of_a_task_apart_at_each_address():
    put(make_running("t5", owner="5"), make_running("t6", owner="6"))
    site = Site()
    async with opened(2, site.application, make_target("t5")):
        assert (await ask(make_target("t6"), application=site.application, method="HEAD")).status == 200
        assert (await ask(make_target("t1"), application=site.application, method="HEAD")).status == 200
        assert (
            await ask(make_target("t5"), application=site.application, address="192.0.2.2", method="HEAD")
        ).status == 200
        assert site.asked == 0


async def test_stream_of_what_a_visitor_has_started_counts_for_its_address_in_the_lane():
    put(make_running("t5", owner=ANYONE))
    site = Site()
    async with opened(1, site.application, make_target("t5")):
        assert (site.asked, get_places().count(HERE)) == (0, 1)


async def test_stream_for_which_the_lane_has_no_place_is_judged_by_django():
    put(make_running("t5", owner="5"))
    site = Site()
    # The address itself has places left; a bearer of the owner's token is not the owner.
    async with opened(2, site.application, make_target("t5")), opened(2, site.application, make_target("t5")):
        assert site.asked == 2
        assert (await ask(make_target("t5"), application=site.application)).status == 429


async def test_stream_of_the_lane_gives_its_place_back():
    site = Site()
    assert (await ask(make_target(), application=site.application, method="HEAD")).status == 200
    await leave(make_exchange(make_target()).start(site.application))
    await until(lambda: get_places().count(HERE) == 0, "the places are given back")
    assert site.asked == 0


async def test_client_without_an_address_is_counted_in_the_lane():
    site = Site()
    exchange = await Exchange(make_target(), method="HEAD", scope={"client": None}).start(site.application).finish()
    assert (exchange.status, site.asked) == (200, 0)


# An EventSource comes back


async def test_event_source_is_refused_by_a_stream_that_has_it_come_back_after_a_while():
    async with opened(2):
        exchange = await ask(headers=EVENT_SOURCE)
    headers = dict(exchange.response_headers)
    assert (exchange.status, headers[b"Content-Type"], headers[b"Retry-After"]) == (200, b"text/event-stream", b"5")
    retry, event, data, *rest = exchange.body.decode().split("\n")
    problem = json.loads(data.removeprefix("data: "))
    assert (event, rest) == ("event: refused", ["", ""])
    assert (problem["status"], problem["title"]) == (429, "Too Many Requests")
    assert 5000 <= int(retry.removeprefix("retry: ")) <= 7500
    assert problem["retry_after"] == int(retry.removeprefix("retry: ")) / 1000


async def test_event_source_comes_back_where_the_process_is_full(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS": 1}
    async with opened(1):
        exchange = await ask(headers=EVENT_SOURCE)
    assert (exchange.status, b'"status":503' in exchange.body) == (200, True)


@pytest.mark.parametrize("target", ["/task-progress/unknown", f"{PLACE}?logs=7"])
async def test_event_source_whose_refusal_lasts_is_refused_for_good(target):
    assert (await ask(target, headers=EVENT_SOURCE)).status in (400, 404)


@pytest.mark.parametrize(
    "headers",
    [
        [("Accept", "text/event-stream")],
        [("Accept", "*/*"), ("Cache-Control", "no-cache")],
        [("Accept", "text/event-stream"), ("Cache-Control", "no-store")],
    ],
)
async def test_script_is_told_the_status(headers):
    async with opened(2):
        assert (await ask(headers=[HOST, *headers])).status == 429


# The log


@pytest.fixture
def mailed(settings: Any) -> Any:
    """Mails of errors, as Django sends them to admins by default."""
    settings.ADMINS = [("Admin", "admin@example.com")]
    handler = AdminEmailHandler()
    handler.setLevel(logging.ERROR)
    logging.getLogger("django").addHandler(handler)
    yield mail
    logging.getLogger("django").removeHandler(handler)


async def test_cache_that_fails_is_said_once_a_minute_without_a_mail_or_a_token(cache, caplog, mailed):
    token = make_token("t1")
    cache.break_down()
    for path in ["/tasks/t1"] * 10 + [PLACE]:  # a stream tries for seconds
        assert (await ask(f"{path}?token={token}")).status == 503
    cache.reset()
    assert [record.getMessage() for record in caplog.records if "answered with 503" in record.getMessage()] == [
        "requests are answered with 503 (said once a minute): the cache failed"
    ]
    assert {record.name for record in caplog.records} == {"tasks_app"}
    assert token not in caplog.text
    assert len(mailed.outbox) == 0


@pytest.mark.parametrize("setting", ["MAX_STREAMS", "MAX_STREAMS_PER_CLIENT"])
async def test_refusals_are_said_once_a_minute_without_a_mail_or_a_token(settings, caplog, mailed, setting):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_STREAMS_PER_CLIENT": None, setting: 1}
    token = make_token("t1")
    async with opened(1):
        for _ in range(30):
            assert (await ask(f"{PLACE}?token={token}")).status in (429, 503)
    assert [(record.name, record.levelname) for record in caplog.records] == [("tasks_app", "WARNING")]
    assert token not in caplog.text
    assert len(mailed.outbox) == 0


async def test_refusal_names_the_client_and_the_setting(caplog):
    async with opened(2):
        await ask()
    assert "client 'address:192.0.2.1'" in caplog.text
    assert "MAX_STREAMS_PER_CLIENT 2" in caplog.text


async def test_name_that_a_policy_gives_is_not_logged(settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.Named"}
    async with opened(2, target=f"{PLACE}?name=s3cret"):
        await ask(f"{PLACE}?name=s3cret")
    assert "MAX_STREAMS_PER_CLIENT" in caplog.text
    assert "s3cret" not in caplog.text
