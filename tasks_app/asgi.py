"""An optional ASGI wrapper: a short way for streams whose requests bear tokens, and a guard against slow readers."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .servers import (
    Application,
    GuardedSend,
    HasLeft,
    Lifespan,
    Receive,
    Scope,
    enter,
    find_request,
    is_own,
    open_stream,
    serve_stream,
)
from .streaming import Send

#: An application as other packages type its arguments.
AnyApplication = Callable[[Any, Any, Any], Awaitable[None]]

logger = logging.getLogger("tasks_app")


def wrap(application: AnyApplication, *, lane: bool = True) -> Application:
    """Return an ASGI application that opens streams at a fraction of their cost and drops those that are not read.

    It must be the outermost wrapper. If another one hides the `send` of the server, it neither drops slow readers nor
    writes frames directly; the same holds for HTTP/2. The logger "tasks_app" then reports at debug level that streams
    are not guarded.

    The lane: a request for a stream of this app that bears a valid token for each of its tasks, as `?token=` or
    `Authorization: Bearer`, is answered here, with the headers that Django's SecurityMiddleware and
    XFrameOptionsMiddleware add. No middleware sees it, because a token is the permission: neither a list of addresses,
    nor a maintenance mode, nor one that finds the tenant. On Daphne, and on uvicorn with httptools, its frames are
    written directly to the server, instead of waking the task of its request for each. All other requests are the
    application's: without a token, with an invalid one, for a host that is not in ALLOWED_HOSTS, from a page of
    another origin, over HTTP with SECURE_SSL_REDIRECT, and whatever is answered by anything but a stream.

    Turns: of the requests to this app that the application is to answer, 32 at a time are passed on to it, of each
    address MAX_REQUESTS_PER_CLIENT, until they are answered or, of a stream, the first part is sent. The others wait,
    and addresses have their turns. Of one that goes on asking for more, one request at a time is passed on, once those
    of others are answered that came before. So no client has the others wait for more than a few of its requests, and
    after a deploy, the first of thousands of streams is open at once, not with the last. Requests to the rest of the
    site pass as they come.

    Slow readers: Daphne keeps what it sends in memory until it is read. Here a response of the type
    `text/event-stream` waits while more than MAX_WRITE_BUFFER bytes are unsent, and its connection is dropped if its
    reader takes nothing for KEEPALIVE seconds. Other servers make a stream wait by themselves.

    Shutdown: a server that announces its stop by ASGI's lifespan, as uvicorn does, waits until the last snapshots of
    this process are written. uvicorn then kills itself with the signal, so `atexit` does not run.

    Args:
        application: any ASGI application; it is not changed.
        lane: whether streams may be answered without the application.

    Returns:
        The wrapped application.

    Raises:
        TypeError: `application` can't be called.
    """
    if not callable(application):
        raise TypeError(f"application is {application!r}; it must be an ASGI application, which is callable.")
    return _Wrapper(application, has_lane=lane)


class _Wrapper:
    def __init__(self, application: Application, *, has_lane: bool) -> None:
        #: Read by the check of what the lane passes by.
        self.has_tasks_app_lane = has_lane
        self._application = application
        self._is_unguarded = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await Lifespan(receive, send).serve(self._application, scope)
        elif scope["type"] != "http":
            await self._application(scope, receive, send)
        else:
            # Each coroutine around a stream costs it memory, so this one does all.
            guard, passage = self._make_guard(scope, send), None
            try:
                if self.has_tasks_app_lane and (found := await open_stream(scope)) is not None:
                    await serve_stream(found, scope, receive, guard or send)
                elif is_own(scope):
                    passage = await enter(scope, receive, guard or send)
                    await self._application(scope, passage.receive, passage.send)
                else:
                    await self._application(scope, receive, guard or send)
            except HasLeft:
                pass
            finally:
                if passage is not None:
                    passage.close()
                if guard is not None:
                    guard.close()

    def _make_guard(self, scope: Scope, send: Send) -> GuardedSend | None:
        if (request := find_request(send)) is not None:
            return GuardedSend(send, request, scope["path"])
        if not self._is_unguarded:
            self._is_unguarded = True
            logger.debug("streams are not guarded against slow readers: send is %r, not Daphne's for HTTP/1", send)
        return None
