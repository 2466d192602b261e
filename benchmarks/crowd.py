"""Viewers that all connect at the same moment, each until its first frame."""

import select
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

#: How long the last of them may wait, in seconds.
DEADLINE = 120.0


def rush(port: int, target: str, viewers: int) -> list[float]:
    """Have so many viewers ask for a stream at once; return after how many seconds each has its first frame.

    One that is refused or cut comes back at once. Those without a frame after DEADLINE are left out.
    """
    with ExitStack() as stack:
        crowd = Crowd(
            port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode(), stack
        )
        for _ in range(viewers):
            crowd.connect()
        while len(crowd.times) < viewers and crowd.get_age() < DEADLINE:
            crowd.go_on()
        return crowd.times


@dataclass
class Crowd:
    """Connections that open their streams side by side; they stay open until the stack is left."""

    port: int
    request: bytes
    stack: ExitStack
    times: list[float] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)
    _waiting: dict[int, socket.socket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._poll = self.stack.enter_context(select.epoll())

    def get_age(self) -> float:
        """Return the seconds since the first of them set out."""
        return time.monotonic() - self._begun

    def connect(self) -> None:
        """Set out, without waiting for the server."""
        connection = self.stack.enter_context(socket.socket())
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", self.port))
        self._waiting[connection.fileno()] = connection
        self._poll.register(connection, select.EPOLLOUT)

    def go_on(self) -> None:
        """Send what can be sent, and read what has come."""
        for number, event in self._poll.poll(1.0):
            connection = self._waiting[number]
            try:
                self._ask(connection) if event & select.EPOLLOUT else self._read(connection)
            except OSError:
                self._replace(connection)

    def _ask(self, connection: socket.socket) -> None:
        if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, "not connected")
        connection.sendall(self.request)
        self._poll.modify(connection, select.EPOLLIN)

    def _read(self, connection: socket.socket) -> None:
        chunk = connection.recv(1 << 16)
        if not chunk:
            raise ConnectionError("the server has closed the connection")
        if b"data: {" in chunk:
            self.times.append(self.get_age())
            self._forget(connection)

    def _replace(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()
        self.connect()

    def _forget(self, connection: socket.socket) -> None:
        self._poll.unregister(connection)
        del self._waiting[connection.fileno()]
