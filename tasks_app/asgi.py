"""An optional ASGI wrapper: few threads for all requests, a guard against readers that do not read, cheaper frames."""

import logging
from typing import Any

from .servers import (
    Application,
    CycleOutlet,
    GuardedSend,
    Lifespan,
    Receive,
    RequestThreads,
    Scope,
    batch_middleware,
    find_cycle,
    find_handlers,
    find_request,
)
from .streaming import EventStreamResponse, Outlet, Send

logger = logging.getLogger("tasks_app")


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
    reader then takes nothing for KEEPALIVE seconds. Other servers let a stream wait by themselves.

    And a stream of this app writes its frames straight to the server, of Daphne and of uvicorn with httptools, instead
    of waking its request's task for each; see `outlets`. That needs all that is between this and Django to hand on the
    `send` it was given.

    This must be the outermost wrapper: where another one hides the `send` of the server, there is neither a guard nor
    such a short way, as there is none for HTTP/2; the logger "tasks_app" tells of a missing guard at debug level.

    A server that says by ASGI's lifespan that it stops, as uvicorn does, has to wait until the last news of this
    process are written: uvicorn then ends by a signal of which Python says nothing to `atexit`.

    Args:
        application: any ASGI application; what is neither HTTP nor lifespan is handed on to it as it is. Django's
            handlers in it are changed in place.
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
    for handler in find_handlers(application):
        _introduce(handler)
    return _Wrapper(application, RequestThreads(threads))


class _Wrapper:
    def __init__(self, application: Application, threads: RequestThreads) -> None:
        self._application = application
        self._threads = threads
        self._is_unguarded = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await Lifespan(receive, send).serve(self._application, scope)
        elif scope["type"] != "http":
            await self._application(scope, receive, send)
        else:
            await self._respond(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (outlet := self._make_outlet(scope, send)) is not None:
            send = outlet
        async with self._threads.lend():
            try:
                await self._application(scope, receive, send)
            finally:
                if isinstance(outlet, GuardedSend):
                    outlet.close()

    def _make_outlet(self, scope: Scope, send: Send) -> Outlet | None:
        if (request := find_request(send)) is not None:
            return GuardedSend(send, request, scope["path"])
        self._tell_unguarded(send)
        cycle = find_cycle(send)
        return CycleOutlet(send, cycle) if cycle is not None else None

    def _tell_unguarded(self, send: Send) -> None:
        if not self._is_unguarded:
            self._is_unguarded = True
            logger.debug("streams are not guarded here: send is %r, not that of Daphne for HTTP/1", send)


def _introduce(handler: Any) -> None:
    """Have a Django handler tell the streams of this app the `send` that it was given.

    It is an outlet only where no other application stands in between, which might change or keep what is sent.
    """
    send_response = handler.send_response

    def introduce(response: Any, send: Send) -> Any:
        if isinstance(response, EventStreamResponse) and isinstance(send, Outlet):
            response.outlet = send
        return send_response(response, send)

    handler.send_response = introduce
