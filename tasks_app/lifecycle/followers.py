"""Followers: tasks whose ids are known before they are sent, which a task before them does later."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ..conf import get_settings
from ..reporting import Reporter, get_flusher
from ..snapshot import Snapshot
from ..store import get_store, note_followers
from ..utils.lazy import per_process

logger = logging.getLogger("tasks_app")

#: The most followers that are stored by the thread that sends a task; the flusher stores more than that.
MAX_AT_ONCE = 20

#: The most ids that a process remembers to have announced.
MAX_ANNOUNCED = 10_000


@dataclass(slots=True)
class Step:
    """The tasks that one which runs here is to send, and the time at which the cache is next told to keep them."""

    followers: dict[str, Snapshot]
    due_at: float


class Followers:
    """The followers of the tasks that this process sends, and of those that it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: OrderedDict[str, None] = OrderedDict()
        #: Weak, because nothing takes the step of a task that its executor drops without a word.
        self._steps: WeakKeyDictionary[Reporter, Step] = WeakKeyDictionary()

    def announce(self, followers: Sequence[Snapshot], *, after: Snapshot) -> None:
        """Show the followers of a task as queued, unless more is known of them.

        What can't be stored now is stored later.
        """
        if not followers:
            return
        fresh = self._note_announced(followers)
        at_once = fresh if len(fresh) <= MAX_AT_ONCE else []
        if not _store_at_once(at_once, after, [snapshot.task_id for snapshot in followers]) or not at_once:
            for snapshot in fresh:
                get_flusher().enlist(snapshot, is_stored=False)

    def keep(self, reporter: Reporter, followers: Iterable[Snapshot]) -> None:
        """Have the cache keep the followers of a task while it runs in this process, however long that takes."""
        if by_id := {snapshot.task_id: snapshot for snapshot in followers}:
            with self._lock:
                # Not at once: most tasks have sent by then what follows, which may have to be kept for longer.
                due_at = get_flusher().clock.monotonic() + get_settings().HEARTBEAT
                self._steps[reporter] = Step(by_id, due_at)
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
            get_store().submit(_keep_all, due)

    def _note_announced(self, followers: Iterable[Snapshot]) -> list[Snapshot]:
        with self._lock:
            fresh = [item for item in followers if item.waits_for or item.task_id not in self._announced]
            self._announced.update((snapshot.task_id, None) for snapshot in fresh)
            while len(self._announced) > MAX_ANNOUNCED:
                self._announced.popitem(last=False)
            return fresh

    def _take_due(self, monotonic: float) -> dict[str, dict[str, Snapshot]]:
        """Return the followers that are due by the id of the task that is to send them; those that it sends go."""
        with self._lock:
            due = {reporter: step for reporter, step in list(self._steps.items()) if step.due_at <= monotonic}
            for step in due.values():
                step.due_at = monotonic + get_settings().ACTIVE_TTL / 4
            if not self._steps:
                get_flusher().chores.discard(self.renew)
            return {reporter.task_id: step.followers for reporter, step in due.items()}


@per_process()
def get_followers() -> Followers:
    """Return the followers that this process knows."""
    return Followers()


def _store_at_once(fresh: Sequence[Snapshot], after: Snapshot, task_ids: Sequence[str]) -> bool:
    try:
        get_store().call_briefly(_store_all, fresh, after, task_ids)
    except Exception:
        logger.exception("tasks %s: they could not be announced at once", task_ids)
        return False
    return True


def _store_all(fresh: Sequence[Snapshot], after: Snapshot, task_ids: Sequence[str]) -> None:
    _add_each(fresh)
    note_followers(after.task_id, task_ids, delay=after.waits_for)


def _add_each(followers: Sequence[Snapshot]) -> None:
    known = get_store().read(snapshot.task_id for snapshot in followers)
    for snapshot in followers:
        if snapshot.task_id not in known:
            _add(snapshot)
        elif snapshot.waits_for:  # what sends it waits for that long
            get_store().touch(snapshot)


def _keep_all(by_task: Mapping[str, Mapping[str, Snapshot]]) -> None:
    try:
        for task_id, followers in by_task.items():
            _keep_each(task_id, followers)
    except Exception:
        logger.exception("the cache may not keep what is to be sent after tasks %s", sorted(by_task))


def _keep_each(task_id: str, followers: Mapping[str, Snapshot]) -> None:
    unsent = list(followers.values())
    note_followers(task_id, [snapshot.task_id for snapshot in unsent])
    for snapshot in unsent:
        if snapshot.task_id in followers and not get_store().touch(snapshot):
            _add(snapshot)


def _add(snapshot: Snapshot) -> None:
    if get_store().add(snapshot):
        get_flusher().enlist(snapshot)
