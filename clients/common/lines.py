"""The displays that need no terminal, and the choice of one."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from .display import Display, Row, write_line
from .texts import LogLine, describe_count, describe_line


class Quiet(Display):
    """Nothing: the exit status says how the tasks ended."""


class Lines(Display):
    """A line for each change of percentage or status; of a count without a total, for each of its first two digits."""

    def __init__(self, names: Iterable[str], output: TextIO) -> None:
        super().__init__(names)
        self._output = output
        self._seen: dict[Row, object] = {}

    def update(self, row: Row) -> None:
        if row not in self._seen:
            self.say(row.heading)
        count = describe_count(row.snapshot) if row.percent is None and row.reason is None else ""
        change = (row.percent, row.text, count and f"{row.snapshot['current']:.1e}")
        if change != self._seen.get(row):
            self._seen[row] = change
            percent = "?" if row.percent is None else row.percent
            self.say(f"{row.name}{percent:>3}%  {' · '.join(filter(None, (row.text, count)))}")

    def add_lines(self, row: Row, lines: Sequence[LogLine]) -> None:
        for line in lines:
            self.say(f"{row.name}      {describe_line(line)}")

    def say(self, text: str) -> None:
        write_line(self._output, text)


class JsonLines(Display):
    """The output for programs: each snapshot as a line of JSON, and the lines of a log as one with their `task_id`."""

    has_headings = False

    def __init__(self, names: Iterable[str], output: TextIO) -> None:
        super().__init__(names)
        self._output = output
        self._seen: dict[Row, object] = {}

    def update(self, row: Row) -> None:
        if row.reason is not None:
            write_line(sys.stderr, row.text)
        elif row.snapshot and row.snapshot != self._seen.get(row):
            self._seen[row] = row.snapshot
            self._write(row.snapshot)

    def add_lines(self, row: Row, lines: Sequence[LogLine]) -> None:
        self._write({"task_id": row.task_id, "lines": lines})

    def _write(self, data: dict[str, Any]) -> None:
        write_line(self._output, json.dumps(data))


def open_display(
    names: Iterable[str] = ("",), *, output: TextIO | None = None, as_json: bool = False, is_quiet: bool = False
) -> Display:
    """Return bars if the output is a terminal that can draw them, and rich is installed; else lines.

    Args:
        names: what stands before the lines of each task, in the order in which they are shown.
        output: None is the standard output, and the only one that gets bars.
        as_json: whether programs read it.
        is_quiet: whether nothing is shown.
    """
    if is_quiet:
        return Quiet(names)
    if as_json:
        return JsonLines(names, output or sys.stdout)
    return (output is None and open_bars(names)) or Lines(names, output or sys.stdout)


def open_bars(names: Iterable[str]) -> Display | None:
    """Return bars, or None where the output can't show them."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return None
    try:
        from .bars import Bars  # rich is optional
    except ImportError:
        return None
    return Bars(names)
