"""How many requests to this app the application has in work at a time, and whose turn is next."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tasks_app import make_token, urls
from tasks_app.asgi import wrap
from tasks_app.servers import endpoints, gate, lines
from tests.support.exchange import HOST, Exchange
from tests.support.viewers import make_running, put, until

STREAM = (HOST, ("Accept", "text/event-stream"))


class Site:
    """An application that begins its answers when it is told to.

    Attributes:
        asked: the paths of the requests that have reached it.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_begin, self.may_end = asyncio.Event(), asyncio.Event()
        self.application = wrap(self._answer, lane=False)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        await self.may_begin.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await self.may_end.wait()
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def site(monkeypatch) -> AsyncIterator[Site]:
    """A site that has two requests in work at a time."""
    monkeypatch.setattr(lines, "IN_WORK", 2)
    site = Site()
    yield site
    site.may_begin.set()
    site.may_end.set()


async def ask(
    site: Site, number: int, *, path: str = "/task-progress/t{}", address: str | None = "192.0.2.1", **parts: Any
) -> list[Exchange]:
    """Send so many requests, one after the other, and let all go on for a moment."""
    exchanges, client = [], None if address is None else (address, 1)
    for index in range(number):
        exchange = Exchange(path.format(index), **{"headers": STREAM, **parts, "scope": {"client": client}})
        exchanges.append(exchange.start(site.application))
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    return exchanges


async def finish(site: Site, exchanges: Sequence[Exchange]) -> None:
    site.may_begin.set()
    site.may_end.set()
    for exchange in exchanges:
        await exchange.finish()


async def test_streams_beyond_those_that_are_being_opened_wait(site):
    exchanges = await ask(site, 5)
    assert site.asked == ["/task-progress/t0", "/task-progress/t1"]
    await finish(site, exchanges)


async def test_streams_that_wait_are_opened_in_order_while_the_others_go_on(site):
    exchanges = await ask(site, 5)
    site.may_begin.set()
    await until(lambda: len(site.asked) == 5, "all are asked for")
    assert site.asked == [f"/task-progress/t{index}" for index in range(5)]
    await finish(site, exchanges)


async def test_stream_that_waits_has_been_sent_nothing(site):
    exchanges = await ask(site, 3)
    assert exchanges[2].sent == []
    await finish(site, exchanges)


async def test_stream_whose_application_fails_gives_its_place_to_the_next(site, monkeypatch):
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    broken = wrap(fail)
    for _ in range(3):
        exchange = Exchange("/task-progress/t0", headers=STREAM).start(broken)
        with pytest.raises(ZeroDivisionError):
            await exchange.finish()
    exchanges = await ask(site, 2)
    assert len(site.asked) == 2
    await finish(site, exchanges)


async def test_stream_that_is_cancelled_while_it_waits_leaves_the_line(site):
    exchanges = await ask(site, 4)
    exchanges[2].serving.cancel()
    site.may_begin.set()
    await until(lambda: len(site.asked) == 3, "the others are asked for")
    assert site.asked[-1] == "/task-progress/t3"
    await finish(site, [exchanges[0], exchanges[1], exchanges[3]])


async def test_stream_that_has_waited_for_long_passes_all_the_same(site, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "KEEPALIVE": 0.01}
    exchanges = await ask(site, 3)
    await until(lambda: len(site.asked) == 3, "it has passed")
    await finish(site, exchanges)


async def test_client_that_leaves_while_it_waits_is_let_go_of(site):
    exchanges = await ask(site, 3)
    exchanges[2].leave()
    await exchanges[2].finish()
    assert (exchanges[2].sent, len(site.asked)) == ([], 2)
    await finish(site, exchanges[:2])


async def test_client_that_leaves_gives_its_turn_to_the_next(site):
    exchanges = await ask(site, 4)
    exchanges[2].leave()
    await exchanges[2].finish()
    site.may_begin.set()
    await until(lambda: len(site.asked) == 3, "the others are asked for")
    assert site.asked[-1] == "/task-progress/t3"
    await finish(site, [exchanges[0], exchanges[1], exchanges[3]])


