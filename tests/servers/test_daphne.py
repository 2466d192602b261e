# ruff: noqa: N802 - the names are Twisted's
"""What the guard does where a real Daphne can't be brought to: transports that fail, or can't tell what waits."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app.servers.daphne import GuardedSend, find_request
from tests.support.viewers import until
from tests.support.waiting import DEADLINE

START = {"type": "http.response.start", "headers": [(b"Content-Type", b"text/event-stream")]}
FRAME = {"type": "http.response.body", "body": b"x" * 100, "more_body": True}


class Transport:
    """A transport that takes nothing, and notes what is asked of it."""

    def __init__(self) -> None:
        self.dataBuffer = b""
        self.offset = self._tempDataLen = 0
        self.connected, self.disconnected = True, False
        self.calls: list[str] = []

    def startWriting(self) -> None:
        self.calls.append("startWriting")

    def doWrite(self) -> None:
        self.calls.append("doWrite")

    def abortConnection(self) -> None:
        self.calls.append("abortConnection")


class SilentTransport(Transport):
    """A transport of another kind, which does not tell how much waits; it counts how often it was asked."""

    asked = 0

    @property
    def dataBuffer(self) -> bytes:
        self.asked += 1
        raise AttributeError

    @dataBuffer.setter
    def dataBuffer(self, value: bytes) -> None:
        pass


class Request:
    """What the guard needs of `twisted.web.http.Request`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.channel = SimpleNamespace(persistent=True)
        self.producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None


async def open_stream(transport: Transport, send: Any) -> tuple[Request, GuardedSend]:
    request = Request(transport)
    guarded = GuardedSend(send, request, "/")
    await guarded(START)
    return request, guarded


async def test_bytes_of_a_send_that_fails_are_written_when_the_socket_can_be():
    transport = Transport()

    async def send(message: Any) -> None:
        if message is FRAME:
            transport.dataBuffer += FRAME["body"]
            transport.startWriting()
            raise ValueError("after it was written")

    _, guarded = await open_stream(transport, send)
    with pytest.raises(ValueError, match="after it was written"):
        await guarded(FRAME)
    assert transport.calls == ["doWrite", "startWriting"]


async def test_reader_of_whom_nothing_is_known_is_waited_for(settings):
    settings.TASKS_APP = {"MAX_WRITE_BUFFER": 1, "KEEPALIVE": 0.01}
    transport, sent = SilentTransport(), []

    async def send(message: Any) -> None:
        sent.append(message)

    request, guarded = await open_stream(transport, send)
    request.producer.pauseProducing()
    await guarded(FRAME)
    asked = transport.asked
    waiting = asyncio.create_task(guarded(FRAME))
    await until(lambda: transport.asked > asked + 4, "it has waited for several KEEPALIVEs")
    assert sent == [START, FRAME]
    request.producer.resumeProducing()
    await asyncio.wait_for(waiting, DEADLINE)
    assert sent == [START, FRAME, FRAME]
    assert transport.calls == []


@pytest.mark.parametrize(
    "send",
    [print, SimpleNamespace(args=()), SimpleNamespace(args=(object(),))],
    ids=["function", "no args", "other args"],
)
def test_send_of_another_server_has_no_request_of_twisted(send):
    assert find_request(send) is None
