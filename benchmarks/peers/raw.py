"""The least that a server can be asked to do: an ASGI application without a framework, with a queue per viewer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qs

from benchmarks.pulse import make_payload, run_job

#: How a stream waits for its next frame.
Get = Callable[[asyncio.Queue[bytes]], Awaitable[bytes]]

KEEPALIVE = 15

_viewers: set[asyncio.Queue[bytes]] = set()


async def application(scope, receive, send) -> None:
    """Answer `POST /pulse?interval=<s>&meta_bytes=<n>` and `GET /stream`."""
    await _answer(scope, receive, send, asyncio.Queue.get)


async def application_with_keep_alives(scope, receive, send) -> None:
    """The same, but a stream that is silent for a while sends a comment, as one behind a proxy has to."""
    await _answer(scope, receive, send, _get_or_keep_alive)


async def _answer(scope, receive, send, get: Get) -> None:
    if scope["path"] == "/stream":
        await _stream(receive, send, get)
        return
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    make = partial(_encode, int(query.get("meta_bytes", 0)))
    run_job(_put, interval=float(query["interval"]), make=make)
    await _start(send, b"application/json")
    await send({"type": "http.response.body", "body": json.dumps({"stream": "/stream"}).encode()})


async def _stream(receive, send, get: Get) -> None:
    gone = asyncio.create_task(_wait_until_gone(receive, asyncio.current_task()))
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    _viewers.add(queue)
    try:
        await _start(send, b"text/event-stream")
        await send({"type": "http.response.body", "body": _encode(), "more_body": True})
        while True:
            await send({"type": "http.response.body", "body": await get(queue), "more_body": True})
    finally:
        _viewers.discard(queue)
        gone.cancel()


async def _get_or_keep_alive(queue: asyncio.Queue[bytes]) -> bytes:
    try:
        async with asyncio.timeout(KEEPALIVE):
            return await queue.get()
    except TimeoutError:
        return b": keep-alive\n\n"


async def _wait_until_gone(receive, stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.cancel()


async def _start(send, content_type: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})


def _encode(meta_bytes: int = 0) -> bytes:
    return f"data: {make_payload(meta_bytes)}\n\n".encode()


def _put(frame: bytes) -> None:
    for queue in _viewers:
        queue.put_nowait(frame)
