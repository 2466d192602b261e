"""The bytes that wait in the transports of Twisted, on which Daphne runs, for readers that are behind."""

import sys
from collections.abc import Iterator
from typing import Any

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def count_unsent(transport: Any) -> int | None:
    """Return how many bytes wait in a Twisted transport, or None if it can't tell."""
    try:
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
    except AttributeError:
        return None


def count_unread(transport: Any) -> int | None:
    """Return how many bytes wait for the reader in Twisted and in the kernel, or None if that is unknown.

    Both counts are needed: the kernel takes more bytes from Twisted only after it has sent many, which may last
    minutes with a slow reader.
    """
    unsent = count_unsent(transport)
    return None if unsent is None else unsent + _count_unacknowledged(transport)


def is_stuck(transport: Any, before: int | None) -> bool:
    """Whether the reader has taken nothing since `before` bytes were unread; False if that is unknown."""
    return before is not None and count_unread(transport) == before


def find_waiting() -> Iterator[tuple[Any, Any]]:
    """Yield each transport of this thread's Twisted in which bytes wait, with its HTTP request, if that is known.

    Nothing is imported: without Twisted there is none, and where another server runs, none waits.
    """
    reactor, threadable = sys.modules.get("twisted.internet.reactor"), sys.modules.get("twisted.python.threadable")
    if reactor is None or threadable is None or not threadable.isInIOThread():
        return
    for transport in reactor.getWriters():
        if count_unsent(transport) and hasattr(transport, "abortConnection"):
            yield transport, _find_request(transport)


def is_on_twisted() -> bool:
    """Whether Twisted runs the event loop of this thread."""
    reactor, threadable = sys.modules.get("twisted.internet.reactor"), sys.modules.get("twisted.python.threadable")
    return bool(getattr(reactor, "running", False)) and threadable is not None and bool(threadable.isInIOThread())


def _find_request(transport: Any) -> Any:
    protocol = getattr(transport, "protocol", None)
    protocol = getattr(protocol, "wrappedProtocol", protocol)  # TLS
    requests = getattr(getattr(protocol, "_channel", protocol), "requests", None)
    return requests[0] if isinstance(requests, list) and requests else None


def _count_unacknowledged(transport: Any) -> int:
    """Return how many bytes the kernel has that the reader's kernel has not acknowledged; 0 if unknown."""
    if fcntl is None:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(transport.socket.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (AttributeError, OSError):  # the connection is closed, or the system does not tell
        return 0
