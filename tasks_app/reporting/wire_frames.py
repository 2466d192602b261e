"""The frames between the process of a job and those that report to it: a length, and as much JSON. Pure."""

import json
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any

_LENGTH = struct.Struct("!I")

#: The most bytes of a frame after its length.
MAX_BYTES = 64 * 1024 * 1024

#: The seconds to wait for what should have come already: 0 would mean something else to a socket.
_SHORTEST = 1e-6


def encode(value: Any) -> bytes:
    """Return a JSON value as frames have it."""
    return json.dumps(value).encode()


def fits(item: bytes) -> bool:
    """Return whether a frame can carry a list of this one JSON value."""
    return len(item) + len("[]") <= MAX_BYTES


def make_frames(items: Iterable[bytes]) -> Iterator[bytes]:
    """Yield frames that carry these JSON values as lists, of which each `fits`: as few as can be, and at least one."""
    body = bytearray(b"[")
    for item in items:
        if len(body) + len(item) + len(",]") > MAX_BYTES and len(body) > 1:
            yield make_frame(bytes(body + b"]"))
            body = bytearray(b"[")
        body += (b"," if len(body) > 1 else b"") + item
    yield make_frame(bytes(body + b"]"))


def make_frame(body: bytes) -> bytes:
    """Return the frame of a JSON value."""
    return _LENGTH.pack(len(body)) + body


def receive_frame(connection: socket.socket) -> Any:
    """Return the next JSON value.

    Raises:
        OSError: the other side has gone.
        ValueError: it is no frame.
    """
    (length,) = _LENGTH.unpack(receive(connection, _LENGTH.size))
    if length > MAX_BYTES:
        raise ValueError(f"a frame may have at most {MAX_BYTES!r} bytes, not {length!r}")
    return json.loads(receive(connection, length))


def receive(connection: socket.socket, size: int, *, end: float | None = None) -> bytes:
    """Return the next `size` bytes.

    Args:
        end: when all of them must have come, by `time.monotonic()`, however often some come; None: they may take long.

    Raises:
        OSError: the other side has gone, or was too slow.
    """
    received = bytearray()
    while len(received) < size:
        if end is not None:
            connection.settimeout(max(end - time.monotonic(), _SHORTEST))
        if not (some := connection.recv(size - len(received))):
            raise ConnectionResetError("the other side has closed the connection")
        received += some
    return bytes(received)
