"""The way from another process to that of a job, for what its parts report."""

import itertools
import logging
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..snapshot import State
from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import per_process
from .counts import Count
from .exchange import HOST, NONCE_BYTES, PROOF_BYTES, Place, open_sockets, prove
from .part import Counted
from .remote_cancel import CancelError
from .values import find_stage
from .wire_frames import MAX_BYTES, encode, fits, make_frames, receive, receive_frame

logger = logging.getLogger("tasks_app")

#: Seconds to wait for an answer of the job's process: it may be busy, but one that has ended answers at once.
ANSWER_SECONDS = 30.0

#: Seconds between two looks for a cancel, and until a thread without parts ends.
POLL_SECONDS, IDLE_SECONDS = 0.5, 1.0


#: The calls of a job that send the messages without a limit of their own.
CALLS = {"say": "update", "count_in": "update", "merge": "meta", "log": "log"}


class Link:
    """The connection of this process to that of a job, and the thread that sends what has changed, at intervals."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._sinks: dict[int, RemoteSink] = {}
        self._outbox: deque[list[bytes]] = deque()
        self._is_sending = False
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        #: The homes, by number, whose tasks were asked to stop.
        self.cancelled: set[int] = set()
        #: Whether the connection has failed: nothing more is sent of the parts that there were.
        self.is_broken = False
        self._is_gone = False

    def add(self, sink: "RemoteSink") -> None:
        """Send what a part reports from now on."""
        with self._lock:
            if not (self._sinks or self._is_gone):
                self.is_broken = False
            sink.number = next(self._numbers)
            self._sinks[sink.number] = sink
            if self._thread is None:
                self._try_to_start()
            self._changed.notify_all()

    def remove(self, sink: "RemoteSink") -> None:
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


class RemoteSink:
    """The keeper of a part's reports in another process than the job's, until they are sent.

    Args:
        share: the count of the part in a loop of this process, if it is in one.
    """

    def __init__(
        self,
        task_id: str,
        link: Link,
        place: Place,
        weight: float | None,
        stages: tuple[str, ...],
        share: Count | None = None,
    ) -> None:
        self.task_id = task_id
        self._link, self._stages, self._share = link, stages, share
        self._home, self.cancel_error = place.number, CancelError(place)
        self._opening: tuple[int, float | None] | None = (place.number, weight)
        #: That of all that the part reports.
        self.lock = threading.RLock()
        self._queue: deque[list[Any]] = deque()
        #: The last of each of these messages, of which an earlier one says nothing any longer.
        self._latest: dict[str, str] = {}
        self._stage: str | None = None
        self._counted: Counted = (0, None, 0.0)
        self.is_cancelled = place.number in link.cancelled
        self.number = -1

    def begin(self, read: Callable[[], Counted], heed: Callable[[], None]) -> None:
        """Have the counts of the part sent at intervals, and tell it of a cancel."""
        self._read, self._heed = read, heed
        self._link.add(self)

    def say(self, status: str) -> None:
        """Set the status of the task."""
        self._latest["say"] = status

    def count_in(self, unit: str) -> None:
        """Set the unit of the task, if the part adds up to its count."""
        self._latest["count_in"] = unit

    def merge(self, values: Mapping[str, Any]) -> None:
        """Merge values into the `meta` of the task."""
        self._queue.append(["merge", values])

    def log(self, text: str, level: str) -> None:
        """Append lines to the log of the task."""
        self._queue.append(["log", text, level])

    def enter(self, name: str, read: Callable[[], Counted]) -> None:
        """Begin a stage of the task, in which others may be."""
        name = find_stage(name, self._stages)
        if self._stage is not None:
            raise ValueError(f"stage {name!r} can't begin inside stage {self._stage!r}")
        self._stage = name
        self._move(["enter", name], read)

    def leave(self, state: State, read: Callable[[], Counted]) -> None:
        """Leave the stage."""
        self._stage = None
        self._move(["leave", state], read)

    def end(self) -> None:
        """Have what was reported last reach the job."""
        self._link.remove(self)

    def cancel(self) -> None:
        """Tell the part that the task was asked to stop, and those that begin later."""
        self._link.cancelled.add(self._home)
        self.is_cancelled = True
        self._heed()

    def collect(self, *, is_last: bool = False, opens: bool = False) -> list[bytes]:
        """Return the messages to send, as JSON; none without news, unless it `opens` to hear of a cancel."""
        with self.lock:
            self._count()
            news = [self._queue.popleft() for _ in range(len(self._queue))]
            news += [[kind, self._latest.pop(kind)] for kind in list(self._latest)]
            if self._opening is not None and (news or (opens and not is_last)):
                news.insert(0, ["open", *self._opening])
                self._opening = None
            if is_last and self._opening is None:
                news.append(["end"])
            if is_last and self._share is not None:
                self._share.is_over = True
        messages = [(kind, encode([self.number, kind, *arguments])) for kind, *arguments in news]
        return [message for kind, message in messages if self._admits(kind, message)]

    def _admits(self, kind: str, message: bytes) -> bool:
        """Return whether a message can be sent; log one that is too large, since reporting never fails a job."""
        if not (is_admitted := fits(message)):
            logger.warning(
                "task %s: what progress.%s() reports to the process of its job is ignored: it has %r bytes; a frame "
                "has at most %r",
                self.task_id,
                CALLS.get(kind, kind),
                len(message),
                MAX_BYTES,
                extra={"task_id": self.task_id},
            )
        return is_admitted

    def _move(self, message: list[Any], read: Callable[[], Counted]) -> None:
        with self.lock:
            self._count()
            self._queue.append(message)
            self._read, self._counted = read, (-1, None, 0.0)

    def _count(self) -> None:
        if (counted := self._read()) != self._counted:
            self._counted = counted
            self._queue.append(["count", counted])
            if self._share is not None and self._stage is None:
                self._share.current, self._share.total, self._share.extra = counted


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
