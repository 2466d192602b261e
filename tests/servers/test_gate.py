"""How many streams the application opens at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tasks_app.asgi import wrap
from tasks_app.servers import gate
from tests.support.exchange import HOST, Exchange
from tests.support.viewers import until

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
    """A site that opens two streams at a time."""
    monkeypatch.setattr(gate, "OPENING", 2)
    site = Site()
    yield site
    site.may_begin.set()
    site.may_end.set()


async def ask(site: Site, number: int, *, headers: Any = STREAM, path: str = "/task-progress/t{}") -> list[Exchange]:
    """Send so many requests, one after the other, and let all go on for a moment."""
    exchanges = []
    for index in range(number):
        exchanges.append(Exchange(path.format(index), headers=headers).start(site.application))
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
    ("headers", "path"),
    [
        pytest.param((HOST,), "/task-progress/t{}", id="no browser"),
        pytest.param(STREAM, "/elsewhere/{}", id="another path"),
        pytest.param((HOST, ("Accept", "text/html")), "/task-progress/t{}", id="a page"),
    ],
)
async def test_other_requests_do_not_wait(site, headers, path):
    exchanges = await ask(site, 5, headers=headers, path=path)
    assert len(site.asked) == 5
    await finish(site, exchanges)


async def test_urls_that_can_not_be_read_are_left_to_the_application(site, settings):
    settings.ROOT_URLCONF = "tests.no_such_module"
    exchanges = await ask(site, 3)
    assert len(site.asked) == 3
    await finish(site, exchanges)
