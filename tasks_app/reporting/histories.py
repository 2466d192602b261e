"""The durations of runs that this process knows: read and written rarely, and never for a short task.

Two processes that write those of one task at the same moment lose some runs of one of them: the median of the others
says nearly the same.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from ..snapshot import MAX_RUNS, History, Run, Snapshot, expecting, foretell, name_runs
from ..store import find_histories, keep_histories
from ..utils.clock import Clock
from .reporter import Reporter

#: Seconds for which what was read is used, and between two writes while tasks run in this process; and for which it is
#: used while it says nothing, since the runs of another process may complete it.
MAX_AGE, MAX_AGE_OF_NOTHING = 60.0, 1.0

#: Seconds that a task must have lived before the durations of its earlier runs are read for it.
MIN_LIFE = 1.0

#: The most tasks whose histories are kept in this process, by name.
MAX_TASKS = 1000


class Known(NamedTuple):
    """A history as it was read, at a time of the monotonic clock.

    Attributes:
        is_settled: whether it said something then, so that further runs change little.
    """

    history: History
    read_at: float
    is_settled: bool


class Histories:
    """The histories of tasks by name, with the runs of this process that are not stored yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._new: dict[str, deque[Run]] = {}
        self._has_failed = False

    def __bool__(self) -> bool:
        """Whether there are runs to store; not while the cache fails, since nothing waits for them."""
        return bool(self._new) and not self._has_failed

    def note(self, snapshot: Snapshot) -> None:
        """Take in a task that has ended; if it succeeded, its duration is stored at a later sweep."""
        if (run := Run.of(snapshot)) is None:
            return
        name = name_runs(snapshot)
        with self._lock:
            self._new.setdefault(name, deque(maxlen=MAX_RUNS)).append(run)
            if len(self._new) > MAX_TASKS:
                del self._new[next(iter(self._new))]
            known = self._known.get(name)
            if known is not None and not known.is_settled:  # else what it says would be reckoned for each run
                self._known[name] = known._replace(history=known.history.having([run]))

    def foretell(self, snapshot: Snapshot, *, clock: Clock, reads: bool = True) -> Snapshot:
        """Return a task that is about to be stored as queued, with what its earlier runs say of it.

        Args:
            snapshot: the task.
            clock: the source of times.
            reads: whether to read what this process does not know of them.

        Raises:
            Exception: any error of the cache.
        """
        name, monotonic = name_runs(snapshot), clock.monotonic()
        history = self.find(name, monotonic=monotonic)
        if history is None and reads:
            history = self._read([name], monotonic)[name]
        return snapshot if history is None else foretell(snapshot, history)

    def find(self, name: str, *, monotonic: float) -> History | None:
        """Return the history of a task by `name_runs`, or None if what was read is too old."""
        known = self._find(name, monotonic)
        return None if known is None else known.history

    def teach(self, reporters: Iterable[Reporter], *, clock: Clock) -> None:
        """Tell reporters of the earlier runs of their tasks, where these are known."""
        for reporter in reporters:
            history = self.find(name_runs(reporter.snapshot), monotonic=clock.monotonic())
            if history is not None and not reporter.has_ended:
                reporter.history = history
                if expecting(reporter.snapshot, history, now=clock.now()) is not reporter.snapshot:
                    reporter.change(partial(expecting, history=history, now=clock.now()))

    def sweep(self, reporters: Iterable[Reporter], *, clock: Clock) -> None:
        """Store what is due, and tell the tasks that live longer of their earlier runs: one `get_many` for all of it.

        If no task runs or waits in this process, all is due.

        Raises:
            Exception: any error of the cache; nothing is forgotten.
        """
        reporters, monotonic, now = list(reporters), clock.monotonic(), clock.now()
        untold = [item for item in reporters if item.history is None and _get_life(item.snapshot, now) >= MIN_LIFE]
        wanted = {name_runs(item.snapshot) for item in untold}
        names = {name for name in wanted if self.find(name, monotonic=monotonic) is None}
        due = {name for name in list(self._new) if not reporters or self._is_due(name, monotonic)}
        if names or due:
            self._has_failed = True
            self._write(due, self._read(names | due, monotonic))
            self._has_failed = False
        self.teach(untold, clock=clock)

    def _is_due(self, name: str, monotonic: float) -> bool:
        """Return whether new runs of a task are to be stored: soon, if these are the first that say something."""
        known = self._find(name, monotonic)
        return known is None or not known.is_settled

    def _find(self, name: str, monotonic: float) -> Known | None:
        known = self._known.get(name)
        if known is None:
            return None
        limit = MAX_AGE if known.is_settled else MAX_AGE_OF_NOTHING
        return None if monotonic - known.read_at >= limit else known

    def _read(self, names: Iterable[str], monotonic: float) -> Mapping[str, History]:
        """Return the stored histories of these tasks, with the runs of this process."""
        found = find_histories(names)
        with self._lock:
            for name, stored in found.items():
                found[name] = history = stored.having(self._new.get(name, ()))
                self._known[name] = Known(history, monotonic, history.is_enough)
                self._known.move_to_end(name)
            while len(self._known) > MAX_TASKS:
                self._known.popitem(last=False)
        return found

    def _write(self, due: Iterable[str], histories: Mapping[str, History]) -> None:
        with self._lock:  # one may have been dropped meanwhile
            written = {name: len(runs) for name in due if (runs := self._new.get(name))}
        if written:
            keep_histories({name: histories[name] for name in written})
        with self._lock:
            for name, number in written.items():
                if rest := list(self._new.pop(name, ()))[number:]:
                    self._new[name] = deque(rest, MAX_RUNS)


def _get_life(snapshot: Snapshot, now: datetime) -> float:
    """Return for how many seconds a task runs, or waits."""
    return (now - (snapshot.started_at or snapshot.created_at)).total_seconds()
