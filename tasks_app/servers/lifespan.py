"""The end of a server that then dies of its signal, so that Python calls nothing at exit: uvicorn on SIGTERM."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..reporting import drain_process
from ..streaming import Message, Send

logger = logging.getLogger("tasks_app")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifespan:
    """Has the last news of this process written when its server stops, whether or not the application wants to know.

    https://asgi.readthedocs.io/en/latest/specs/lifespan.html
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_heard = False

    async def serve(self, application: Application, scope: Scope) -> None:
        """Hand on to the application what the server says; one that raises at once, like Django, has no use for it."""
        try:
            await application(scope, self.receive, self._send)
        except Exception as error:
            if self._is_heard:
                raise
            logger.debug("the application takes no lifespan: %r", error)
            await self._serve_alone()

    async def receive(self) -> Message:
        """Return what the server says next; that it stops, when all is written."""
        self._is_heard = True
        message = await self._receive()
        if message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(drain_process)
        return message

    async def _serve_alone(self) -> None:
        for event in ("startup", "shutdown"):
            await self.receive()
            await self._send({"type": f"lifespan.{event}.complete"})
