"""The door of a job's process, at which other processes of the machine report: a socket that opens by a secret."""

import hmac
import itertools
import logging
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary

from ..conf import get_settings
from ..exceptions import TaskCancelled
from ..snapshot import State
from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import call_after_fork, per_process
from .sink import LocalSink
from .wire_frames import encode, make_frame, receive, receive_frame

logger = logging.getLogger("tasks_app")

HOST = "127.0.0.1"
SECRET_BYTES = NONCE_BYTES = PROOF_BYTES = 32

#: Seconds in which a connection must say the secret, and how many may be about to: each has a thread.
SECRET_SECONDS, MAX_STRANGERS = 10.0, 256


class Place(NamedTuple):
    """The address of a home in another process, and all that reporting to it needs, also without the site's settings.

    Attributes:
        interval: the seconds between two reports.
        captures: whether the bars of all that a part does are captured.
    """

    port: int
    secret: bytes
    number: int
    interval: float
    captures: bool


class Open(Protocol):
    """The interface of a home in this process."""

    def open(self, weight: float | None) -> Any: ...

    def open_sink(self, weight: float | None) -> LocalSink | None: ...

    def make_cancel(self, text: str) -> TaskCancelled: ...


class Exchange:
    """The door of this process; a thread for each connected process puts its reports into those of the tasks.

    A process that is killed only closes its connection, so nobody waits for it.
    """

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self._homes: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._late: set[int] = set()
        self._numbers = itertools.count(1)
        self._strangers = threading.Semaphore(MAX_STRANGERS)
        self._listener = socket.create_server((HOST, 0), backlog=128)
        open_sockets.add(self._listener)
        try:
            threading.Thread(target=self._accept, name="tasks_app-exchange", daemon=True).start()
        except BaseException:
            _close(self._listener)
            raise

    def admit(self, home: Open) -> Place:
        """Let other processes report to a home while it exists."""
        number = next(self._numbers)  # without a lock that a signal handler could wait for
        self._homes[number] = home
        settings, port = get_settings(), self._listener.getsockname()[1]
        return Place(port, self.secret, number, settings.FLUSH_INTERVAL, settings.CAPTURE_TQDM)

    def find(self, number: int) -> Open | None:
        """Return a home by its number; None after the end of its task, which is logged once."""
        home = self.peek(number)
        if home is None and number not in self._late:
            self._late.add(number)
            logger.warning("what is reported by a handle is ignored, since its task or its call has ended")
        return home

    def peek(self, number: int) -> Open | None:
        """Return a home by its number; None after the end of its task."""
        return self._homes.get(number)

    def _accept(self) -> None:
        while True:
            try:
                self._receive(self._listener.accept()[0])
            except Exception as error:
                exhaustion_log.note(error, "other processes can't report to its tasks for now")
                time.sleep(1)

    def _receive(self, connection: socket.socket) -> None:
        if not self._strangers.acquire(blocking=False):
            connection.close()
            return
        open_sockets.add(connection)
        try:
            name = "tasks_app-exchange-peer"
            threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True).start()
        except BaseException:
            self._strangers.release()
            _close(connection)
            raise

    def _knows_secret(self, connection: socket.socket) -> bool:
        try:
            end = time.monotonic() + SECRET_SECONDS
            connection.sendall(prove(self.secret, receive(connection, NONCE_BYTES, end=end)))
            return secrets.compare_digest(receive(connection, SECRET_BYTES, end=end), self.secret)
        finally:
            self._strangers.release()

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(self)
        try:
            if self._knows_secret(connection):
                connection.settimeout(None)
                while True:
                    connection.sendall(make_frame(encode(peer.take(receive_frame(connection)))))
        except OSError:
            pass  # the process has ended, or was killed
        except Exception:
            logger.exception("what another process reports to a task of this one can't be read")
        finally:
            _close(connection)
            peer.leave()


class Peer:
    """A connected process, and the sinks of its parts."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sinks: dict[int, LocalSink | None] = {}

    def take(self, messages: Sequence[Any]) -> list[int]:
        """Put messages into the reports of their tasks, and return the parts that are to stop."""
        for part, kind, *arguments in messages:
            if kind == "open":
                number, weight = arguments
                home = self._exchange.find(number)
                self._sinks[part] = None if home is None else home.open_sink(weight)
            elif (sink := self._sinks.get(part)) is not None:
                self._take_one(sink, kind, arguments)
            if kind == "end":
                self._sinks.pop(part, None)
        return [part for part, sink in self._sinks.items() if sink is not None and sink.is_cancelled]

    def leave(self) -> None:
        """End the parts of a process that has gone; what they have counted stays."""
        for sink in self._sinks.values():
            if sink is not None:
                sink.leave(State.FAILED)
                sink.end()
        self._sinks.clear()

    def _take_one(self, sink: LocalSink, kind: str, arguments: Sequence[Any]) -> None:
        try:
            if kind == "count":
                sink.take_count(*arguments)
            elif kind == "leave":
                sink.leave(State(*arguments))
            elif kind in MESSAGES:
                getattr(sink, kind)(*arguments)
        except ValueError as error:  # `meta` would be too large, or the job has declared other stages since
            logger.warning(
                "task %s: a report of another process is ignored: %s",
                sink.task_id,
                error,
                extra={"task_id": sink.task_id},
            )


def prove(secret: bytes, nonce: bytes) -> bytes:
    """Return what shows to the sender of a random nonce that this process has the secret, without telling it."""
    return hmac.digest(secret, nonce, "sha256")


#: The messages that are calls of the methods of a sink.
MESSAGES = frozenset({"say", "count_in", "merge", "log", "enter", "end"})

#: Those of this process, which a forked child must not hold open.
open_sockets: set[socket.socket] = set()


@per_process()
def get_exchange() -> Exchange:
    """Return the door of this process; the first use opens it."""
    return Exchange()


def _close(connection: socket.socket) -> None:
    open_sockets.discard(connection)
    connection.close()


def _close_inherited() -> None:
    for each in list(open_sockets):
        with suppress(OSError):
            each.close()
    open_sockets.clear()


call_after_fork(_close_inherited)
