"""Requests to an ASGI application, without a server: what it answers, message by message."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.viewers import until
from tests.support.waiting import DEADLINE

Headers = Iterable[tuple[str, str]]

HOST = ("Host", "testserver")


@dataclass(eq=False)
class Exchange:
    """One request, which the test may let go on, and leave."""

    target: str
    headers: Headers = (HOST,)
    method: str = "GET"
    request_body: bytes = b""
    scope: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path, _, query = self.target.partition("?")
        self.scope = {
            "type": "http",
            "method": self.method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers],
            "scheme": "http",
            "root_path": "",
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 1),
            **self.scope,
        }
        self.sent: list[dict[str, Any]] = []
        self.received = 0
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": self.request_body, "more_body": False})
        self.serving: asyncio.Task[None] | None = None

    def start(self, application: Any) -> "Exchange":
        """Let the application answer."""
        self.serving = asyncio.ensure_future(application(self.scope, self._receive, self.send))
        return self

    def leave(self) -> None:
        """Have the client go away."""
        self._messages.put_nowait({"type": "http.disconnect"})

    async def finish(self) -> "Exchange":
        """Wait for the end of the answer."""
        assert self.serving is not None
        await asyncio.wait_for(asyncio.shield(self.serving), DEADLINE)
        return self

    async def read_until(self, text: bytes) -> None:
        """Wait until the answer has this."""
        await until(lambda: text in self.body, f"{text!r} was sent")

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def response_headers(self) -> list[tuple[bytes, bytes]]:
        return [(bytes(name), bytes(value)) for name, value in self.sent[0]["headers"]]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return not self.sent[-1].get("more_body", False)

    async def _receive(self) -> dict[str, Any]:
        self.received += 1
        return await self._messages.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
