"""`manage.py list_tasks`: the recent tasks."""

import argparse
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Any

from django.core.management.base import CommandParser

from ...console import TaskCommand, as_viewers_see, call, explain_absence
from ...snapshot import Snapshot, State
from ...store import RECENT_TASKS, get_store
from ...streaming import observe_texts
from ...terminal import TaskError, describe, describe_name, open_display

#: The number of tasks that are read at a time; their results may be large.
BATCH = 200

#: What a line has of a task, and how wide; the first column is as wide as its longest id.
HEADINGS = ("TASK", "STATE", "DONE", "CREATED (UTC)", "NAME: STATUS")
COLUMNS = "{:<{width}}  {:<9}  {:>4}  {:<19}  {}"


class Command(TaskCommand):
    help = (
        f"List the last {RECENT_TASKS:,} tasks, the newest first. It exits with 0, 2 if an option is wrong, or 3 "
        "if the tasks can't be seen."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        help_text = "how many to list at most (default: %(default)s)"
        parser.add_argument("--limit", metavar="NUMBER", type=parse_limit, default=50, help=help_text)
        states = [str(state) for state in State]
        help_text = "only those in this state; may be repeated"
        parser.add_argument("--state", choices=states, action="append", help=help_text)
        parser.add_argument("--json", action="store_true", help="print each snapshot as a line of JSON")

    def handle(self, *args: Any, limit: int, state: Sequence[str] | None, **options: Any) -> None:
        states = set(map(State, state or State))
        self.run_to_end(lambda: self._list(states, limit, as_json=options["json"]), open_display([]))

    def _list(self, states: Set[State], limit: int, *, as_json: bool) -> None:
        snapshots = list(islice((item for item in find_recent() if item.state in states), limit))
        if as_json:
            for snapshot in snapshots:
                self.print_json(snapshot.to_wire())
            return
        width = max((len(item.task_id) for item in snapshots), default=0)
        self.print_line(COLUMNS.format(*HEADINGS, width=width) if snapshots else "No tasks.")
        for snapshot in snapshots:
            self.print_line(describe_task(snapshot, width))


def parse_limit(text: str) -> int:
    """Return a number of tasks, from 1.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


def find_recent() -> Iterator[Snapshot]:
    """Yield the recent tasks, the newest first.

    Raises:
        TaskError: this process can't see any.
    """
    task_ids = call(get_store().find_recent)
    if not task_ids and get_store().is_local:
        raise TaskError(f"No task is known. {explain_absence()}")
    for start in range(0, len(task_ids), BATCH):
        batch = task_ids[start : start + BATCH]
        yield from call(lambda ids=batch: observe_texts(ids, get_store().read(ids)))


def describe_task(snapshot: Snapshot, width: int) -> str:
    """Return the line of a task.

    Args:
        width: the characters of the longest id in the list.
    """
    wire = as_viewers_see(snapshot)
    created = (wire["created_at"] or "")[:19].replace("T", " ")
    text = f"{describe_name(wire)}: {describe(wire)}"
    return COLUMNS.format(wire["task_id"], wire["state"], f"{wire['progress']}%", created, text, width=width)
