"""A server that says that it stops waits for the last news of the process, whatever the application makes of that."""

import asyncio
from typing import Any

import pytest

from tasks_app.asgi import wrap
from tasks_app.servers import lifespan
from tasks_app.streaming import Stream
from tests.support.waiting import DEADLINE

SCOPE = {"type": "lifespan", "asgi": {"version": "3.0"}}
COMPLETE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class Server:
    """Says that it starts and stops; `story` is all that happens, in this order."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self._messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive(self) -> dict[str, Any]:
        return {"type": next(self._messages)}

    async def send(self, message: Any) -> None:
        self.story.append(message["type"])

    async def run(self, application: Any) -> None:
        await asyncio.wait_for(wrap(application)(SCOPE, self.receive, self.send), 10)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(lifespan, "drain_process", lambda: server.story.append("written"))
    return server


async def read(stream: Stream) -> list[bytes]:
    """Return what a stream sends until its end, but for its first chunk."""
    return [chunk async for chunk in stream][1:]


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError(f"only HTTP, not {scope['type']}")


async def test_server_waits_for_the_last_news_where_the_application_has_no_use_for_that(server):
    await server.run(refuse)
    assert server.story == [COMPLETE[0], "written", COMPLETE[1]]


async def test_application_is_told_of_the_end_when_the_last_news_are_written(server):
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        for complete in COMPLETE:
            server.story.append((await receive())["type"])
            await send({"type": complete})

    await server.run(serve)
    assert server.story == ["lifespan.startup", COMPLETE[0], "written", "lifespan.shutdown", COMPLETE[1]]


async def test_application_that_fails_while_it_starts_does_so_for_the_server(server):
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        await server.run(fail)
    assert server.story == []


async def test_application_that_has_no_use_for_it_is_told_at_debug_level(server, caplog):
    caplog.set_level("DEBUG", "tasks_app")
    await server.run(refuse)
    assert "only HTTP, not lifespan" in caplog.text


async def test_wrapped_twice_is_as_good_as_once(server):
    await server.run(wrap(refuse))
    assert server.story == [COMPLETE[0], "written", "written", COMPLETE[1]]


async def test_server_that_says_so_ends_its_streams(server):
    opened = await Stream.open(["t1"])
    await server.run(refuse)
    assert await asyncio.wait_for(read(opened), DEADLINE) == []
