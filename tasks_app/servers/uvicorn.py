"""The short way for frames on uvicorn."""

from typing import Any

from ..streaming import Framed, Outlet, Send

#: The bytes that asyncio's and uvloop's transports hold by default before they ask whoever writes to pause.
HIGH_WATER = 65536


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
