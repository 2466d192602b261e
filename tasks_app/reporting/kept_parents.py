"""The facts of parents that this process keeps until they end, and stores again where the cache has lost them."""

from collections.abc import Callable
from functools import partial

from ..snapshot import Snapshot, is_note
from ..store import restore_ends
from .kept_ends import KeptEnds
from .kept_families import KeptFamilies, restore_family
from .owed import Owed
from .sent_parents import SentParents


class KeptParents:
    """The parents that are being sent, the children of parents, the ends of those, and the steps that are left.

    Args:
        end: ends a parent, if all its children have ended.
    """

    def __init__(self, end: Callable[[str], object]) -> None:
        self._end = end
        self.sent = SentParents()
        self.families, self.ends, self.owed = KeptFamilies(), KeptEnds(), Owed()

    def __bool__(self) -> bool:
        return bool(self.sent or self.families or self.ends or self.owed)

    def note(self, told: Snapshot, *, monotonic: float) -> None:
        """Note a change of a task that is told, perhaps its end."""
        if told.is_summed and told.is_terminal:
            self.forget(told.task_id)
        if told.parent is not None and is_note(told):
            self.ends.keep(told.parent, told, monotonic=monotonic)

    def forget(self, task_id: str) -> None:
        """Forget the children of a parent that has ended, or begins again."""
        self.families.forget(task_id)
        self.ends.forget(task_id)

    def restore(self, *, monotonic: float) -> None:
        """Have what is left tried again, and what the cache has lost stored again, in another thread.

        Raises:
            Exception: any error of the cache; nothing is forgotten.
        """
        self.owed.retry(monotonic=monotonic)
        for task_id, kept in self.families.find_lost(monotonic=monotonic).items():
            steps = partial(restore_family, task_id, dict(kept.children)), partial(kept.see_to, task_id)
            self.owed.add(task_id, steps, failure="its children can't be stored again", monotonic=monotonic)
        for task_id, ends in self.ends.find_lost(monotonic=monotonic).items():
            steps = partial(restore_ends, task_id, ends), partial(self._end, task_id)
            self.owed.add(task_id, steps, failure="how its children ended can't be stored again", monotonic=monotonic)
