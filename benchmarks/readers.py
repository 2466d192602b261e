"""The viewers: sockets that read streams and count, cheap enough not to be what is measured."""

import re
import select
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

#: How long a viewer waits for its first frame.
DEADLINE = 60.0

_MOMENT = re.compile(rb'"status":"(\d{9,})"')


@dataclass
class Viewer:
    """One connection, and what has come through it."""

    connection: socket.socket
    frames: int = 0
    has_end: bool = False
    is_closed: bool = False


@dataclass
class Readers:
    """Any number of viewers, read by one thread; `latencies` (ns) are of frames that say when they were made."""

    port: int
    keeps_latencies: bool = False
    viewers: dict[int, Viewer] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=list)
    _poll: select.epoll = field(default_factory=select.epoll)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def frames(self) -> int:
        """The frames that have arrived, of all viewers."""
        return sum(viewer.frames for viewer in self.viewers.values())

    def open(self, targets: Iterable[str], *, at_once: int = 50) -> None:
        """Open a stream for each target, `at_once` at a time, and read the first frame of each."""
        wave: list[Viewer] = []
        for target in targets:
            wave.append(self._connect(target))
            if len(wave) == at_once:
                self._await_first(wave)
                wave = []
        self._await_first(wave)

    def read_for(self, seconds: float) -> int:
        """Read whatever comes for so long; return how many frames there were."""
        before, end = self.frames, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)
        return self.frames - before

    def read_to_end(self, *, deadline: float) -> None:
        """Read until the server has ended every stream."""
        end = time.monotonic() + deadline
        while not all(viewer.is_closed for viewer in self.viewers.values()):
            if time.monotonic() > end:
                raise TimeoutError(f"{sum(not item.is_closed for item in self.viewers.values())} streams did not end")
            self._read(1.0)

    def close(self) -> None:
        """Leave."""
        self._poll.close()
        for viewer in self.viewers.values():
            viewer.connection.close()

    def _connect(self, target: str) -> Viewer:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        connection.setblocking(False)
        viewer = self.viewers[connection.fileno()] = Viewer(connection)
        self._poll.register(connection, select.EPOLLIN)
        return viewer

    def _await_first(self, viewers: Iterable[Viewer]) -> None:
        end = time.monotonic() + DEADLINE
        while not all(viewer.frames for viewer in viewers):
            if time.monotonic() > end:
                raise TimeoutError(f"no first frame within {DEADLINE} s")
            self._read(1.0)

    def _read(self, timeout: float) -> None:
        for number, _ in self._poll.poll(timeout):
            self._read_one(self.viewers[number])

    def _read_one(self, viewer: Viewer) -> None:
        chunk = b""
        with suppress(ConnectionError):
            chunk = viewer.connection.recv(1 << 16)
        if not chunk:
            viewer.is_closed = True
            self._poll.unregister(viewer.connection)
            return
        viewer.frames += chunk.count(b"data: {")
        if b"event: end" in chunk:
            viewer.has_end = True
        # The end of the response, where the connection itself is kept alive.
        if chunk.endswith(b"0\r\n\r\n"):
            viewer.is_closed = True
        if self.keeps_latencies:
            now = time.monotonic_ns()
            self.latencies += [now - int(moment) for moment in _MOMENT.findall(chunk)]
