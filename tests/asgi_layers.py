"""The test project in `tasks_app.asgi.wrap()`: one that counts what is sent, and one where some of it is changed."""

from typing import Any

from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap
from tasks_app.outlets import Outlet
from tests.asgi import application as plain

#: What was sent of streams that had not ended.
_sent: list[bytes] = []
_send = Outlet.__call__
_wrapped = wrap(get_asgi_application())  # one of its own, since it is changed


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


async def _change(scope: Any, receive: Any, send: Any) -> None:
    await plain(scope, receive, _shout(send) if _is_stream(scope) else send)


def _is_stream(scope: Any) -> bool:
    return scope.get("path", "").startswith("/task-progress")


def _shout(send: Any) -> Any:
    async def shout(message: Any) -> None:
        body = message.get("body", b"").replace(b'"status":"step', b'"status":"STEP')
        await send({**message, "body": body} if "body" in message else message)

    return shout


changed = wrap(_change)
