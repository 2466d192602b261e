"""The parents whose children this process is sending: it gives signs of life of them, and else nobody does."""

import logging
import math
import threading
from datetime import datetime

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..snapshot import Snapshot, State, take_back
from ..store import get_store, reopen_sum

logger = logging.getLogger("tasks_app")


class SentParents:
    """The own records of parents that are being sent, written each HEARTBEAT."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, Snapshot] = {}
        #: Those that may have been declared lost, since they could not be written in time.
        self._late: set[str] = set()
        self._next_beat = math.inf

    def __bool__(self) -> bool:
        return bool(self._sent)

    def add(self, own: Snapshot, *, monotonic: float) -> None:
        """Give signs of life of a parent, which is stored with its first one."""
        if not self._sent:
            self._next_beat = monotonic + get_settings().HEARTBEAT
        self._sent[own.task_id] = own

    def find(self, task_id: str) -> Snapshot | None:
        """Return the own record of a parent that is being sent, or None."""
        return self._sent.get(task_id)

    def remove(self, task_id: str, *, monotonic: float) -> bool:
        """Give no more signs of life of a parent, and return whether it may have been declared lost.

        It waits for a write that is under way, which would undo the next one.
        """
        with self._lock:
            was_late = task_id in self._late or (task_id in self._sent and self._is_late(monotonic))
            self._sent.pop(task_id, None)
            self._late.discard(task_id)
            return was_late

    def beat(self, *, monotonic: float, now: datetime) -> None:
        """Write a sign of life of each parent, if that is due.

        Raises:
            StoreUnavailable: the cache refused some.
            Exception: any other error of the cache.
        """
        if not self._sent or monotonic < self._next_beat:
            return
        with self._lock:
            sent = dict(self._sent)
            if self._is_late(monotonic):
                self._late |= sent.keys()
                sent = {task_id: take_back_parent(own) for task_id, own in sent.items()}
            self._sent |= (beating := {task_id: own.beating().written(now=now) for task_id, own in sent.items()})
            _, refused = get_store().save(beating.values())
            if refused:
                raise StoreUnavailable(f"the cache did not store tasks {sorted(refused)!r}")
            self._next_beat = monotonic + get_settings().HEARTBEAT

    def _is_late(self, monotonic: float) -> bool:
        settings = get_settings()
        return monotonic - self._next_beat > settings.STALLED_AFTER - settings.HEARTBEAT


def take_back_parent(own: Snapshot) -> Snapshot:
    """Return a parent as a later version than the one by which others declared it lost, if they did.

    Raises:
        Exception: any error of the cache.
    """
    stored = get_store().get(own.task_id)
    if stored is None or stored.state is not State.LOST or stored.attempt != own.attempt:
        return own
    logger.warning(
        "task %s was declared lost while this process sends its children, and is taken back",
        own.task_id,
        extra={"task_id": own.task_id},
    )
    reopen_sum(own)
    return take_back(own, stored)
