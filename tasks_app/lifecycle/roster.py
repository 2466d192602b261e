"""The list of a parent's children, stored now and then while they are sent, since the sender may be killed."""

import logging
from collections.abc import Mapping
from itertools import islice

from ..reporting import get_flusher
from ..store import add_children, get_store, restore_children, set_children

logger = logging.getLogger("tasks_app")

#: Seconds between two writes of who the children are, while they are sent.
WRITE_INTERVAL = 1.0


class Roster:
    """The children of a parent that are sent, in their order, and the weight of each.

    Args:
        task_id: the id of the parent.
        weights: those of the children that are known before.
    """

    def __init__(self, task_id: str, weights: Mapping[str, float] | None = None) -> None:
        self.weights = dict(weights or {})
        self._task_id = task_id
        #: How many of them were stored or tried to be.
        self._written = 0
        self._next_write = _tell_time() + WRITE_INTERVAL

    def add(self, task_id: str, weight: float = 1.0, *, is_late: bool = False) -> None:
        """Add a child, and store those that are not stored, if that is due; what fails is logged, and done at last.

        Args:
            is_late: whether nothing is stored before `store` is called, since a transaction may be rolled back.
        """
        self.weights[task_id] = weight
        if not is_late and _tell_time() >= self._next_write:
            self._store_some()
            self._next_write = _tell_time() + WRITE_INTERVAL

    def store(self) -> None:
        """Store all of them.

        Raises:
            Exception: any error of the cache; it may be tried again.
        """
        if self._written:
            restore_children(self._task_id, self.weights)
        elif self.weights:
            set_children(self._task_id, self.weights)
        self._written = len(self.weights)

    def _store_some(self) -> None:
        fresh = dict(islice(self.weights.items(), self._written, None))
        self._written = len(self.weights)
        try:
            get_store().call_briefly(add_children, self._task_id, fresh)
        except Exception:  # whatever a cache backend raises
            logger.exception(
                "task %s: its parts are stored when all are sent", self._task_id, extra={"task_id": self._task_id}
            )


def _tell_time() -> float:
    return get_flusher().clock.monotonic()
