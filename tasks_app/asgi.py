"""An optional ASGI wrapper: a few threads for all requests, and a guard against readers that do not read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .batching import batch_middleware
from .conf import get_settings
from .threads import RequestThreads

logger = logging.getLogger("tasks_app")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def wrap(application: Application, *, threads: int = 16) -> Application:
    """Return an ASGI application that serves more requests a second, and drops streams that nobody reads.

    Django makes a thread for each request, for its sync middleware and views. Here all requests of the process share a
    few. A request has one alone until it ends; streams of this app give theirs back before their first frame. While
    all are in use, the next request waits, and takes turns with one that has run no sync code for a moment. So where
    more than `threads` requests stay open (long polls, streams of other apps), what a middleware leaves on the
    database connection of its thread (a search path, a tenant) may meet another request; do not use this there. Code
    that blocks its thread until another request of the same process is answered needs one more.

    Django also changes to that thread and back for each method of each middleware. Here one change serves all that
    stand next to each other in MIDDLEWARE, which halves what it costs to open a stream; see `batching`.

    Daphne takes whatever it is given to send, and keeps it in memory until it is read. Here a response of the type
    `text/event-stream` waits once more than MAX_WRITE_BUFFER bytes are unsent, and its connection is dropped if its
    reader then takes nothing for KEEPALIVE seconds. Other servers let a stream wait by themselves. And what a stream
    sends is written to the socket at once, not when the event loop comes round again. This must be the
    outermost wrapper: where another one hides the `send` of Daphne, there is no such guard, as there is none for
    HTTP/2; the logger "tasks_app" says so at debug level.

    Args:
        application: any ASGI application; what is not HTTP is handed on to it as it is. Django's handlers in it
            are changed in place.
        threads: threads of this process at the most, at least 1. The default is enough for some hundred requests a
            second that wait 50 ms each for a database; each thread may hold a connection to that.

    Raises:
        TypeError: `application` can't be called, or `threads` is not a whole number.
        ValueError: `threads` is less than 1.
    """
    if not callable(application):
        raise TypeError(f"application is {application!r}; it must be an ASGI application.")
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise TypeError(f"threads is {threads!r}; it must be a whole number of at least 1.")
    if threads < 1:
        raise ValueError(f"threads is {threads!r}; it must be a whole number of at least 1.")
    batch_middleware(application)
    return _Wrapper(application, RequestThreads(threads))


class _Wrapper:
    def __init__(self, application: Application, threads: RequestThreads) -> None:
        self._application = application
        self._threads = threads
        self._is_unguarded = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        guarded = self._guard(scope, send)
        async with self._threads.lend():
            try:
                await self._application(scope, receive, guarded or send)
            finally:
                if guarded is not None:
                    guarded.close()

    def _guard(self, scope: Scope, send: Send) -> "_Sender | None":
        if (request := _find_request(send)) is not None:
            return _Sender(request, scope["path"], send)
        self._tell_unguarded(send)
        return None

    def _tell_unguarded(self, send: Send) -> None:
        if not self._is_unguarded:
            self._is_unguarded = True
            logger.debug("streams are not guarded here: send is %r, not that of Daphne for HTTP/1", send)


def _find_request(send: Send) -> Any:
    """Return the `twisted.web.http.Request` to which Daphne's `send`, a partial, is bound; None for any other."""
    request: Any = next(iter(getattr(send, "args", ())), None)
    is_twisted = callable(getattr(request, "registerProducer", None))
    return request if is_twisted and hasattr(request.transport, "abortConnection") else None


