"""A short way for frames: from the stream to the server, past the task that serves the response."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

#: The bytes that asyncio's and uvloop's transports hold by default before they ask whoever writes to pause.
HIGH_WATER = 65536


class Framed(Protocol):
    """What is sent: a part of a body, and the chunk of HTTP/1.1 around it, which is made when it is asked for."""

    frame: bytes

    @property
    def chunk(self) -> bytes: ...


class Outlet:
    """`send` for one request, through which a stream may also send by itself.

    A frame then wakes no task, and passes through no layer of Django: that is three tenths of its cost, or half of it.
    """

    __slots__ = ("_send", "on_end")

    def __init__(self, send: Send) -> None:
        self._send = send
        #: Called when the end of the response is sent, by whomever: what came later would be taken for the next one.
        self.on_end: Callable[[], object] | None = None

    def __call__(self, message: Message) -> Awaitable[None]:
        if self.on_end is not None and message["type"] == "http.response.body" and not message.get("more_body", False):
            self.on_end()
        return self._send(message)

    def write(self, framed: Framed) -> bool:
        """Send a part of the body at once, unless it would have to wait; was it sent?"""
        raise NotImplementedError


class CycleOutlet(Outlet):
    """Writes to the transport of uvicorn's `RequestResponseCycle` for httptools, as its `send` does.

    What is asked is asked of the transport alone, which is used anyway: with hundreds of viewers, each object more is
    one that the processor has to fetch from far away.
    """

    __slots__ = ("_cycle", "_is_chunked", "_transport")

    def __init__(self, send: Send, cycle: Any) -> None:
        super().__init__(send)
        self._cycle = cycle
        self._transport = cycle.transport
        self._is_chunked = False

    def write(self, framed: Framed) -> bool:
        """Send a part of the body at once, unless its reader is behind, or gone."""
        if not self._is_ready():
            return False
        self._transport.write(framed.chunk)
        return True

    def _is_ready(self) -> bool:
        transport = self._transport
        if transport.is_closing() or transport.get_write_buffer_size() > HIGH_WATER:
            return False
        return self._is_chunked or self._find_chunked()

    def _find_chunked(self) -> bool:
        """Is the body chunked? That is known from its headers on, which are sent before the first frame."""
        self._is_chunked = bool(self._cycle.chunked_encoding)
        return self._is_chunked


def find_cycle(send: Send) -> Any:
    """Return uvicorn's object of which `send` is a method, where it works with httptools; None for any other."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    can_write = all(hasattr(transport, name) for name in ("write", "is_closing", "get_write_buffer_size"))
    return cycle if can_write and hasattr(cycle, "chunked_encoding") else None
