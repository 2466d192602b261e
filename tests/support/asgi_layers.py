"""Layers around `tasks_app.asgi.wrap()`, which should be the outermost: they count, change, or end what is sent."""

import asyncio
from typing import Any

from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap
from tasks_app.streaming.outlet import Outlet

#: What was sent of streams that had not ended.
_sent: list[bytes] = []
_send = Outlet.__call__
_wrapped = wrap(get_asgi_application())


def _note(self: Outlet, message: Any) -> Any:
    if message.get("more_body"):
        _sent.append(message["body"])
    return _send(self, message)


Outlet.__call__ = _note  # type: ignore[method-assign]


async def counted(scope: Any, receive: Any, send: Any) -> None:
    """Answer at /sent how many chunks of streams were sent by whoever iterates over them."""
    if scope.get("path") == "/sent":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": str(len(_sent)).encode()})
    else:
        await _wrapped(scope, receive, send)


async def changed(scope: Any, receive: Any, send: Any) -> None:
    """Change the bytes of streams."""
    await _wrapped(scope, receive, _shout(send) if _is_stream(scope) else send)


def _is_stream(scope: Any) -> bool:
    return scope.get("path", "").startswith("/task-progress")


def _shout(send: Any) -> Any:
    async def shout(message: Any) -> None:
        body = message.get("body", b"").replace(b'"status":"step', b'"status":"STEP')
        await send({**message, "body": body} if "body" in message else message)

    return shout


class Cutter:
    """Cancels and ends streams once /cut is asked for."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.terminal_snapshots: list[asyncio.Event] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/cut":
            for end in self.terminal_snapshots:
                end.set()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        elif _is_stream(scope):
            await self._stream(scope, receive, send)
        else:
            await self.application(scope, receive, send)

    async def _stream(self, scope: Any, receive: Any, send: Any) -> None:
        self.terminal_snapshots.append(end := asyncio.Event())
        serving = asyncio.ensure_future(self.application(scope, receive, send))
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait([serving, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not serving.done():
            serving.cancel()
            await asyncio.wait([serving])
            await send({"type": "http.response.body", "body": b""})


cut = Cutter(_wrapped)