class _Sender:
    """`send` for one request; from its headers on, a stream is guarded, and anything else is not looked at."""

    __slots__ = ("_deliver", "_guard", "_path", "_request", "_send")

    def __init__(self, request: Any, path: str, send: Send) -> None:
        self._request = request
        self._path = path
        self._send = send
        self._guard: _Guard | None = None
        self._deliver: Send = self._begin

    def __call__(self, message: Message) -> Awaitable[None]:
        return self._deliver(message)

    def close(self) -> None:
        if self._guard is not None:
            self._guard.close()

    def _begin(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._deliver = self._send
            if _is_stream(message) and _is_open(self._request):
                self._guard = _Guard(self._request, self._path, self._send)
                self._deliver = self._guard.send
        return self._send(message)


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def _is_open(request: Any) -> bool:
    return getattr(request, "channel", None) is not None  # Twisted deletes it when the response is finished


class _Guard:
    """Backpressure for one stream: Twisted tells it, as a "producer", when bytes begin to wait and when all are sent.

    While bytes wait, those of the frames that follow are counted; over MAX_WRITE_BUFFER, `send` waits too.
    """

    __slots__ = ("_can_write_through", "_drained", "_limit", "_path", "_patience", "_request", "_send", "_unsent")

    def __init__(self, request: Any, path: str, send: Send) -> None:
        settings = get_settings()
        self._limit = settings.MAX_WRITE_BUFFER
        self._patience = settings.KEEPALIVE
        self._request = request
        self._path = path
        self._send = send
        self._unsent = 0
        self._drained: asyncio.Event | None = None  # None: no bytes wait
        self._can_write_through = _measure(request.transport) is not None and hasattr(request.transport, "doWrite")
        request.registerProducer(self, True)
        if getattr(request.channel, "_waitingForTransport", False):  # for what was sent before; it isn't told again
            self.pauseProducing()

    def send(self, message: Message) -> Awaitable[None]:
        """Send, as fast as the reader reads."""
        if not message.get("more_body", False):
            self.close()  # before Twisted finishes the response, which would be an error
        elif self._drained is not None:
            return self._send_slowly(message)
        elif self._can_write_through:
            return self._send_at_once(message)
        return self._send(message)

    def close(self) -> None:
        """Let go of the request, as often as one likes."""
        self.resumeProducing()
        if self._request.producer is self:
            if _is_open(self._request):
                self._request.unregisterProducer()
            self._request.producer = None  # both would else wait for the garbage collector

    def pauseProducing(self) -> None:  # noqa: N802  # the names of all three are Twisted's
        """Take note that bytes wait."""
        if self._drained is None:
            self._drained = asyncio.Event()
            self._unsent = _measure(self._request.transport) or 0

    def resumeProducing(self) -> None:  # noqa: N802
        """Take note that all bytes were sent."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def stopProducing(self) -> None:  # noqa: N802
        """Take note that the connection is gone."""
        self.resumeProducing()

    async def _send_at_once(self, message: Message) -> None:
        """Write what is sent to the socket right away.

        Twisted would have the event loop watch the socket, come back when it can be written to, as it nearly always
        can, write, and have the watch taken off: a third of what a frame costs.
        """
        transport = self._request.transport
        transport.startWriting = _do_nothing
        try:
            await self._send(message)
        finally:
            del transport.startWriting
        # What could not be written, an error too, is left to the event loop.
        if transport.connected and (transport.doWrite() or _measure(transport)):
            transport.startWriting()

    async def _send_slowly(self, message: Message) -> None:
        await self._drain()
        self._unsent += len(message.get("body", b""))
        await self._send(message)

    async def _drain(self) -> None:
        while self._drained is not None and self._unsent > self._limit:
            before = _measure(self._request.transport)
            try:
                async with asyncio.timeout(self._patience):
                    await self._drained.wait()
            except TimeoutError:
                if _measure(self._request.transport) == before:
                    self._cut()
                    return

    def _cut(self) -> None:
        logger.warning(
            "a stream was cut: its reader took none of the %d bytes that waited, for %g s; path %r",
            self._unsent,
            self._patience,
            self._path,
        )
        # A polite close would wait until all is sent.
        self._request.transport.abortConnection()


def _measure(transport: Any) -> int | None:
    """Return how many bytes wait in a Twisted transport; None if it is one that can't tell."""
    try:
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
    except AttributeError:
        return None


def _do_nothing() -> None:
    pass
