"""Followers: tasks whose ids are known before they are sent, which a task before them does later."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ..conf import get_settings
from ..reporting import Reporter, get_flusher
from ..snapshot import Snapshot
from ..store import get_store
from ..utils.lazy import per_process

logger = logging.getLogger("tasks_app")

#: The most followers that are stored by the thread that sends a task; the flusher stores more than that.
MAX_AT_ONCE = 20

#: The most ids that a process remembers to have announced.
MAX_ANNOUNCED = 10_000


@dataclass(slots=True)
class Step:
    """What a task that runs in this process is to send, and when the cache is next told to keep that."""

    followers: dict[str, Snapshot]
    due_at: float


class Followers:
    """The followers of the tasks that this process sends, and of those that it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: OrderedDict[str, None] = OrderedDict()
        #: Weak, because nothing takes the step of a task that its executor drops without a word.
        self._steps: WeakKeyDictionary[Reporter, Step] = WeakKeyDictionary()

    def announce(self, followers: Iterable[Snapshot]) -> None:
        """Show followers as queued, unless more is known of them; what can't be stored now is stored later."""
        fresh = self._note_announced(followers)
        if fresh and (len(fresh) > MAX_AT_ONCE or not _add_at_once(fresh)):
            for snapshot in fresh:
                get_flusher().enlist(snapshot, is_stored=False)

    def keep(self, reporter: Reporter, followers: Iterable[Snapshot]) -> None:
        """Have the cache keep the followers of a task while it runs in this process, however long that takes."""
        if by_id := {snapshot.task_id: snapshot for snapshot in followers}:
            with self._lock:
                self._steps[reporter] = Step(by_id, get_flusher().clock.monotonic())
                get_flusher().chores.add(self.renew)

    def note_sent(self, reporter: Reporter, task_ids: Iterable[str]) -> None:
        """Note that a task which runs here has sent others, or what will send them; some may be its followers."""
        with self._lock:
            if (step := self._steps.get(reporter)) is not None:
                for task_id in task_ids:
                    step.followers.pop(task_id, None)

    def take(self, reporter: Reporter) -> dict[str, Snapshot]:
        """Return the followers that a task has not sent, and keep them no longer."""
        with self._lock:
            step = self._steps.pop(reporter, None)
            return step.followers if step is not None else {}

    def renew(self) -> None:
        """Have the cache keep what is due; the flusher calls this every SWEEP_INTERVAL."""
        if due := self._take_due(get_flusher().clock.monotonic()):
            get_store().submit(_keep_each, due)

    def _note_announced(self, followers: Iterable[Snapshot]) -> list[Snapshot]:
        with self._lock:
            fresh = [item for item in followers if item.waits_for or item.task_id not in self._announced]
            self._announced.update((snapshot.task_id, None) for snapshot in fresh)
            while len(self._announced) > MAX_ANNOUNCED:
                self._announced.popitem(last=False)
            return fresh

    def _take_due(self, monotonic: float) -> list[Snapshot]:
        with self._lock:
            due = [step for step in list(self._steps.values()) if step.due_at <= monotonic]
            for step in due:
                step.due_at = monotonic + get_settings().ACTIVE_TTL / 4
            if not self._steps:
                get_flusher().chores.discard(self.renew)
            return [snapshot for step in due for snapshot in step.followers.values()]


@per_process()
def get_followers() -> Followers:
    """Return the followers that this process knows."""
    return Followers()


def _add_at_once(followers: Sequence[Snapshot]) -> bool:
    try:
        get_store().call_briefly(_add_each, followers)
    except Exception:
        logger.exception("tasks %s: they could not be announced at once", [item.task_id for item in followers])
        return False
    return True


def _add_each(followers: Sequence[Snapshot]) -> None:
    known = get_store().read(snapshot.task_id for snapshot in followers)
    for snapshot in followers:
        if snapshot.task_id not in known:
            _add(snapshot)
        elif snapshot.waits_for:  # what sends it waits for that long
            get_store().touch(snapshot)


def _keep_each(followers: Sequence[Snapshot]) -> None:
    try:
        for snapshot in followers:
            if not get_store().touch(snapshot):
                _add(snapshot)
    except Exception:
        logger.exception("tasks %s: the cache may not keep them", [item.task_id for item in followers])


def _add(snapshot: Snapshot) -> None:
    if get_store().add(snapshot):
        get_flusher().enlist(snapshot)
