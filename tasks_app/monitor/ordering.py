"""The order of the monitor's list. Pure: the time is passed in."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..snapshot import Snapshot, State
from .summary import CONDITIONS, find_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order for a list of tasks, the newest first: what runs, what waits, what has ended; or by one column.

    Args:
        column: a key of COLUMNS; empty for none.
        is_descending: whether the greatest comes first. Tasks without a value come last in any case.
    """

    column: str = ""
    is_descending: bool = False

    def apply(self, snapshots: Iterable[Snapshot], owner_names: Mapping[str, str], *, now: datetime) -> list[Snapshot]:
        """Return the tasks in this order; those that are equal in it stay as they are.

        Args:
            snapshots: the tasks.
            owner_names: the user names of owners.
            now: the end of the time that a task has taken which runs.
        """
        if not self.column:
            return sorted(snapshots, key=_find_group)
        read = COLUMNS[self.column]
        values = [(read(snapshot, owner_names, now), snapshot) for snapshot in snapshots]
        known = [item for item in values if item[0] is not None]
        known.sort(key=lambda item: item[0], reverse=self.is_descending)
        return [snapshot for _, snapshot in known] + [snapshot for value, snapshot in values if value is None]


def name_task(snapshot: Snapshot) -> str:
    """Return what the monitor calls a task: its label, or the words of its function's name."""
    return snapshot.label or snapshot.task.rpartition(".")[2].replace("_", " ")


def _find_group(snapshot: Snapshot) -> int:
    if snapshot.is_terminal:
        return 2
    return 1 if snapshot.state is State.QUEUED else 0


def _find_duration(snapshot: Snapshot, now: datetime) -> float | None:
    begin, end = snapshot.started_at, snapshot.finished_at or now
    return None if begin is None else (end - begin).total_seconds()


def _find_owner(snapshot: Snapshot, owner_names: Mapping[str, str]) -> str | None:
    return None if snapshot.owner is None else owner_names.get(snapshot.owner, snapshot.owner).casefold()


#: What each column sorts by; None for a task without a value.
COLUMNS: Mapping[str, Callable[[Snapshot, Mapping[str, str], datetime], Any]] = {
    "task": lambda snapshot, names, now: name_task(snapshot).casefold(),
    "state": lambda snapshot, names, now: CONDITIONS.index(find_condition(snapshot)),
    "progress": lambda snapshot, names, now: snapshot.progress,
    "owner": lambda snapshot, names, now: _find_owner(snapshot, names),
    "started": lambda snapshot, names, now: snapshot.started_at,
    "took": lambda snapshot, names, now: _find_duration(snapshot, now),
}
