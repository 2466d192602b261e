"""A small HTTP/1.1 and Server-Sent Events client that hides nothing: tests look at the bytes that arrive."""

import json
import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from tests.support.waiting import DEADLINE

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Event:
    """One event as an EventSource would dispatch it; `id` is the last event id by then."""

    type: str
    data: str
    id: str

    def json(self) -> Any:
        return json.loads(self.data)


class EventDecoder:
    """Bytes of a stream to events, by the rules of the HTML standard, section 9.2.6."""

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self.comments: list[bytes] = []
        self._rest = b""
        self._id = ""
        self._type = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes."""
        # A CR at the end may be half of a CR LF.
        *lines, self._rest = re.split(rb"\r\n|\n|\r(?!\Z)", self._rest + chunk)
        return [event for line in lines if (event := self._feed_line(line)) is not None]

    def _feed_line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            self.comments.append(line)
            return None
        name, _, value = line.decode().partition(":")
        self._set_field(name, value.removeprefix(" "))
        return None

    def _set_field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)

    def _dispatch(self) -> Event | None:
        self.last_event_id = self._id
        data, kind = self._data, self._type
        self._data, self._type = [], ""
        return Event(kind or "message", "\n".join(data), self._id) if data else None


class ChunkDecoder:
    """Bytes of a chunked body to the payload; `is_complete` once the last, empty chunk was read."""

    def __init__(self) -> None:
        self.is_complete = False
        self._rest = b""

    def feed(self, received: bytes) -> bytes:
        """Return the payload of the chunks that `received` completes."""
        self._rest += received
        payload = b""
        while (chunk := self._take()) is not None:
            payload += chunk
        return payload

    def _take(self) -> bytes | None:
        head, found, rest = self._rest.partition(b"\r\n")
        if self.is_complete or not found or len(rest) < (size := int(head, 16)) + 2:
            return None
        assert rest[size : size + 2] == b"\r\n", rest
        self._rest = rest[size + 2 :]
        self.is_complete = size == 0
        return rest[:size]


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers of a response."""

    version: str
    status: int
    headers: Headers

    @classmethod
    def parse(cls, head: bytes) -> Self:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = first.split(" ", 2)[:2]
        pairs = (line.partition(":")[::2] for line in lines)
        return cls(version, int(status), [(name.lower(), value.strip()) for name, value in pairs])

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def is_chunked(self) -> bool:
        return self.get("transfer-encoding") == "chunked"


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read to its end."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        return self.head.status

    def json(self) -> Any:
        return json.loads(self.body)


def _connect(port: int, address: str) -> socket.socket:
    """Connect from an address; a flood of connections leaves others on this machine their ports."""
    connection = socket.socket()
    try:
        connection.settimeout(DEADLINE)
        if hasattr(socket, "IP_BIND_ADDRESS_NO_PORT"):  # else `bind` takes a port that nobody else gets for a minute
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((address, 0))
        connection.connect(("127.0.0.1", port))
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """One TCP connection to a server on this machine, with one request on it."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        """Connect from this address, which is one client."""
        self.socket = _connect(port, address)
        self._rest = b""
        self._chunks = ChunkDecoder()
        self.head = Head("", 0, [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Go away without a goodbye: the server gets a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def read_head(self) -> Head:
        """Read up to the empty line after the headers."""
        while b"\r\n\r\n" not in self._rest:
            received = self.socket.recv(65536)
            assert received, f"the server closed the connection after {self._rest!r}"
            self._rest += received
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self.head = Head.parse(head)
        return self.head

    def read_some(self) -> bytes | None:
        """Return the next bytes of the body, or None at its end."""
        while True:
            if payload := self._decode(b""):
                return payload
            if self._chunks.is_complete:
                return None
            received = self.socket.recv(65536)
            if not received:
                assert not self.head.is_chunked, "the server closed the connection in the middle of a chunked body"
                return None
            self._rest += received

    def read_body(self, *, is_bodiless: bool = False) -> bytes:
        """Read the whole body."""
        length = self.head.get("content-length")
        if is_bodiless or self.head.status in (204, 304):
            return b""
        if length is not None:
            while len(self._rest) < int(length):
                self._rest += self.socket.recv(65536)
            return self._rest
        return b"".join(iter(self.read_some, None))

    def _decode(self, received: bytes) -> bytes:
        received, self._rest = self._rest + received, b""
        return self._chunks.feed(received) if self.head.is_chunked else received


class EventStream(Connection):
    """A connection whose response is a stream of events; `body` is what has arrived of it."""

    def __init__(self, port: int, target: str, headers: Headers | None = None) -> None:
        super().__init__(port)
        self.body = b""
        self.decoder = EventDecoder()
        self._events: list[Event] = []
        self.send(encode_request("GET", target, headers))
        self.read_head()

    def next(self) -> Event | None:
        """Return the next event, or None at the end of the stream."""
        while not self._events:
            received = self.read_some()
            if received is None:
                return None
            self.body += received
            self._events += self.decoder.feed(received)
        return self._events.pop(0)

    def read_until(self, condition: Callable[[Event], object]) -> Event:
        """Return the next event for which `condition` holds."""
        while (event := self.next()) is not None:
            if condition(event):
                return event
        raise AssertionError(f"the stream ended without that event: {self.body!r}")

    def read_status(self, status: str) -> dict[str, Any]:
        """Return the first snapshot with this status."""
        return self.read_until(lambda event: event.json().get("status") == status).json()

    def read_all(self) -> list[Event]:
        """Return the events up to the end of the stream."""
        return list(iter(self.next, None))


def encode_request(method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    fields = [("Host", "127.0.0.1"), *(headers or [])]
    if body or method == "POST":
        fields.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body


def send_raw(port: int, request: bytes, *, is_bodiless: bool = False) -> Response:
    """Send these bytes, and return the response to them."""
    with Connection(port) as connection:
        connection.send(request)
        return Response(connection.read_head(), connection.read_body(is_bodiless=is_bodiless))


def send(port: int, method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> Response:
    """Make a request, and return the response to it."""
    return send_raw(port, encode_request(method, target, headers, body), is_bodiless=method == "HEAD")


def post_json(port: int, target: str, data: Any) -> Response:
    return send(port, "POST", target, [("Content-Type", "application/json")], json.dumps(data).encode())


def start_task(port: int, name: str, /, **kwargs: Any) -> str:
    """Start a task over HTTP, and return its id."""
    response = post_json(port, "/start-task", {"task": name, "kwargs": kwargs})
    assert response.status == 202, response
    return str(response.json()["task_id"])


@contextmanager
def open_streams(port: int, targets: Iterable[str]) -> Iterator[list[EventStream]]:
    """Open a stream for each target, and read the first event of each."""
    streams: list[EventStream] = []
    try:
        for target in targets:
            streams.append(EventStream(port, target))
        for stream in streams:
            assert stream.next() is not None
        yield streams
    finally:
        for stream in streams:
            stream.socket.close()
