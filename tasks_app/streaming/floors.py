"""The progress of parents that this process has shown, below which none is shown again."""

import threading
from collections import OrderedDict

from ..snapshot import Snapshot
from ..utils.lazy import per_process

#: The most parents remembered; then the one shown longest ago is forgotten.
MAX_PARENTS = 10_000


class Floors:
    """The highest progress of each parent: a child that begins once more, or is added, takes none of it back."""

    def __init__(self, limit: int = MAX_PARENTS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._shown: OrderedDict[tuple[str, int], float] = OrderedDict()

    def find(self, own: Snapshot) -> float:
        """Return the progress in percent that was shown of this attempt of a parent."""
        return self._shown.get((own.task_id, own.attempt), 0.0)

    def note(self, total: Snapshot) -> None:
        """Remember what is shown of a parent until it ends."""
        key = total.task_id, total.attempt
        with self._lock:
            self._shown.pop(key, None)
            if not total.is_terminal:
                self._shown[key] = total.percent or 0.0
                if len(self._shown) > self._limit:
                    self._shown.popitem(last=False)


@per_process()
def get_floors() -> Floors:
    """Return the floors of this process."""
    return Floors()
