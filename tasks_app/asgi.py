"""An optional ASGI wrapper: a few threads for all requests, and a guard against readers that do not read."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .batching import batch_middleware
from .guard import GuardedSend, Message, Send, find_request
from .threads import RequestThreads

logger = logging.getLogger("tasks_app")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
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

    def _guard(self, scope: Scope, send: Send) -> GuardedSend | None:
        if (request := find_request(send)) is not None:
            return GuardedSend(request, scope["path"], send)
        self._tell_unguarded(send)
        return None

    def _tell_unguarded(self, send: Send) -> None:
        if not self._is_unguarded:
            self._is_unguarded = True
            logger.debug("streams are not guarded here: send is %r, not that of Daphne for HTTP/1", send)
