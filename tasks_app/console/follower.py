"""A task that a command follows to its end."""

import json
from collections.abc import Sequence
from typing import Any

from ..exceptions import TaskNotFound
from ..lifecycle import get_snapshot
from ..snapshot import Snapshot
from ..streaming import LogTail
from ..terminal import Interrupted, NotSucceeded, Reconnection, Row, TaskError, explain
from ..utils.json import decode_json, encode_json
from .calls import call
from .task_command import refuse_unknown

#: Seconds between two looks.
PAUSE = 0.25


class Follower:
    """The looks at one task, shown in a row of a display.

    Args:
        with_log: whether its log is shown.
        timeout: the seconds for which it looks on while the cache is away.
    """

    def __init__(self, row: Row, *, with_log: bool, timeout: float) -> None:
        #: Why the task did not succeed, once that is known.
        self.problem: TaskError | None = None
        self.is_done = False
        self._row = row
        self._tail = LogTail(row.task_id) if with_log else None
        self._reconnection = Reconnection(timeout, row.tell)

    def look(self) -> float:
        """Look once, show what is new, and return the seconds until the next look."""
        try:
            return self._look()
        except TaskError as error:
            self.problem, self.is_done, self._row.is_given_up = error, True, True
            return 0.0

    def _look(self) -> float:
        task_id = self._row.task_id
        try:
            snapshot, lines = call(self._read)
        except TaskNotFound:
            if not self._row.snapshot:
                refuse_unknown(task_id)
            interrupted = Interrupted("the cache no longer has the task")
        except Interrupted as error:
            interrupted = error
        else:
            self._show(snapshot, lines)
            return PAUSE
        return self._reconnection.fail(f"task {task_id!r}", interrupted, PAUSE)

    def _read(self) -> tuple[Snapshot, Sequence[bytes]]:
        """Return what is known of the task, and new lines of its log."""
        snapshot = get_snapshot(self._row.task_id)
        return snapshot, [] if self._tail is None else self._tail.read(snapshot)

    def _show(self, snapshot: Snapshot, lines: Sequence[bytes]) -> None:
        self._reconnection.succeed()
        if lines:
            self._row.log([json.loads(line) for line in lines])
        if snapshot.is_terminal and self._tail is not None and not self._tail.has_all(snapshot):
            return  # its last lines come before its end
        self._row.show(as_viewers_see(snapshot))
        self.is_done = snapshot.is_terminal
        if self.is_done and self._row.state != "succeeded":
            self.problem = NotSucceeded(explain(self._row.snapshot))


def as_viewers_see(snapshot: Snapshot) -> dict[str, Any]:
    """Return the JSON object that a client of the site gets."""
    wire: dict[str, Any] = decode_json(encode_json(snapshot.to_wire()))
    return wire
