"""A guard against slow readers on Daphne, whose `send` keeps everything in memory until it is read."""

import asyncio
import logging
from collections.abc import Awaitable
from contextvars import Context
from typing import Any

from ..conf import get_settings
from ..streaming import Framed, Message, Outlet, Send, get_buffers
from ..utils.transports import count_unread, count_unsent, is_stuck

logger = logging.getLogger("tasks_app")


def find_request(send: Send) -> Any:
    """Return the `twisted.web.http.Request` to which Daphne's `send`, a partial, is bound.

    Returns:
        None if `send` is not Daphne's for HTTP/1.
    """
    request: Any = next(iter(getattr(send, "args", ())), None)
    is_twisted = callable(getattr(request, "registerProducer", None))
    return request if is_twisted and hasattr(request.transport, "abortConnection") else None


class GuardedSend(Outlet):
    """The `send` of one request, which guards a stream from its headers on and passes any other response through.

    Args:
        send: the `send` of Daphne.
        request: the result of `find_request` for it.
        path: the path of the request, for the log.
    """

    __slots__ = ("_guard", "_path", "_plain", "_request")

    def __init__(self, send: Send, request: Any, path: str) -> None:
        super().__init__(self._begin)
        self._plain = send
        self._request = request
        self._path = path
        self._guard: _Guard | None = None

    def write(self, framed: Framed) -> bool:
        """Send a part of a stream's body at once, unless its reader is behind or gone.

        Returns:
            Whether it was sent.
        """
        return self._guard is not None and self._guard.write(framed.frame)

    def close(self) -> None:
        """End the guard, once the application has returned."""
        if self._guard is not None:
            self._guard.close()

    def _begin(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._send = self._plain
            if _is_stream(message) and _is_open(self._request):
                self._guard = _Guard(self._request, self._path, self._plain)
                self._send = self._guard.send
        return self._plain(message)


class _Guard:
    """The backpressure of one stream: a "producer" that Twisted tells when bytes begin to wait and when all are sent.

    While bytes wait, the bytes of further frames are counted; above MAX_WRITE_BUFFER, `send` waits.
    """

    __slots__ = (
        "_can_write_through",
        "_channel",
        "_drained",
        "_limit",
        "_path",
        "_read_timeout",
        "_request",
        "_send",
        "_transport",
        "_unsent",
    )

    def __init__(self, request: Any, path: str, send: Send) -> None:
        settings = get_settings()
        self._limit = settings.MAX_WRITE_BUFFER
        self._read_timeout = settings.KEEPALIVE
        self._request = request
        self._transport = request.transport
        self._channel = request.channel
        self._path = path
        self._send = send
        self._unsent = 0
        self._drained: asyncio.Event | None = None  # None: no bytes wait
        unsent = count_unsent(self._transport)
        self._can_write_through = unsent is not None and hasattr(self._transport, "doWrite")
        if unsent or not self._can_write_through:
            self._register()

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message, as fast as the reader reads."""
        if not message.get("more_body", False):
            return self._send(message)
        if self._drained is not None:
            return self._send_slowly(message)
        if self._can_write_through:
            return self._send_at_once(message)
        return self._send(message)

    def write(self, frame: bytes) -> bool:
        """Send a part of the body at once, unless bytes wait already.

        Returns:
            Whether it was sent.
        """
        if self._drained is not None or not self._can_write_through or not _is_open(self._request):
            return False
        self._transport.startWriting = _do_nothing
        try:
            self._request.write(frame)
        finally:
            self._write_through()
        return True

    def close(self) -> None:
        """Unregister from the request; if its connection ends with it, watch it until all bytes are sent."""
        self._let_go()
        if not self._channel.persistent:  # Twisted itself watches persistent ones
            self._watch_rest()

    def count_unsent(self) -> int:
        """Return how many bytes wait for the reader."""
        return count_unsent(self._transport) or 0

    def drop(self) -> None:
        """Drop the connection, with what waits; a normal close would wait until all is sent."""
        self._transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802  # the names of all three are Twisted's
        """Begin to count bytes, since some wait."""
        if self._drained is None:
            self._drained = asyncio.Event()
            self._unsent = self.count_unsent()
            get_buffers().add(self, self._unsent)

    def resumeProducing(self) -> None:  # noqa: N802
        """Let `send` go on, since all bytes are sent."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None
            get_buffers().discard(self)

    def stopProducing(self) -> None:  # noqa: N802
        """Let `send` go on, since the connection is gone."""
        self.resumeProducing()

    def _register(self) -> None:
        """Have Twisted tell when bytes wait; the few streams with such readers pay for it in memory."""
        if self._request.producer is not self and _is_open(self._request):
            self._request.registerProducer(self, True)
            self._request.finish = self._finish
            if getattr(self._channel, "_waitingForTransport", False):  # Twisted tells it only once
                self.pauseProducing()

    def _finish(self) -> None:
        """Unregister and finish the response; the request's own method fails while a producer is registered."""
        self._let_go()
        self._request.finish()

    def _let_go(self) -> None:
        self.resumeProducing()
        vars(self._request).pop("finish", None)
        if self._request.producer is self:
            if _is_open(self._request):
                self._request.unregisterProducer()
            self._request.producer = None  # else only the garbage collector would free both

    async def _send_at_once(self, message: Message) -> None:
        """Send a message and write it to the socket at once.

        Twisted would first have the event loop watch the socket until it is writable, which it nearly always is, and
        then end the watch: two more system calls for each frame.
        """
        self._transport.startWriting = _do_nothing
        try:
            await self._send(message)
        finally:
            self._write_through()

    def _write_through(self) -> None:
        transport = self._transport
        del transport.startWriting
        # The event loop handles bytes that could not be written, and errors.
        if transport.connected and (transport.doWrite() or count_unsent(transport)):
            transport.startWriting()
            self._register()

    async def _send_slowly(self, message: Message) -> None:
        await self._drain()
        size = len(message.get("body", b""))
        self._unsent += size
        get_buffers().grow(size)
        await self._send(message)

    async def _drain(self) -> None:
        while self._drained is not None and self._unsent > self._limit:
            before = count_unread(self._transport)
            try:
                async with asyncio.timeout(self._read_timeout):
                    await self._drained.wait()
            except TimeoutError:
                if is_stuck(self._transport, before):
                    self._cut(self._unsent)
                    return

    def _watch_rest(self) -> None:
        if count_unsent(self._transport) and not self._transport.disconnected:
            before = count_unread(self._transport)
            # An empty context, so that the timer keeps nothing of the request alive.
            asyncio.get_running_loop().call_later(self._read_timeout, self._judge_rest, before, context=Context())

    def _judge_rest(self, before: int | None) -> None:
        unsent = count_unsent(self._transport)
        if unsent and not self._transport.disconnected and is_stuck(self._transport, before):
            self._cut(unsent)
        else:
            self._watch_rest()

    def _cut(self, unsent: int) -> None:
        logger.warning(
            "a stream was cut: its reader took none of %d bytes in %g s; path %r",
            unsent,
            self._read_timeout,
            self._path,
        )
        self.drop()


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def _is_open(request: Any) -> bool:
    return getattr(request, "channel", None) is not None  # Twisted deletes it when the response is finished


def _do_nothing() -> None:
    pass
