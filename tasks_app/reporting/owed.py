"""The steps for parents that this process could not take since the cache failed; they are tried again."""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

from ..conf import get_settings
from ..store import get_store

logger = logging.getLogger("tasks_app")

#: The most parents for which something is tried again, the latest ones.
MAX_OWED = 1000

#: A part of what is done for a parent. Those before it are not repeated if it fails.
Step = Callable[[], object]


class Debt(NamedTuple):
    """The steps that are left for a task, what is said if they fail, and since when, by the monotonic clock."""

    task_id: str
    steps: list[Step]
    failure: str
    since: float

    def pay(self) -> None:
        """Take the steps; those that were taken are not left."""
        while self.steps:
            self.steps[0]()
            del self.steps[0]


class Owed:
    """The steps that have failed, to be tried again until RETENTION has passed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._debts: list[Debt] = []
        self._attempt: Future[None] | None = None

    def __bool__(self) -> bool:
        return bool(self._debts)

    def settle(self, task_id: str, steps: Iterable[Step], *, failure: str, monotonic: float) -> None:
        """Take steps for a task now; a failure is logged, and what is left is tried again at each sweep.

        Args:
            failure: what can't be done then, for the log.
        """
        debt = Debt(task_id, list(steps), failure, monotonic)
        try:
            debt.pay()
        except Exception:  # whatever a cache backend raises
            _log(debt)
            self._add(debt)

    def add(self, task_id: str, steps: Iterable[Step], *, failure: str, monotonic: float) -> None:
        """Have these steps taken at the next sweep."""
        self._add(Debt(task_id, list(steps), failure, monotonic))

    def retry(self, *, monotonic: float) -> None:
        """Try again in another thread, since a step may take long; in this one, while a process ends."""
        if not self._debts or (self._attempt is not None and not self._attempt.done()):
            return
        try:
            self._attempt = get_store().submit(self._retry, monotonic)
        except RuntimeError:
            self._retry(monotonic)

    def _add(self, debt: Debt) -> None:
        with self._lock:
            self._debts.append(debt)
            del self._debts[:-MAX_OWED]

    def _retry(self, monotonic: float) -> None:
        for debt in list(self._debts):
            if not _pay_late(debt, monotonic=monotonic):
                continue
            with self._lock:
                if debt in self._debts:
                    self._debts.remove(debt)


def _pay_late(debt: Debt, *, monotonic: float) -> bool:
    """Take what is left, and return whether that is over."""
    try:
        debt.pay()
    except Exception:  # whatever a cache backend raises; it was logged the first time
        if monotonic - debt.since < get_settings().RETENTION:
            return False
        _log(debt)
    return True


def _log(debt: Debt) -> None:
    logger.exception("task %s: %s", debt.task_id, debt.failure, extra={"task_id": debt.task_id})
