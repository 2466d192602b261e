"""The Django signals with the snapshot of a task, sent in the process that runs it.

Receivers get `snapshot` (a `tasks_app.Snapshot`); `sender` is None. They run one after another in a separate thread,
so a slow receiver delays neither the job nor its viewers. Their exceptions are logged.
"""

import logging
import threading
from datetime import datetime

from django.db import close_old_connections, connections
from django.dispatch import Signal

from ..metering import get_meter
from ..snapshot import Snapshot
from ..utils.exhaustion import exhaustion_log

logger = logging.getLogger("tasks_app")

#: Sent when a task changed, at most every FLUSH_INTERVAL.
task_changed = Signal()

#: Sent once when a task reached a terminal state.
task_ended = Signal()

#: Seconds that the thread waits for the next snapshot before it ends.
IDLE_SECONDS = 5.0


class SignalSender:
    """The sender of the signals of one process, with a thread that runs only while there are snapshots to send.

    Only the latest snapshot of each task waits: slow receivers get fewer snapshots, but no outdated ones. A run that
    begins under the id of an ended one is another task here, so that no end is left out.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._pending: dict[tuple[str, datetime], Snapshot] = {}
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if any receiver is connected.

        Raises:
            Exception: the process can't start it.
        """
        if _have_receivers():
            with self._condition:
                self._start()

    def send(self, snapshot: Snapshot) -> None:
        """Queue a task's latest snapshot for the receivers, and count an end."""
        if snapshot.is_terminal:
            get_meter().note_ended(snapshot)
        if _have_receivers():
            with self._condition:
                self._pending[snapshot.task_id, snapshot.created_at] = snapshot
                self._condition.notify_all()
                self._try_to_start()

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until all snapshots are sent, and return whether they are."""
        with self._condition:
            return self._condition.wait_for(lambda: not (self._pending or self._is_busy), timeout)

    def _try_to_start(self) -> None:
        try:
            self._start()
        except Exception as error:  # the next snapshot tries again
            exhaustion_log.note(error, "signals are sent later")

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="tasks_app-signals", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while (snapshot := self._take()) is not None:
            _deliver(snapshot)
        connections.close_all()

    def _take(self) -> Snapshot | None:
        with self._condition:
            self._is_busy = False
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: self._pending, IDLE_SECONDS):
                self._thread = None
                return None
            self._is_busy = True
            return self._pending.pop(next(iter(self._pending)))


def _have_receivers() -> bool:
    """Return whether any receiver is connected, without `has_listeners()`, which would check each one every time."""
    return bool(task_changed.receivers or task_ended.receivers)


def _deliver(snapshot: Snapshot) -> None:
    close_old_connections()
    for signal in (task_changed, task_ended) if snapshot.is_terminal else (task_changed,):
        _send(signal, snapshot)
    close_old_connections()


def _send(signal: Signal, snapshot: Snapshot) -> None:
    try:
        answers = signal.send_robust(sender=None, snapshot=snapshot)
    except BaseException:
        # This thread serves every task of the process, so not even a SystemExit may end it.
        logger.exception("a receiver failed for task %s", snapshot.task_id, extra={"task_id": snapshot.task_id})
        return
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            logger.error(
                "%r failed for task %s",
                receiver,
                snapshot.task_id,
                exc_info=answer,
                extra={"task_id": snapshot.task_id},
            )
