"""Summaries of many tasks for the monitor: counts by state, a chart, and a page of a list. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from ..snapshot import Snapshot, State
from ..utils.clock import format_time

#: What a list shows of a task, exactly one of these: its state, or "stalled".
CONDITIONS = ("queued", "running", "stalled", *(state.value for state in State if state.is_terminal))

PAGE_SIZE = 50

#: The seconds that one column of the chart covers, and the number of columns.
CHART_STEP, CHART_LENGTH = 60, 60

#: The line of the chart that counts the end of a task, by its state.
_LINES = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.LOST: "failed",
    State.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter for a list of tasks; an empty argument does not filter.

    Args:
        conditions: some of CONDITIONS, one of which must hold.
        task: the exact name of the task.
        text: a part of the task's label, name or id, or of its owner's name or id, in upper or lower case.
    """

    conditions: frozenset[str] = frozenset()
    task: str = ""
    text: str = ""

    def apply(self, snapshots: Iterable[Snapshot], owner_names: Mapping[str, str]) -> list[Snapshot]:
        """Return the tasks that match, in the given order."""
        text = self.text.casefold()
        return [
            snapshot
            for snapshot in snapshots
            if (not self.conditions or find_condition(snapshot) in self.conditions)
            and (not self.task or self.task == snapshot.task)
            and (not text or any(text in item.casefold() for item in _find_texts(snapshot, owner_names)))
        ]


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, its number, and the number of pages."""

    items: Sequence[Snapshot]
    number: int
    count: int

    @classmethod
    def cut(cls, snapshots: Sequence[Snapshot], number: int) -> "ListPage":
        """Return the page with this number, from 1, or the last page if there are fewer."""
        count = max(1, math.ceil(len(snapshots) / PAGE_SIZE))
        number = min(number, count)
        return cls(snapshots[(number - 1) * PAGE_SIZE : number * PAGE_SIZE], number, count)


def summarize(snapshots: Sequence[Snapshot], *, now: datetime) -> dict[str, Any]:
    """Return what the monitor shows above its list, as JSON values.

    Args:
        now: the end of the hour that the summary covers.
    """
    return {
        "counts": count_conditions(snapshots),
        "failed_last_hour": count_failed(snapshots, since=now - timedelta(hours=1)),
        "chart": draw_chart(snapshots, now=now),
        "names": sorted({snapshot.task for snapshot in snapshots}),
    }


def count_conditions(snapshots: Sequence[Snapshot]) -> dict[str, int]:
    """Return the number of all tasks, and of those for which each of CONDITIONS holds, which add up to it."""
    found = Counter(map(find_condition, snapshots))
    return {"all": len(snapshots), **{condition: found[condition] for condition in CONDITIONS}}


def find_condition(snapshot: Snapshot) -> str:
    """Return the one of CONDITIONS that holds for a task."""
    return "stalled" if snapshot.stalled else snapshot.state.value


def count_failed(snapshots: Iterable[Snapshot], *, since: datetime) -> int:
    """Return how many tasks failed or were lost after `since`."""
    return sum(
        snapshot.finished_at is not None and snapshot.finished_at > since
        for snapshot in snapshots
        if _LINES.get(snapshot.state) == "failed"
    )


def draw_chart(snapshots: Iterable[Snapshot], *, now: datetime) -> dict[str, Any]:
    """Return how many tasks ran, and how many ended in each way, for each minute of the hour up to `now`."""
    step = timedelta(seconds=CHART_STEP)
    until = now.replace(second=0, microsecond=0) + step
    chart = _Chart(until - CHART_LENGTH * step, step)
    for snapshot in snapshots:
        chart.add(snapshot, until)
    return {"step": CHART_STEP, "until": format_time(until), "running": chart.count_running(), **chart.ends}


class _Chart:
    """The columns of the chart, to which tasks are added one at a time."""

    def __init__(self, start: datetime, step: timedelta) -> None:
        self._start = start
        self._step = step
        self._changes = [0] * (CHART_LENGTH + 1)  # difference of running tasks to the column before
        self.ends = {line: [0] * CHART_LENGTH for line in dict.fromkeys(_LINES.values())}

    def add(self, snapshot: Snapshot, until: datetime) -> None:
        end = until if snapshot.state is State.RUNNING else snapshot.finished_at
        if end is None:  # it waits for its first or its next attempt
            return
        last = self._find_column(end)
        if 0 <= last < CHART_LENGTH and snapshot.is_terminal:
            self.ends[_LINES[snapshot.state]][last] += 1
        if snapshot.started_at is not None and last >= 0:
            self._add_run(self._find_column(snapshot.started_at), last)

    def _add_run(self, first: int, last: int) -> None:
        if first < CHART_LENGTH:
            self._changes[max(first, 0)] += 1
            self._changes[min(last, CHART_LENGTH - 1) + 1] -= 1

    def _find_column(self, time: datetime) -> int:
        return (time - self._start) // self._step

    def count_running(self) -> list[int]:
        return list(accumulate(self._changes[:-1]))


def _find_texts(snapshot: Snapshot, owner_names: Mapping[str, str]) -> tuple[str, ...]:
    owner = snapshot.owner or ""
    name = snapshot.task.replace("_", " ")  # as the monitor shows it
    return snapshot.label or "", snapshot.task, name, snapshot.task_id, owner, owner_names.get(owner, "")
