"""The rows of a display, one for each task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self, TextIO

from .texts import LogLine, Snapshot, describe, describe_name, has_ended, is_open_ended, to_line


class OutputClosed(Exception):
    """Nobody reads what is printed: `client.py | head -1`."""


@dataclass(eq=False)
class Row:
    """The line of one task.

    Attributes:
        name: what stands before its lines, such as "[1] "; may be empty.
        task_id: empty until the task is started.
        reason: why nothing is heard of it; None while its stream is open.
        is_given_up: whether the client has given up starting or following it.
    """

    name: str
    display: "Display"
    task_id: str = ""
    snapshot: Snapshot = field(default_factory=dict)
    reason: str | None = None
    is_given_up: bool = False
    _early_lines: list[LogLine] = field(default_factory=list)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot of the task."""
        self.snapshot = snapshot
        self.display.update(self)
        if self._early_lines:
            self.display.add_lines(self, self._early_lines)
            self._early_lines = []

    def tell(self, reason: str | None) -> None:
        """Show that the client reconnects and why, or with None that it has."""
        self.reason = reason
        self.display.update(self)

    def log(self, lines: Sequence[LogLine]) -> None:
        """Show what the task has logged; a heading comes first, and that needs a snapshot."""
        if self.snapshot or not self.display.has_headings:
            self.display.add_lines(self, lines)
        else:
            self._early_lines += lines

    @property
    def state(self) -> str:
        """The state of the task, "queued" until anything is known of it."""
        return str(self.snapshot.get("state", "queued"))

    @property
    def condition(self) -> str:
        """The state of the task, or what stands between it and the client."""
        if self.is_given_up and not has_ended(self.snapshot):
            return "given up"
        return "reconnecting" if self.reason is not None else self.state

    @property
    def percent(self) -> int | None:
        """The part that is done; None for a task that counts towards an unknown total."""
        is_counting = is_open_ended(self.snapshot) and self.snapshot.get("current") is not None
        return None if is_counting else self.snapshot.get("progress", 0)

    @property
    def text(self) -> str:
        """The sentence about the task."""
        if self.is_given_up and not has_ended(self.snapshot):
            return "Gave up" if self.task_id else "Not started"
        if self.reason is not None:
            return to_line(f"Reconnecting… {self.reason}")
        return describe(self.snapshot) if self.snapshot else "Starting"

    @property
    def heading(self) -> str:
        """The texts that tell the task from others: its id and its names."""
        name = describe_name(self.snapshot)
        return f"{self.name}Task {to_line(self.task_id)}" + (f": {name}" if name else "")


class Display:
    """The display of some tasks, as long as the `with` block lasts; this one shows nothing.

    Args:
        names: what stands before the lines of each task, in the order in which they are shown.
    """

    #: Whether the names of a task come before all else of it.
    has_headings = True

    def __init__(self, names: Iterable[str]) -> None:
        self.rows = [Row(name, self) for name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop showing."""

    def update(self, row: Row) -> None:
        """Show what has changed of a task."""

    def add_lines(self, row: Row, lines: Sequence[LogLine]) -> None:
        """Show new lines of a task's log."""

    def say(self, text: str) -> None:
        """Show a line for people."""


def describe_running(rows: Iterable[Row]) -> str:
    """Return which tasks go on without the script; empty if none does."""
    living = [row for row in rows if row.task_id and not has_ended(row.snapshot)]
    if not living:
        return ""
    ids = ", ".join(row.task_id for row in living)
    text = f"Task {ids} runs on" if len(living) == 1 else f"{len(living)} tasks run on: {ids}"
    is_certain = all(row.reason is None for row in living)
    return f"{text}." if is_certain else f"{text}, as far as is known."


def write_line(output: TextIO, text: str) -> None:
    """Write a line at once.

    Raises:
        OutputClosed: nobody reads it.
    """
    try:
        output.write(f"{text}\n")
        output.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error
