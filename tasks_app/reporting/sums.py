"""The ends of parents: stored, and told once, when the last of their children has ended."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .. import wakeups
from ..conf import get_settings
from ..snapshot import Snapshot, awaits_children, compose, is_note, runs_nothing
from ..store import (
    claim_sum,
    count_left_again,
    decode,
    expect_ends,
    find_broods,
    find_ends,
    find_families,
    get_store,
    keep_family,
)

logger = logging.getLogger("tasks_app")

#: The most parents of which is remembered when they were kept last.
MAX_KEPT = 1000


class Sums:
    """The parents that this process ends, since it has ended the last of their children or was the first to notice.

    Args:
        tell: sends the signals of a snapshot.
        monotonic: the clock.
    """

    def __init__(self, tell: Callable[[Snapshot], None], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._kept_at: dict[str, float] = {}

    def note(self, news: Iterable[Snapshot], *, written: Iterable[Snapshot]) -> None:
        """End the parents whose last child has ended, and keep those of the others; what fails is logged.

        Args:
            news: those of the tasks that were written which have changed.
            written: all of them, also those that only tell that they still run.
        """
        self.note_ends(news)
        self.keep(written)

    def note_ends(self, ended: Iterable[Snapshot]) -> None:
        """Count children that have ended, and end the parents that wait for no other; what fails is logged.

        A parent that runs nothing has ended only if its sender is gone: it waits for those children that are known.

        It costs the same however many children there are, but for the last one of each parent.

        Args:
            ended: tasks that have ended, and are stored; children, parents and others.
        """
        ended = list(ended)
        for task_id in (item.task_id for item in ended if awaits_children(item) and runs_nothing(item)):
            self._try_to_end(task_id, partial(count_left_again, task_id))
        numbers = Counter(parent for snapshot in ended if (parent := _find_parent(snapshot)) is not None)
        for parent, number in numbers.items():
            self._try_to_end(parent, partial(expect_ends, parent, -number))

    def _try_to_end(self, task_id: str, count: Callable[[], int]) -> None:
        try:
            if count() <= 0:
                self.end(task_id)
        except Exception:  # whatever a cache backend raises
            logger.exception(
                "task %s: whether all its children have ended can't be read", task_id, extra={"task_id": task_id}
            )

    def keep(self, children: Iterable[Snapshot]) -> None:
        """Keep what is stored of the parents of these tasks, which nobody writes while they take long.

        What fails is logged, and tried again later.

        Args:
            children: tasks that this process has written; children and others.
        """
        for parent in {snapshot.parent for snapshot in children if snapshot.parent is not None}:
            try:
                if self._is_due(parent):
                    _keep(parent)
            except Exception:  # whatever a cache backend raises
                logger.exception("task %s: it can't be kept for longer", parent, extra={"task_id": parent})

    def store_ends(self, sums: Sequence[Snapshot]) -> None:
        """Store the ends of parents; only the first process that does so tells of it.

        Args:
            sums: the parents with all their children, as `compose` makes them.

        Raises:
            Exception: any error of the cache.
        """
        first = [snapshot for snapshot in sums if claim_sum(snapshot)]
        versions, refused = get_store().save(sums)
        wakeups.publish(versions)
        for snapshot in first:
            self._tell(snapshot)
        if refused:
            logger.error("the cache refused to store that tasks %s have ended", sorted(refused))
        self.note_ends(first)

    def end(self, task_id: str) -> None:
        """End a parent, if all its children have ended.

        Raises:
            Exception: any error of the cache.
        """
        own = decode(task_id, get_store().read([task_id]).get(task_id))
        if own is None or not awaits_children(own):
            return
        (brood, members) = find_families({task_id: own.children["total"] if own.children else 0})[task_id]
        ends = find_ends((task_id, child) for child in members)
        parts = [(weight, ends.get((task_id, child))) for child, weight in members.items()]
        total = compose(own, parts, is_cancelled=brood.is_cancelled)
        if total.is_terminal and len(members) == brood.total:
            self.store_ends([total])

    def _is_due(self, task_id: str) -> bool:
        """Return whether what is stored of a parent is to be kept for longer, since its children take long."""
        now = self._monotonic()
        since = self._kept_at.setdefault(task_id, now)
        if len(self._kept_at) > MAX_KEPT:
            self._kept_at.pop(next(iter(self._kept_at)), None)
        if now - since < get_settings().ACTIVE_TTL / 4:
            return False
        self._kept_at[task_id] = now
        return True


def _keep(task_id: str) -> None:
    """Keep a parent, and those above it."""
    kept: set[str] = set()
    above: str | None = task_id
    while above is not None and above not in kept:
        kept.add(above)
        keep_family(above, find_broods([above])[above])
        own = get_store().get(above)
        above = None if own is None else own.parent


def _find_parent(snapshot: Snapshot) -> str | None:
    """Return the parent that waits for a task which has ended: for a parent's own end, itself if it ran."""
    if not snapshot.is_terminal:
        return None
    if awaits_children(snapshot):
        return None if runs_nothing(snapshot) else snapshot.task_id
    return snapshot.parent if is_note(snapshot) else None
