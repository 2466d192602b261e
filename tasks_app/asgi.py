"""An optional ASGI wrapper: few threads for all requests, a guard against slow readers, and cheaper frames."""

import logging
from collections.abc import Awaitable, Callable
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

#: An application as other packages type its arguments.
AnyApplication = Callable[[Any, Any, Any], Awaitable[None]]

logger = logging.getLogger("tasks_app")


def wrap(application: AnyApplication, *, threads: int = 16) -> Application:
    """Return an ASGI application that serves more requests a second and drops streams that are not read.

    It must be the outermost wrapper. If another one hides the `send` of the server, it neither drops slow readers nor
    writes frames directly; the same holds for HTTP/2. The logger "tasks_app" then reports at debug level that streams
    are not guarded.

    Threads: Django makes a thread for each request, for its sync middleware and views. Here all requests of the
    process share at most `threads` threads. A request has a thread of its own until it ends; streams of this app give
    theirs back before the first frame. While all threads are in use, the next request waits, and then takes turns with
    one that has run no sync code for 0.05 s. So if more than `threads` requests stay open (long polls, streams of
    other apps), two requests may use one thread, and what a middleware leaves on its database connection (a search
    path, a tenant) reaches the wrong one: do not use this wrapper there. Code that blocks its thread until another
    request of the same process is answered needs one more thread.

    Middleware: Django changes to that thread and back for each method of each middleware. Here neighbours in
    MIDDLEWARE share these changes, which halves the cost of opening a stream.

    Slow readers: Daphne keeps what it sends in memory until it is read. Here a response of the type
    `text/event-stream` waits while more than MAX_WRITE_BUFFER bytes are unsent, and its connection is dropped if its
    reader takes nothing for KEEPALIVE seconds. Other servers make a stream wait by themselves.

    Frames: on Daphne, and on uvicorn with httptools, a stream of this app writes its frames directly to the server,
    instead of waking the task of its request for each. This works only if every application between this wrapper and
    Django passes on the `send` that it is given.

    Shutdown: a server that announces its stop by ASGI's lifespan, as uvicorn does, waits until the last snapshots of
    this process are written. uvicorn then kills itself with the signal, so `atexit` does not run.

    Args:
        application: any ASGI application. It gets connections other than HTTP and lifespan unchanged. The Django
            handlers in it are changed in place.
        threads: the maximum number of threads of this process, at least 1. The default is enough for some hundred
            requests a second that wait 50 ms each for a database. Each thread may hold a database connection.

    Returns:
        The wrapped application.

    Raises:
        TypeError: `application` can't be called, or `threads` is not a whole number.
        ValueError: `threads` is less than 1.
    """
    if not callable(application):
        raise TypeError(f"application is {application!r}; it must be an ASGI application, which is callable.")
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise TypeError(f"threads is {threads!r}; it must be a whole number of at least 1.")
    if threads < 1:
        raise ValueError(f"threads is {threads!r}; it must be a whole number of at least 1.")
    batch_middleware(application)
    for handler in find_handlers(application):
        _pass_outlet(handler)
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
        self._log_unguarded(send)
        cycle = find_cycle(send)
        return CycleOutlet(send, cycle) if cycle is not None else None

    def _log_unguarded(self, send: Send) -> None:
        if not self._is_unguarded:
            self._is_unguarded = True
            logger.debug("streams are not guarded against slow readers: send is %r, not Daphne's for HTTP/1", send)


def _pass_outlet(handler: Any) -> None:
    """Make a Django handler give the streams of this app the `send` of the request, if that is an outlet.

    It is none if an application in between has replaced it, which might change or keep what is sent.
    """
    send_response = handler.send_response

    def send_with_outlet(response: Any, send: Send) -> Any:
        if isinstance(response, EventStreamResponse) and isinstance(send, Outlet):
            response.outlet = send
        return send_response(response, send)

    handler.send_response = send_with_outlet
