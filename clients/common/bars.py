"""A bar in the terminal for each task, drawn by rich."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from .display import Display, Row
from .texts import LogLine, describe_facts, describe_line, has_ended, is_open_ended, to_line

#: Columns of the longest and the shortest bar; between them it takes a third of the terminal.
MAX_BAR, MIN_BAR = 40, 8

#: Columns that the status keeps; what it leaves is for the count, the rate and the time left.
MIN_STATUS = 16

#: What is shown first where there are more tasks than lines.
RANKS = {"running": 0, "failed": 1, "cancelled": 1, "lost": 1, "queued": 2, "succeeded": 3}


class Bars(Display):
    """A bar for each task; where there are more than lines, the last line sums up the others."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self._console = console = Console()
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
            self.say(row.heading)

    def add_lines(self, row: Row, lines: Sequence[LogLine]) -> None:
        for line in lines:
            self.say(row.name + describe_line(line))

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

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
