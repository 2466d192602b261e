"""The lane: a stream whose request bears tokens for its tasks is answered here, below Django's handler.

It makes no request object, and runs no middleware, no thread and no session. What it can't judge, and whatever must be
answered by anything but a stream, is left to Django, whose view is the reference.
"""

import asyncio
import logging
from typing import NamedTuple

from ..conf import get_settings
from ..http import WantedStream, parse_stream
from ..snapshot import ANYONE
from ..streaming import Outlet, Send, Stream, get_places
from ..tokens import find_lifetime, read_tokens
from ..utils.addresses import name_address
from ..utils.query import parse_query
from .endpoints import find_endpoint
from .judgement import is_plain, is_secure
from .lifespan import Receive, Scope
from .patience import get_patience
from .site_headers import Headers, get_stream_headers
from .uvicorn import CycleOutlet, find_cycle

logger = logging.getLogger("tasks_app")


class OpenStream(NamedTuple):
    """A stream that is to be served, and the headers of its response."""

    stream: Stream
    headers: Headers


async def open_stream(scope: Scope) -> OpenStream | None:
    """Return the stream that a request asks for, if it bears valid tokens for all its tasks.

    Nothing is received, sent or changed, so that Django can answer the request instead.

    Returns:
        None if Django has to answer.
    """
    if not _may_bear_token(scope):
        return None
    try:
        return await _open(scope)
    except Exception as error:
        # Django's view meets the same and says so. The text of an error may hold a token.
        logger.debug("a stream is left to Django, after %s", type(error).__name__)
        return None


async def serve_stream(found: OpenStream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a stream until it ends or its client leaves."""
    stream, headers = found
    watching = asyncio.create_task(_close_when_left(receive, stream))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            if (outlet := _find_outlet(send)) is not None:
                send = outlet
                stream.send_by(outlet)
            async for chunk in stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                del chunk  # else each idle stream would keep one
    except Exception:
        # What left here would have Daphne keep the connection open for ever.
        logger.exception("a stream could not be sent; path %r", scope["path"])
    finally:
        has_left = watching.done()
        stream.close()
        watching.cancel()
        if isinstance(send, CycleOutlet):
            send.close()
    if not has_left:  # some servers raise where nobody is
        await send({"type": "http.response.body"})


def _find_outlet(send: Send) -> Outlet | None:
    if isinstance(send, Outlet):
        return send
    cycle = find_cycle(send)
    return None if cycle is None else CycleOutlet(send, cycle)


async def _close_when_left(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.close()


def _may_bear_token(scope: Scope) -> bool:
    """Return whether a closer look is worth its time."""
    if scope.get("method") not in ("GET", "HEAD"):
        return False
    has_query = b"token=" in scope.get("query_string", b"")
    return has_query or any(name == b"authorization" for name, _ in scope.get("headers", ()))


async def _open(scope: Scope) -> OpenStream | None:
    endpoint, headers = find_endpoint(scope), _read_headers(scope)
    if endpoint is None or not endpoint.is_stream or not is_plain(scope, headers):
        return None
    query = parse_query(scope.get("query_string", b""))
    wanted = parse_stream(query, endpoint.task_id, last_event_id=headers.get("last-event-id"))
    expires_at = read_tokens(headers.get("authorization", ""), query).get_expiry(*wanted.task_ids)
    if find_lifetime(expires_at) is None:
        return None
    stream = await _open_soon(wanted)
    views = [watch.view for watch in stream.watches]
    lifetime = find_lifetime(expires_at)  # opening may have taken its time
    if lifetime is None or None in views or wanted.is_told(stream, views) or not _take_place(scope, stream):
        stream.close()
        return None
    stream.end_in(lifetime)
    wanted.show(stream, views)
    return OpenStream(stream, get_stream_headers(is_secure=is_secure(scope, headers)))


def _take_place(scope: Scope, stream: Stream) -> bool:
    """Count a stream for its client, and return whether there was room; else Django says who the client is.

    A token is not a user, and behind a proxy that hides them all clients have one address. So what counts is the
    address, and where the first task has an owner, this owner at this address: nobody can use up the places of the
    owner elsewhere, and no owner those of others at the same address.
    """
    view = stream.watches[0].view
    owner = None if view is None else view.snapshot.owner
    address = name_address((scope.get("client") or [""])[0])
    place = get_places().take(
        address if owner in (None, ANYONE) else f"{address} user:{owner}", get_settings().MAX_STREAMS_PER_CLIENT
    )
    if place is None:
        return False
    stream.place = place
    return True


async def _open_soon(wanted: WantedStream) -> Stream:
    if wanted.is_known():  # usually: most viewers of a task are not its first, and a limit costs as much as a stream
        return await wanted.open()
    async with get_patience().limited():
        return await wanted.open()  # if the cache hangs, Django waits, which notes if the client leaves


def _read_headers(scope: Scope) -> dict[str, str]:
    """Return the headers as Django reads them: those of one name are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