async def test_place_is_not_held_for_long(site, monkeypatch):
    monkeypatch.setattr(gate, "MAX_HOLD", 0.01)
    exchanges = await ask(site, 3)
    await until(lambda: len(site.asked) == 3, "it has passed")
    await finish(site, exchanges)


async def test_place_of_a_stream_is_free_with_its_first_part(site):
    exchanges = await ask(site, 3)
    site.may_begin.set()
    await until(lambda: len(site.asked) == 3, "the last has passed while the first goes on")
    assert not any(exchange.is_complete for exchange in exchanges[:2])
    await finish(site, exchanges)


async def test_place_of_any_other_answer_is_free_once_the_application_is_done(site):
    may_end, asked = asyncio.Event(), []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})
        await may_end.wait()

    site.application = wrap(answer, lane=False)
    exchanges = await ask(site, 3, path="/tasks/t{}")
    assert asked == ["/tasks/t0", "/tasks/t1"]
    may_end.set()
    await until(lambda: len(asked) == 3, "the last has passed")
    await finish(site, exchanges)


async def test_stream_that_has_waited_is_told_all_that_the_gate_was(site):
    told: list[str] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    exchanges = await ask(site, 2)
    waiting = Exchange("/task-progress/t9", headers=STREAM).start(wrap(listen, lane=False))
    await until(lambda: waiting.received == 2, "the gate listens for the client")
    assert told == []
    site.may_begin.set()
    await until(lambda: told == ["http.request"], "the application has its request")
    waiting.leave()
    await waiting.finish()
    assert told == ["http.request", "http.disconnect"]
    await finish(site, exchanges)


async def test_stream_that_has_waited_leaves_no_task_behind(site):
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks(loop)
    exchanges = await ask(site, 4)
    await finish(site, exchanges)
    await until(lambda: asyncio.all_tasks(loop) <= before, "nothing asks its client any more")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/start-task"),
        ("GET", "/task-progress/t{}"),
        ("HEAD", "/task-progress/t{}"),
        ("GET", "/task-progress"),
        ("GET", "/tasks"),
        ("GET", "/tasks/t{}"),
        ("POST", "/tasks/t{}/cancel"),
        ("POST", "/tasks/tokens"),
        ("GET", "/tasks/monitor"),
        ("GET", "/tasks/t{}/monitor/details"),
        ("PATCH", "/tasks"),
    ],
)
async def test_requests_to_each_endpoint_wait(site, method, path):
    exchanges = await ask(site, 5, headers=(HOST,), method=method, path=path)
    assert len(site.asked) == 2
    await finish(site, exchanges)


@pytest.mark.parametrize("path", ["/elsewhere/{}", "/tasks/t{}/elsewhere", "/task-progress/" + "x" * 2000])
async def test_requests_to_the_rest_of_the_site_do_not_wait(site, path):
    exchanges = await ask(site, 5, path=path)
    assert len(site.asked) == 5
    await finish(site, exchanges)


async def test_requests_to_the_rest_of_the_site_do_not_wait_for_others_of_their_client(site):
    exchanges = await ask(site, 5)
    exchanges += await ask(site, 1, path="/elsewhere/{}")
    assert site.asked[2:] == ["/elsewhere/0"]
    await finish(site, exchanges)


def test_no_path_of_an_endpoint_is_taken_for_one_of_the_site():
    assert [str(item.pattern) for item in urls.urlpatterns if endpoints.WORD not in str(item.pattern)] == []


async def test_urls_that_can_not_be_read_are_left_to_the_application(site, settings):
    settings.ROOT_URLCONF = "tests.no_such_module"
    exchanges = await ask(site, 3)
    assert len(site.asked) == 3
    await finish(site, exchanges)


# Clients


@pytest.fixture
def crowded(site, monkeypatch, settings) -> Site:
    """A site that has room for many, and has one request of each client in work at a time."""
    monkeypatch.setattr(lines, "IN_WORK", 32)
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_REQUESTS_PER_CLIENT": 1}
    return site


