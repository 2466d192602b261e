"""A short way for frames: from the stream to the server, past the task that serves the response."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Outlet:
    """`send` for one request, through which a stream may also send by itself.

    A frame then wakes no task, and passes through no layer of Django: that is a quarter of its cost, or half of it.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    def __call__(self, message: Message) -> Awaitable[None]:
        return self._send(message)

    def write(self, frame: bytes) -> bool:
        """Send a part of the body at once, unless it would have to wait; was it sent?"""
        raise NotImplementedError


class CycleOutlet(Outlet):
    """Writes to the transport of uvicorn's `RequestResponseCycle` for httptools, as its `send` does.

    All viewers of a task are sent the same frame one after the other, so the chunk around it is made once.
    """

    __slots__ = ("_cycle", "_flow", "_transport")

    #: The last frame, and the chunk around it; in one, since each event loop has a thread of its own.
    _made = b"", b""

    def __init__(self, send: Send, cycle: Any) -> None:
        super().__init__(send)
        self._cycle = cycle
        self._flow = cycle.flow
        self._transport = cycle.transport

    def write(self, frame: bytes) -> bool:
        """Send a part of the body at once, unless its reader is behind, or gone."""
        cycle = self._cycle
        if self._flow.write_paused or cycle.disconnected or not cycle.chunked_encoding:
            return False
        made = CycleOutlet._made
        if made[0] is not frame:
            CycleOutlet._made = made = frame, b"%x\r\n%b\r\n" % (len(frame), frame)
        self._transport.write(made[1])
        return True


def find_cycle(send: Send) -> Any:
    """Return uvicorn's object of which `send` is a method, where it works with httptools; None for any other."""
    cycle = getattr(send, "__self__", None)
    has_all = all(hasattr(cycle, name) for name in ("transport", "disconnected", "chunked_encoding"))
    return cycle if has_all and hasattr(getattr(cycle, "flow", None), "write_paused") else None
