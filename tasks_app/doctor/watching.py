"""A stream of the site, read as a browser does: what arrived, and when."""

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from .address import UNREACHABLE, Address

#: The longest that the site may take to begin its answer, in seconds.
HEAD_SECONDS = 10.0

#: The beginning of the event that ends a stream; no JSON has a line end in it.
END = "\nevent: end"

#: What a browser asks for; a proxy that compresses streams does so only if it is asked.
HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate", "Cache-Control": "no-cache"}


class Watching:
    """One open stream, read in a thread of its own.

    Args:
        path: that of its URL, below the prefix of the address.
        headers: more of the request.

    Attributes:
        status, headers: those of the answer; 0 and empty until it has begun.
        error: why the site can't be reached, or how the stream broke; None if neither.
        body: the beginning of an answer that is no stream.
    """

    def __init__(self, address: Address, path: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.error: Exception | None = None
        self.body = b""
        self.began = time.monotonic()
        self.ended_at: float | None = None
        self._address, self._path, self._headers = address, path, {**HEADERS, **(headers or {})}
        self._text = b""
        self._arrivals: list[tuple[int, float]] = []
        self._news = threading.Condition()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._read, name="tasks_app-doctor-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go away."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the other side has gone first
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(HEAD_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come."""
        return self.ended_at is not None

    @property
    def first_at(self) -> float | None:
        """The time at which the first bytes came."""
        return self._arrivals[0][1] if self._arrivals else None

    @property
    def last_at(self) -> float:
        """The time at which the last bytes came, or the stream was asked for."""
        return self._arrivals[-1][1] if self._arrivals else self.began

    def find(self, text: str) -> float | None:
        """Return when a text had arrived; None if it has not."""
        with self._news:
            place = self._text.find(text.encode())
            return self._find_time(place + len(text)) if place >= 0 else None

    def wait_for(self, text: str, seconds: float) -> float | None:
        """Wait until a text has arrived or the stream is over, and return when it had."""
        with self._news:
            self._news.wait_for(lambda: text.encode() in self._text or self.is_over, seconds)
        return self.find(text)

    def wait_for_bytes(self, seconds: float) -> bool:
        """Wait until any more bytes arrive or the stream is over, and return whether they have arrived."""
        with self._news:
            before = len(self._arrivals)
            self._news.wait_for(lambda: len(self._arrivals) > before or self.is_over, seconds)
            return len(self._arrivals) > before

    def read_snapshots(self) -> list[dict[str, Any]]:
        """Return the snapshots that have arrived, the first one first; the end repeats the last one."""
        return [snapshot for snapshot, _ in self._list_snapshots()]

    def find_snapshot(self, seq: int) -> float | None:
        """Return when a snapshot of this `seq` or a later one had arrived; None if none has."""
        return next((at for snapshot, at in self._list_snapshots() if snapshot.get("seq", 0) >= seq), None)

    def _list_snapshots(self) -> list[tuple[dict[str, Any], float | None]]:
        """Return the snapshots that have arrived, each with the time at which it had."""
        with self._news:
            lines = self._text[: self._text.rfind(b"\n") + 1].splitlines(keepends=True)
            ends = itertools.accumulate(map(len, lines))
            return [
                (json.loads(line[5:]), self._find_time(end))
                for line, end in zip(lines, ends, strict=True)
                if line.startswith(b'data: {"')
            ]

    def _find_time(self, length: int) -> float | None:
        """Return when so many bytes had arrived; None if they have not."""
        return next((at for arrived, at in self._arrivals if arrived >= length), None)

    def _read(self) -> None:
        try:
            connection = self._address.connect()
            try:
                self._read_from(connection)
            finally:
                connection.close()
        except (*UNREACHABLE, zlib.error) as error:
            self.error = error
        finally:
            with self._news:
                self.ended_at = time.monotonic()
                self._news.notify_all()

    def _read_from(self, connection: http.client.HTTPConnection) -> None:
        self._socket = connection.sock
        self._socket.settimeout(None)  # it may be silent, from its head on; those who wait have time limits
        connection.request("GET", self._address.prefix + self._path, headers=self._headers)
        response = connection.getresponse()
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.status = response.status
        decode = (
            zlib.decompressobj(47).decompress if "content-encoding" in self.headers and self._is_zipped() else bytes
        )
        with response:
            while data := response.read1(65536):
                self._note(decode(data))

    def _is_zipped(self) -> bool:
        return self.headers["content-encoding"].lower() in ("gzip", "deflate")

    def _note(self, data: bytes) -> None:
        if not data:
            return
        with self._news:
            self._text += data
            self.body = self._text[:2000]
            self._arrivals.append((len(self._text), time.monotonic()))
            self._news.notify_all()
