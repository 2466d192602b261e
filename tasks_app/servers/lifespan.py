"""The end of streams and the last writes of a process whose server announces its end by ASGI's lifespan.

On SIGTERM, uvicorn then kills itself with the signal, so `atexit` does not run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..reporting import drain_process
from ..streaming import Message, Send, end_all_streams

logger = logging.getLogger("tasks_app")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifespan:
    """The lifespan of one server, which ends only when everything of this process is written.

    The application gets the same messages, if it supports lifespan:
    https://asgi.readthedocs.io/en/latest/specs/lifespan.html
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_received = False

    async def serve(self, application: Application, scope: Scope) -> None:
        """Pass the messages of the server to the application, or answer them in its place.

        An application that raises before it receives one, like Django's, does not support lifespan.
        """
        try:
            await application(scope, self.receive, self._send)
        except Exception as error:
            if self._has_received:
                raise
            logger.debug("the application does not support lifespan: %r", error)
            await self._serve_alone()

    async def receive(self) -> Message:
        """Return the next message of the server; return a shutdown only when streams end and all is written."""
        self._has_received = True
        message = await self._receive()
        if message["type"] == "lifespan.shutdown":
            end_all_streams()
            await asyncio.to_thread(drain_process)
        return message

    async def _serve_alone(self) -> None:
        for event in ("startup", "shutdown"):
            await self.receive()
            await self._send({"type": f"lifespan.{event}.complete"})
