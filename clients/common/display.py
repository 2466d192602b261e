"""The display of tasks: in a terminal a bar for each, elsewhere a line for each change."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from .texts import (
    Snapshot,
    describe,
    describe_count,
    describe_facts,
    describe_name,
    has_ended,
    is_open_ended,
    to_line,
)

#: Columns of the longest and the shortest bar; between them it takes a third of the terminal.
MAX_BAR, MIN_BAR = 40, 8

#: Columns that the status keeps; what it leaves is for the count, the rate and the time left.
MIN_STATUS = 16

#: What is shown first where there are more tasks than lines.
RANKS = {"running": 0, "failed": 1, "cancelled": 1, "lost": 1, "queued": 2, "succeeded": 3}


class OutputClosed(Exception):
    """Nobody reads what the script prints: `client.py | head -1`."""


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
    on_change: Callable[["Row"], None]
    task_id: str = ""
    snapshot: Snapshot = field(default_factory=dict)
    reason: str | None = None
    is_given_up: bool = False

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot of the task."""
        self.snapshot = snapshot
        self.on_change(self)

    def tell(self, reason: str | None) -> None:
        """Show that the client reconnects and why, or with None that it has."""
        self.reason = reason
        self.on_change(self)

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
        return f"{self.name}Task {self.task_id}" + (f": {name}" if (name := describe_name(self.snapshot)) else "")


class Display:
    """The display of a script's tasks, as long as the `with` block lasts.

    Args:
        names: what stands before the lines of each task, in the order in which they are shown.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.rows = [Row(name, self.update) for name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop showing."""

    def update(self, row: Row) -> None:
        """Show what has changed of a task."""
        raise NotImplementedError


class Lines(Display):
    """A line for each change of percentage or status; of a count without a total, for each of its first two digits."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self._seen: dict[Row, object] = {}

    def update(self, row: Row) -> None:
        if row not in self._seen:
            say(row.heading)
        count = describe_count(row.snapshot) if row.percent is None and row.reason is None else ""
        change = (row.percent, row.text, count and f"{row.snapshot['current']:.1e}")
        if change != self._seen.get(row):
            self._seen[row] = change
            percent = "?" if row.percent is None else row.percent
            say(f"{row.name}{percent:>3}%  {' · '.join(filter(None, (row.text, count)))}")


class Bars(Display):
    """A bar for each task; where there are more than lines, the last line sums up the others."""

    def __init__(self, names: Iterable[str], console: Console) -> None:
        super().__init__(names)
        self._console = console
        self._live = Live(console=console, get_renderable=self._draw)
        self._has_heading = len(self.rows) > 1  # the rows of several tasks have short ones of their own

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def update(self, row: Row) -> None:
        if not self._has_heading:
            self._has_heading = True
            self._console.print(row.heading, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> Group:
        rows, others = self._select()
        bar_width = min(max(self._console.width // 3, MIN_BAR), MAX_BAR)
        names = [self._name(row) for row in rows]
        name_width = min(max(map(cell_len, names)), self._console.width // 3)
        room = max(self._console.width - name_width - bar_width - 6, 1)
        table = Table.grid(Column(no_wrap=True), Column(no_wrap=True), Column(no_wrap=True), padding=(0, 1))
        for name, row in zip(names, rows, strict=True):
            percent = "" if row.percent is None else f"{row.percent}%"
            head = Text(f"{set_cell_size(name, name_width)}{percent:>4}")
            table.add_row(head, draw_bar(row, bar_width), draw_text(row, room))
        return Group(table, *([Text(sum_up(others), no_wrap=True, overflow="ellipsis")] if others else []))

    def _select(self) -> tuple[list[Row], list[Row]]:
        """Return the rows that have a line, and the others, both in their order."""
        room = max(self._console.height - 1, 2)  # the cursor takes the last line
        if len(self.rows) <= room:
            return self.rows, []
        first = set(sorted(self.rows, key=lambda row: RANKS.get(row.state, 0))[: room - 1])
        return [row for row in self.rows if row in first], [row for row in self.rows if row not in first]

    def _name(self, row: Row) -> str:
        if len(self.rows) == 1:
            return ""
        label = to_line(row.snapshot.get("label") or "")
        return row.name + "".join(f"{text} " for text in (label, row.task_id[:8]) if text)


def open_display(names: Iterable[str] = ("",)) -> Display:
    """Return bars if the output is a terminal that can draw them, else lines."""
    console = Console()
    return Bars(names, console) if sys.stdout.isatty() and not console.is_dumb_terminal else Lines(names)


def draw_bar(row: Row, width: int) -> ProgressBar:
    """Return the bar of a task: moving while its total is unknown, grey while nothing is heard of it."""
    is_moving = is_open_ended(row.snapshot) and row.reason is None
    has_failed = has_ended(row.snapshot) and row.state != "succeeded"
    style = "bar.back" if row.reason is not None else "red" if has_failed else "bar.complete"
    return ProgressBar(completed=row.snapshot.get("progress", 0), width=width, pulse=is_moving, complete_style=style)


def draw_text(row: Row, room: int) -> Text:
    """Return the facts and the status of a task in this many columns; the rate gives way first, then the count."""
    count, rate, left = describe_facts(row.snapshot) if row.reason is None else ["", "", ""]
    status = row.text
    for shown in ((count, rate, left), (count, left), (left or count,)):
        facts = " · ".join(filter(None, shown))
        if len(facts) + 2 + min(len(status), MIN_STATUS) <= room:
            break
    text = Text("  ".join(filter(None, (facts, status))))
    text.truncate(room, overflow="ellipsis")
    return text


def sum_up(rows: list[Row]) -> str:
    """Return how many tasks are not shown, and what they do: "and 35 more: 20 running, 15 succeeded"."""
    states = Counter(row.condition for row in rows)
    return f"and {len(rows)} more: " + ", ".join(f"{number} {state}" for state, number in states.items())


def describe_running(rows: Iterable[Row]) -> str:
    """Return which tasks go on without the script; empty if none does."""
    living = [row for row in rows if row.task_id and not has_ended(row.snapshot)]
    if not living:
        return ""
    ids = ", ".join(row.task_id for row in living)
    text = f"Task {ids} runs on" if len(living) == 1 else f"{len(living)} tasks run on: {ids}"
    is_certain = all(row.reason is None for row in living)
    return f"{text}." if is_certain else f"{text}, as far as is known."


def say(text: str) -> None:
    """Print a line at once.

    Raises:
        OutputClosed: nobody reads it.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError as error:
        raise OutputClosed from error
