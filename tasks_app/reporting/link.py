"""The way from another process to that of a job, for what its parts report."""

import itertools
import logging
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import per_process
from .exchange import HOST, NONCE_BYTES, PROOF_BYTES, Place, open_sockets, prove
from .wire_frames import make_frames, receive, receive_frame

logger = logging.getLogger("tasks_app")

#: Seconds to wait for an answer of the job's process: it may be busy, but one that has ended answers at once.
ANSWER_SECONDS = 30.0

#: Seconds between two looks for a cancel, and until a thread without parts ends.
POLL_SECONDS, IDLE_SECONDS = 0.5, 1.0


class Source(Protocol):
    """The interface of what sends by a link what a part reports."""

    number: int

    def collect(self, *, is_last: bool = False, opens: bool = False) -> list[bytes]: ...

    def cancel(self) -> None: ...


class Link:
    """The connection of this process to that of a job, and the thread that sends what has changed, at intervals."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._sinks: dict[int, Source] = {}
        self._outbox: deque[list[bytes]] = deque()
        self._is_sending = False
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        #: The homes, by number, whose tasks were asked to stop.
        self.cancelled: set[int] = set()
        #: Whether the connection has failed: nothing more is sent of the parts that there were.
        self.is_broken = False
        self._is_gone = False

    def add(self, sink: Source) -> None:
        """Send what a part reports from now on."""
        with self._lock:
            if not (self._sinks or self._is_gone):
                self.is_broken = False
            sink.number = next(self._numbers)
            self._sinks[sink.number] = sink
            if self._thread is None:
                self._try_to_start()
            self._changed.notify_all()

    def remove(self, sink: Source) -> None:
        """Send what a part has reported last, and wait until the job's process has it.

        In a signal handler that interrupts this thread while it sends, it is sent once the handler has returned.
        """
        with self._lock:
            del self._sinks[sink.number]
            self._send(sink.collect(is_last=True))

    def _try_to_start(self) -> None:
        """Start the thread; if the process can't, parts are sent when they end, since no work must fail by that."""
        try:
            self._thread = start_thread(self._run)
        except RuntimeError as error:
            exhaustion_log.note(error, "what it reports to jobs of other processes is sent later")

    def _run(self) -> None:
        polled_at = time.monotonic()
        while self._has_parts():
            time.sleep(self._place.interval)
            with self._lock:
                is_due = time.monotonic() - polled_at >= POLL_SECONDS
                polled_at = time.monotonic() if is_due else polled_at
                sinks = list(self._sinks.values())
                self._send([message for sink in sinks for message in sink.collect(opens=is_due)], polls=is_due)

    def _has_parts(self) -> bool:
        """Return whether the thread is to go on; if not, it is about to end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._sinks, IDLE_SECONDS):
                self._thread = None
            return self._thread is not None

    def _send(self, messages: list[bytes], *, polls: bool = False) -> None:
        if self.is_broken or not (messages or (polls and self._connection)):
            return
        self._outbox.append(messages)
        while self._outbox and not self._is_sending:  # else a signal handler has interrupted a frame
            self._is_sending = True
            try:
                self._send_all()
            finally:
                self._is_sending = False

    def _send_all(self) -> None:
        try:
            connection = self._connection or self._connect()
            while self._outbox:
                for frame in make_frames(self._outbox.popleft()):
                    connection.sendall(frame)
                    self._heed(receive_frame(connection))
        except BaseException as error:  # a signal may break off a frame, after which no other is understood
            self.is_broken = True
            self._outbox.clear()
            self._is_gone = isinstance(error, ConnectionRefusedError | TimeoutError)
            self._close()
            if not isinstance(error, OSError | ValueError):
                raise
            logger.warning(
                "the process of a job can't be reached, which a handle does on its own machine until the job ends; "
                "what is reported to it is ignored: %s",
                error,
            )

    def _heed(self, cancelled: Sequence[int]) -> None:
        for number in cancelled:
            if (sink := self._sinks.get(number)) is not None:
                sink.cancel()

    def _connect(self) -> socket.socket:
        self._connection = connection = socket.create_connection((HOST, self._place.port), ANSWER_SECONDS)
        open_sockets.add(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._greet(connection)
        return connection

    def _greet(self, connection: socket.socket) -> None:
        """Say the secret, but only to the process that has it: after the job's, any may listen at its port."""
        nonce, end = secrets.token_bytes(NONCE_BYTES), time.monotonic() + ANSWER_SECONDS
        connection.sendall(nonce)
        if not secrets.compare_digest(receive(connection, PROOF_BYTES, end=end), prove(self._place.secret, nonce)):
            raise ConnectionRefusedError("another process listens at its port")
        connection.settimeout(ANSWER_SECONDS)
        connection.sendall(self._place.secret)

    def _close(self) -> None:
        if self._connection is not None:
            open_sockets.discard(self._connection)
            self._connection.close()
            self._connection = None


def find_link(place: Place) -> Link:
    """Return the link to a process, without a lock that a signal handler could wait for."""
    links, key = get_links(), (place.port, place.secret)
    return links.get(key) or links.setdefault(key, Link(place))


@per_process()
def get_links() -> dict[tuple[int, bytes], Link]:
    """Return those of this process, by the job's process at their other end."""
    return {}


def start_thread(work: Callable[[], None]) -> threading.Thread:
    """Start a thread that does not delay the end of the process; an interpreter of a pool has no such threads."""
    for is_daemon in (True, False):
        try:
            thread = threading.Thread(target=work, name="tasks_app-link", daemon=is_daemon)
            thread.start()
        except RuntimeError:
            if not is_daemon:
                raise
        else:
            return thread
    raise AssertionError("unreachable")
