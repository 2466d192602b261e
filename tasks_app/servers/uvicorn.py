"""Direct writes of frames to the transport of uvicorn."""

from typing import Any

from ..streaming import CHUNK_BYTES, Framed, Outlet, Send, get_buffers

#: The number of waiting bytes above which transports of asyncio and uvloop pause their writer by default.
HIGH_WATER = 65536


class CycleOutlet(Outlet):
    """An outlet that writes to the transport of uvicorn's `RequestResponseCycle` for httptools, as `send` does.

    All conditions are read from the transport, which is used anyway: with hundreds of viewers, each further object
    costs a cache miss of the processor.
    """

    __slots__ = ("_cycle", "_is_chunked", "_transport")

    def __init__(self, send: Send, cycle: Any) -> None:
        super().__init__(send)
        self._cycle = cycle
        self._transport = cycle.transport
        self._is_chunked = False

    def write(self, framed: Framed) -> bool:
        """Send a part of the body at once, unless its reader is behind or gone.

        Returns:
            Whether it was sent.
        """
        transport = self._transport
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size() > HIGH_WATER:
            get_buffers().add(self, HIGH_WATER + CHUNK_BYTES)
            return False
        if not (self._is_chunked or self._find_chunked()):
            return False
        transport.write(framed.chunk)
        return True

    def count_unsent(self) -> int:
        """Return how many bytes wait for the reader."""
        return int(self._transport.get_write_buffer_size())

    def drop(self) -> None:
        """Drop the connection, with what waits."""
        self._transport.abort()

    def close(self) -> None:
        """Let go of the stream, which has ended."""
        get_buffers().discard(self)

    def _find_chunked(self) -> bool:
        """Whether the body is chunked, which is known once the headers are sent, before the first frame."""
        self._is_chunked = bool(self._cycle.chunked_encoding)
        return self._is_chunked


def find_cycle(send: Send) -> Any:
    """Return the `RequestResponseCycle` that `send` is a method of, or None except on uvicorn with httptools."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    can_write = all(hasattr(transport, name) for name in ("write", "is_closing", "get_write_buffer_size"))
    return cycle if can_write and hasattr(cycle, "chunked_encoding") else None