async def test_client_waits_for_its_own_requests_alone(crowded):
    exchanges = await ask(crowded, 5, path="/tasks/a{}", address="192.0.2.1")
    exchanges += await ask(crowded, 1, path="/tasks/b{}", address="192.0.2.2")
    assert crowded.asked == ["/tasks/a0", "/tasks/b0"]
    await finish(crowded, exchanges)


async def test_requests_of_one_client_pass_one_after_the_other(crowded):
    exchanges = await ask(crowded, 5)
    crowded.may_begin.set()
    await until(lambda: len(crowded.asked) == 5, "all have passed")
    assert crowded.asked == [f"/task-progress/t{index}" for index in range(5)]
    await finish(crowded, exchanges)


async def test_clients_have_their_turns(site, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_REQUESTS_PER_CLIENT": 2}
    exchanges = [
        exchange
        for name, number in [("a", 6), ("b", 2), ("c", 2)]
        for exchange in await ask(site, number, path=f"/tasks/{name}{{}}", address=f"192.0.2.{ord(name)}")
    ]
    assert site.asked == ["/tasks/a0", "/tasks/a1"]
    site.may_begin.set()
    await until(lambda: len(site.asked) == 10, "all have passed")
    assert [path[-2] for path in site.asked[2:]] == [*"abc", *"abc", *"aa"]
    await finish(site, exchanges)


async def test_addresses_of_one_network_are_one_client(crowded):
    exchanges = await ask(crowded, 1, address="2001:db8::1") + await ask(crowded, 1, address="2001:db8::2")
    assert len(crowded.asked) == 1
    await finish(crowded, exchanges)


async def test_clients_without_an_address_are_one(crowded):
    exchanges = await ask(crowded, 2, address=None)
    assert len(crowded.asked) == 1
    await finish(crowded, exchanges)


async def test_request_of_a_long_line_does_not_pass_without_a_place(crowded, settings, monkeypatch):
    monkeypatch.setattr(lines, "FREE_TURNS", 1)
    monkeypatch.setattr(lines, "IN_WORK", 2)
    exchanges = await ask(crowded, 3, path="/tasks/a{}", address="192.0.2.1")
    exchanges.pop(0).serving.cancel()
    await until(lambda: len(crowded.asked) == 2, "the line has moved")
    exchanges += await ask(crowded, 1, path="/tasks/b{}", address="192.0.2.2")
    settings.TASKS_APP = {**settings.TASKS_APP, "KEEPALIVE": 0.01}
    exchanges += await ask(crowded, 1, path="/tasks/late", address="192.0.2.1")
    exchanges += await ask(crowded, 1, path="/tasks/c{}", address="192.0.2.3")
    await until(lambda: len(crowded.asked) == 4, "one that came later has passed after so long")
    assert crowded.asked == ["/tasks/a0", "/tasks/a1", "/tasks/b0", "/tasks/c0"]
    await finish(crowded, exchanges)


async def test_client_whose_requests_have_left_is_forgotten(crowded):
    exchanges = await ask(crowded, 4)
    for exchange in exchanges[1:]:
        exchange.leave()
        await exchange.finish()
    await finish(crowded, exchanges[:1])
    kept = vars(gate._get_lines())
    assert [kept[name] for name in ("_in_work", "_counts", "_lines", "_resting")] == [{}, {}, {}, {}]


async def test_stream_with_a_token_does_not_wait(crowded):
    exchanges = await ask(crowded, 2)
    put(make_running("t9"))
    crowded.application = wrap(crowded.application)
    (stream,) = await ask(crowded, 1, path=f"/task-progress/t9?token={make_token('t9')}")
    await stream.read_until(b"data: {")
    stream.leave()
    await stream.finish()
    await finish(crowded, exchanges)


async def test_body_of_a_request_that_has_waited_reaches_the_application_whole(crowded):
    bodies: list[bytes] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    exchanges = await ask(crowded, 1)
    crowded.application = wrap(listen, lane=False)
    exchanges += await ask(crowded, 1, method="POST", path="/start-task", request_body=b"{}")
    assert bodies == []
    crowded.may_begin.set()
    await until(lambda: bodies == [b"{}"], "it has passed")
    await finish(crowded, exchanges)
