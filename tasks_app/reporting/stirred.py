"""The reporters that may have something to write: of thousands that wait or run, few do."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from ..conf import get_settings
from .reporter import Reporter

#: The part of HEARTBEAT by which a heartbeat may be late, so that one look finds many that are due.
BEAT_SLACK = 0.05


class Stirred:
    """The reporters of a flusher that have told of a change, or whose heartbeat is due.

    Args:
        reporters: all of them by task id, which the flusher changes.
    """

    def __init__(self, reporters: Mapping[str, Reporter]) -> None:
        self._reporters = reporters
        self._task_ids: deque[str] = deque()  # its methods are atomic: a signal handler may interrupt one
        self._next_look = math.inf

    def add(self, task_id: str) -> None:
        """Note a change of a task; any thread may call this."""
        self._task_ids.append(task_id)

    def add_new(self, reporter: Reporter) -> None:
        """Note a reporter that is new."""
        self._next_look = min(self._next_look, reporter.next_beat)
        self.add(reporter.task_id)

    def peek(self) -> Sequence[Reporter]:
        """Return the reporters that have told of a change."""
        return self._find(self._task_ids.copy())

    def take(self, *, monotonic: float) -> Sequence[Reporter]:
        """Return the reporters that may have something to write; those with `has_news` must then be added again."""
        if monotonic < self._next_look:
            return self._take_noted()
        self._task_ids.clear()
        reporters = list(self._reporters.values())
        heartbeat = get_settings().HEARTBEAT
        # No later than what is added meanwhile is due.
        soonest = min((item.next_beat for item in reporters), default=monotonic + heartbeat)
        self._next_look = max(min(soonest, monotonic + heartbeat), monotonic + heartbeat * BEAT_SLACK)
        return reporters

    def _take_noted(self) -> Sequence[Reporter]:
        try:
            return self._find(self._task_ids.popleft() for _ in range(len(self._task_ids)))
        except BaseException:  # a time limit of the job in whose thread this runs
            self._next_look = -math.inf  # what was taken is found again
            raise

    def _find(self, task_ids: Iterable[str]) -> Sequence[Reporter]:
        return [item for task_id in dict.fromkeys(task_ids) if (item := self._reporters.get(task_id)) is not None]
