"""A gate before the application: requests to this app wait there for their turn, a few of each client at a time.

Django gives each request a thread, and those that come at once share the processor. So who sends a hundred would have
everybody wait as long as those take together, and of thousands that come after a deploy the first would be answered
with the last. Here they wait without a thread, before any header, and whose turn it is goes by clients.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..conf import get_settings
from ..streaming import Message, Send
from ..utils.addresses import name_address
from ..utils.per_loop import PerLoop
from .endpoints import find_endpoint
from .lifespan import Receive, Scope
from .lines import Lines

logger = logging.getLogger("tasks_app")

#: Seconds for which a request keeps its place: one that takes longer waits for its client, or for something slow.
MAX_HOLD = 0.5


class HasLeft(Exception):
    """The client has left while its request waited."""


def is_own(scope: Scope) -> bool:
    """Return whether a request is one to this app; all others are the site's, and never wait here."""
    try:
        return find_endpoint(scope) is not None
    except Exception as error:
        logger.debug("a request is left to Django, after %r", error)  # which meets the same and says so
        return False


class Passage:
    """The `receive` and `send` of a request that has passed the gate; once it is answered, the next one passes.

    A stream is answered with its first part. `send` is no coroutine function, because each frame would then pass
    through one more coroutine.
    """

    __slots__ = ("_leave", "_send", "_timer", "receive")

    def __init__(self, receive: Receive, send: Send, leave: Callable[[], None] | None) -> None:
        self.receive, self._send, self._leave = receive, send, leave
        self._timer = asyncio.get_running_loop().call_later(MAX_HOLD, self._free)

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the answer."""
        if self._leave is not None and message.get("more_body", False):
            self._free()
        return self._send(message)

    def close(self) -> None:
        """Let the next request pass, also where this one was not answered, and ask its client for nothing more."""
        self._free()
        if isinstance(self.receive, _Received):
            self.receive.cancel()

    def _free(self) -> None:
        self._timer.cancel()
        if self._leave is not None:
            self._leave()
            self._leave = None


async def enter(scope: Scope, receive: Receive, send: Send) -> Passage:
    """Wait until it is a client's turn in the running event loop, and return what to go on with; close it at the end.

    Who the client is goes by its address alone: nobody is logged in here. After KEEPALIVE seconds it passes without a
    place, unless it is one of many of its client: what holds the places may be slow for reasons of its own. Until then
    nothing is sent.

    Raises:
        HasLeft: the client has left.
    """
    client, lines = name_address((scope.get("client") or [""])[0]), _get_lines()
    if (place := lines.take(client)) is not None:
        return Passage(receive, send, partial(lines.give_back, place))
    received, turn = _Received(receive), lines.line_up(client)
    try:
        has_place = await _wait(turn, received, lambda: lines.has_long(client))
    except BaseException:
        received.cancel()
        _leave_line(turn, lines)
        raise
    if not has_place:
        _leave_line(turn, lines)
    return Passage(received, send, partial(lines.give_back, turn.result()) if has_place else None)


async def _wait(turn: "asyncio.Future[int]", received: "_Received", must_go_on: Callable[[], bool]) -> bool:
    """Wait for a place; return False if it took KEEPALIVE seconds, unless it must go on then.

    Raises:
        HasLeft: the client has left.
    """
    loop, patience = asyncio.get_running_loop(), get_settings().KEEPALIVE
    end = loop.time() + patience
    while not turn.done() and ((left := end - loop.time()) > 0 or must_go_on()):
        awaited: set[asyncio.Future[Any]] = {turn, *received.pending}
        await asyncio.wait(awaited, timeout=left if left > 0 else patience, return_when=asyncio.FIRST_COMPLETED)
        received.note()
    return turn.done()


def _leave_line(turn: "asyncio.Future[int]", lines: Lines) -> None:
    if not turn.cancel():  # it has a place
        lines.give_back(turn.result())


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


_get_lines = PerLoop(Lines)
