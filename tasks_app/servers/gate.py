"""A gate before the application: streams that it is to open wait in order while it opens others.

Django gives each request a thread. Thousands that come at once after a deploy would share the processor among their
threads, so that the first of them was open when the last was; here they wait without a thread, and before any header.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..conf import get_settings
from ..streaming import CONTENT_TYPE, Message, Send
from ..utils.per_loop import PerLoop
from .endpoints import find_endpoint
from .lifespan import Receive, Scope

logger = logging.getLogger("tasks_app")

#: How many streams the application opens at a time; more are not faster, and cost more each.
OPENING = 32

#: Seconds for which a stream keeps its place: one that takes longer waits for its client, or for something slow.
MAX_HOLD = 1.0

_TYPE = CONTENT_TYPE.encode()


class HasLeft(Exception):
    """The client has left while its stream waited."""


def is_stream(scope: Scope) -> bool:
    """Return whether a request asks for a stream of this app, as browsers do: by the type that it accepts."""
    accepted = (value for name, value in scope.get("headers", ()) if name == b"accept")
    if scope.get("method") != "GET" or not any(_TYPE in value for value in accepted):
        return False
    try:
        return find_endpoint(scope) is not None
    except Exception as error:
        logger.debug("a request is left to Django, after %r", error)  # which meets the same and says so
        return False


class Passage:
    """The `receive` and `send` of a stream that has passed the gate; when its answer begins, the next one passes.

    `send` is no coroutine function, because each frame would then pass through one more coroutine.
    """

    __slots__ = ("_leave", "_send", "_timer", "receive")

    def __init__(self, receive: Receive, send: Send, leave: Callable[[], None] | None) -> None:
        self.receive, self._send, self._leave = receive, send, leave
        self._timer = asyncio.get_running_loop().call_later(MAX_HOLD, self._free)

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the answer."""
        if self._leave is not None:
            self._free()
        return self._send(message)

    def close(self) -> None:
        """Let the next stream pass, also where this one was not opened, and ask its client for nothing more."""
        self._free()
        if isinstance(self.receive, _Received):
            self.receive.cancel()

    def _free(self) -> None:
        self._timer.cancel()
        if self._leave is not None:
            self._leave()
            self._leave = None


async def enter(receive: Receive, send: Send) -> Passage:
    """Wait for a place in the gate of the running event loop, and return what to go on with; close it at the end.

    After KEEPALIVE seconds it passes without a place: what holds the places may be slow for reasons of its own. Until
    then nothing is sent, since nobody knows yet whether it may be a stream.

    Raises:
        HasLeft: the client has left.
    """
    gate = _get_gate()
    if not gate.locked():
        await gate.acquire()  # does not wait
        return Passage(receive, send, gate.release)
    received, acquiring = _Received(receive), asyncio.ensure_future(gate.acquire())
    try:
        has_place = await _wait(acquiring, received)
    except BaseException:
        received.cancel()
        _give_back(acquiring, gate)
        raise
    if not has_place:
        _give_back(acquiring, gate)
    return Passage(received, send, gate.release if has_place else None)


async def _wait(acquiring: "asyncio.Future[Any]", received: "_Received") -> bool:
    """Wait for the place; return False if it took too long.

    Raises:
        HasLeft: the client has left.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + get_settings().KEEPALIVE
    while not acquiring.done() and (left := end - loop.time()) > 0:
        await asyncio.wait({acquiring, *received.pending}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        received.note()
    return acquiring.done()


def _give_back(acquiring: "asyncio.Future[Any]", gate: asyncio.Semaphore) -> None:
    if not acquiring.cancel():  # it has the place
        gate.release()


class _Received:
    """The `receive` of a request of which the gate has looked at the first message, to see if the client leaves."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self.pending: set[asyncio.Future[Message]] = {asyncio.ensure_future(receive())}

    async def __call__(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        return await (self.pending.pop() if self.pending else self._receive())

    def note(self) -> None:
        """Note what has come; of a body that comes in parts, which may be long, only the first is asked for.

        Raises:
            HasLeft: the client has left.
        """
        for future in [future for future in self.pending if future.done()]:
            self.pending.remove(future)
            self._messages.append(message := future.result())
            if message["type"] == "http.disconnect":
                raise HasLeft
            if not message.get("more_body", False):
                self.pending.add(asyncio.ensure_future(self._receive()))

    def cancel(self) -> None:
        """Ask for nothing more."""
        for future in self.pending:
            future.cancel()


_get_gate = PerLoop(lambda: asyncio.Semaphore(OPENING))
