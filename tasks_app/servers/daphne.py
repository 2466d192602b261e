"""A guard against readers that do not read, for Daphne, whose `send` keeps in memory whatever it is given."""

import asyncio
import logging
import sys
from collections.abc import Awaitable
from contextvars import Context
from typing import Any

from ..conf import get_settings
from ..streaming import Framed, Message, Outlet, Send

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger("tasks_app")


def find_request(send: Send) -> Any:
    """Return the `twisted.web.http.Request` to which Daphne's `send`, a partial, is bound; None for any other."""
    request: Any = next(iter(getattr(send, "args", ())), None)
    is_twisted = callable(getattr(request, "registerProducer", None))
    return request if is_twisted and hasattr(request.transport, "abortConnection") else None


class GuardedSend(Outlet):
    """`send` for one request; from its headers on, a stream is guarded, and anything else is not looked at.

    Args:
        send: that of Daphne.
        request: what `find_request` has found for it.
        path: of the request, for the log.
    """

    __slots__ = ("_guard", "_path", "_plain", "_request")

    def __init__(self, send: Send, request: Any, path: str) -> None:
        super().__init__(self._begin)
        self._plain = send
        self._request = request
        self._path = path
        self._guard: _Guard | None = None

    def write(self, framed: Framed) -> bool:
        """Send a part of the body of a stream at once, unless its reader is behind, or gone."""
        return self._guard is not None and self._guard.write(framed.frame)

    def close(self) -> None:
        """Take note that the application has returned."""
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
    """Backpressure for one stream: Twisted tells it, as a "producer", when bytes begin to wait and when all are sent.

    While bytes wait, those of the frames that follow are counted; over MAX_WRITE_BUFFER, `send` waits too.
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
        self._can_write_through = _count_unsent(self._transport) is not None and hasattr(self._transport, "doWrite")
        request.registerProducer(self, True)
        request.finish = self._finish
        if getattr(request.channel, "_waitingForTransport", False):  # for what was sent before; it isn't told again
            self.pauseProducing()

    def send(self, message: Message) -> Awaitable[None]:
        """Send, as fast as the reader reads."""
        if not message.get("more_body", False):
            return self._send(message)
        if self._drained is not None:
            return self._send_slowly(message)
        if self._can_write_through:
            return self._send_at_once(message)
        return self._send(message)

    def write(self, frame: bytes) -> bool:
        """Send a part of the body at once, unless bytes wait already."""
        if self._drained is not None or not self._can_write_through or not _is_open(self._request):
            return False
        self._transport.startWriting = _do_nothing
        try:
            self._request.write(frame)
        finally:
            self._write_through()
        return True

    def close(self) -> None:
        """Let go of the request; what is left of a connection that ends with it is looked after until it is sent."""
        self._let_go()
        if not self._channel.persistent:  # of others, Twisted takes care
            self._watch_rest()

    def pauseProducing(self) -> None:  # noqa: N802  # the names of all three are Twisted's
        """Take note that bytes wait."""
        if self._drained is None:
            self._drained = asyncio.Event()
            self._unsent = _count_unsent(self._transport) or 0

    def resumeProducing(self) -> None:  # noqa: N802
        """Take note that all bytes were sent."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def stopProducing(self) -> None:  # noqa: N802
        """Take note that the connection is gone."""
        self.resumeProducing()

    def _finish(self) -> None:
        """Finish the response, in place of the request's own method: a producer that is left would be an error."""
        self._let_go()
        self._request.finish()

    def _let_go(self) -> None:
        self.resumeProducing()
        vars(self._request).pop("finish", None)
        if self._request.producer is self:
            if _is_open(self._request):
                self._request.unregisterProducer()
            self._request.producer = None  # both would else wait for the garbage collector

    async def _send_at_once(self, message: Message) -> None:
        """Write what is sent to the socket right away.

        Twisted would have the event loop watch the socket, come back when it can be written to, as it nearly always
        can, write, and have the watch taken off: two system calls more for each frame.
        """
        self._transport.startWriting = _do_nothing
        try:
            await self._send(message)
        finally:
            self._write_through()

    def _write_through(self) -> None:
        transport = self._transport
        del transport.startWriting
        # What could not be written, an error too, is left to the event loop.
        if transport.connected and (transport.doWrite() or _count_unsent(transport)):
            transport.startWriting()

    async def _send_slowly(self, message: Message) -> None:
        await self._drain()
        self._unsent += len(message.get("body", b""))
        await self._send(message)

    async def _drain(self) -> None:
        while self._drained is not None and self._unsent > self._limit:
            before = _count_unread(self._transport)
            try:
                async with asyncio.timeout(self._read_timeout):
                    await self._drained.wait()
            except TimeoutError:
                if _is_stuck(self._transport, before):
                    self._cut(self._unsent)
                    return

    def _watch_rest(self) -> None:
        if _count_unsent(self._transport) and not self._transport.disconnected:
            before = _count_unread(self._transport)
            # A context of its own: nothing of the request stays with it.
            asyncio.get_running_loop().call_later(self._read_timeout, self._judge_rest, before, context=Context())

    def _judge_rest(self, before: int | None) -> None:
        unsent = _count_unsent(self._transport)
        if unsent and not self._transport.disconnected and _is_stuck(self._transport, before):
            self._cut(unsent)
        else:
            self._watch_rest()

    def _cut(self, unsent: int) -> None:
        logger.warning(
            "a stream was cut: its reader took none of the %d bytes that waited, for %g s; path %r",
            unsent,
            self._read_timeout,
            self._path,
        )
        # A polite close would wait until all is sent.
        self._transport.abortConnection()


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def _is_open(request: Any) -> bool:
    return getattr(request, "channel", None) is not None  # Twisted deletes it when the response is finished


def _is_stuck(transport: Any, before: int | None) -> bool:
    """Has the reader taken nothing since so many bytes were unread? Where that can't be known it is believed."""
    return before is not None and _count_unread(transport) == before


def _count_unread(transport: Any) -> int | None:
    """Return how many bytes are on their way to the reader, in Twisted and in the kernel; None if that isn't known.

    The kernel takes more from Twisted only when it is rid of much: a slow reader may need minutes for that.
    """
    unsent = _count_unsent(transport)
    return None if unsent is None else unsent + _count_unacknowledged(transport)


def _count_unsent(transport: Any) -> int | None:
    """Return how many bytes wait in a Twisted transport; None if it is one that can't tell."""
    try:
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
    except AttributeError:
        return None


def _count_unacknowledged(transport: Any) -> int:
    """Return how many bytes the kernel keeps until the reader's has taken them; 0 where it does not tell."""
    if fcntl is None:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(transport.socket.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (AttributeError, OSError):  # the connection is closed, or it is a system where sockets do not tell
        return 0


def _do_nothing() -> None:
    pass
