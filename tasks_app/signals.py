"""Django signals with the snapshot of a task, sent in the process that runs it.

Receivers get `snapshot` (a `tasks_app.Snapshot`); `sender` is None. They run in a thread of their own, one after the
other, so that a slow one delays neither the job nor its viewers; what they raise is logged.
"""

import logging
import queue
import threading

from django.db import close_old_connections
from django.dispatch import Signal

from .state import Snapshot

logger = logging.getLogger("tasks_app")

#: Sent when something about a task changed, at most every FLUSH_INTERVAL.
task_changed = Signal()

#: Sent once when a task reached a terminal state.
task_ended = Signal()

_IDLE_SECONDS = 5.0


class SignalSender:
    """Sends the signals of this process, from a thread that lives only while there is something to send."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Snapshot | threading.Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def send(self, snapshot: Snapshot) -> None:
        """Have the receivers called, soon, with a snapshot that was just made."""
        if task_changed.has_listeners() or task_ended.has_listeners():
            self._put(snapshot)

    def drain(self, timeout: float) -> bool:
        """Wait until everything put so far was sent, `timeout` seconds at most; was it?"""
        if self._thread is None:
            return True
        done = threading.Event()
        self._put(done)
        return done.wait(timeout)

    def _put(self, item: Snapshot | threading.Event) -> None:
        with self._lock:
            self._queue.put(item)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="tasks_app-signals", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            else:
                _deliver(item)

    def _next(self) -> Snapshot | threading.Event | None:
        try:
            return self._queue.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            with self._lock:
                if self._queue.empty():
                    self._thread = None
                    return None
            return self._next()


def _deliver(snapshot: Snapshot) -> None:
    close_old_connections()
    for signal in (task_changed, task_ended) if snapshot.is_terminal else (task_changed,):
        _send(signal, snapshot)
    close_old_connections()


def _send(signal: Signal, snapshot: Snapshot) -> None:
    try:
        answers = signal.send_robust(sender=None, snapshot=snapshot)
    except BaseException:
        # Not even a SystemExit may end the thread that serves every task of the process.
        logger.exception("a receiver failed for task %s", snapshot.task_id)
        return
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            logger.error("%r failed for task %s", receiver, snapshot.task_id, exc_info=answer)
