#!/usr/bin/env python
"""Start several tasks at once and follow each on a stream of its own.

    python clients/multiple_task.py
    python clients/multiple_task.py --count 20 --arg duration=3
    python clients/multiple_task.py --task-id 16R5vEv39Hq5ocIDUMmPNkADzHrJ0OrZ

The exit status is 0 only when all succeeded; `--help` has the others, and all options.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Sequence

from client import open_session, run_task
from common.command import conclude
from common.display import Display
from common.lines import open_display
from common.reconnection import TaskError
from common.script import Order, check_options, make_parser, run


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start several tasks at once, or take some that were started, and follow their progress.")
    parser.add_argument("--count", type=int, help="how many to start (default: 5)")
    help_text = "a task that was started before; may be repeated"
    parser.add_argument("--task-id", metavar="ID", action="append", default=[], help=help_text)
    arguments = parser.parse_args()
    check_options(parser, arguments)
    task_ids = find_tasks(parser, arguments)
    names = (f"[{number}] " for number in range(1, len(task_ids) + 1))
    display = open_display(names, as_json=arguments.json, is_quiet=arguments.quiet)
    return run(lambda: asyncio.run(show_tasks(Order.of(arguments), task_ids, display)), display)


def find_tasks(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Sequence[str | None]:
    """Return the ids of the tasks to follow, with None for each that is to be started."""
    if arguments.count is not None and arguments.count < 1:
        parser.error(f"--count must be at least 1, not {arguments.count!r}")
    if arguments.count is not None and arguments.task_id:
        parser.error("--task-id follows tasks that were started before; --count starts some")
    return arguments.task_id or [None] * (arguments.count or 5)


async def show_tasks(order: Order, task_ids: Sequence[str | None], display: Display) -> None:
    """Show all progress until the last end, and sum up how the tasks ended.

    Args:
        task_ids: those of tasks that were started before; None for each that is to be started.

    Raises:
        TaskError: a task did not succeed; the message has each reason once.
    """
    async with open_session(order.headers) as session:
        with display:
            pairs = zip(display.rows, task_ids, strict=True)
            runs = (run_task(session, order, row, task_id) for row, task_id in pairs)
            problems = await asyncio.gather(*map(find_problem, runs))
    conclude(problems, display)


async def find_problem(work: Awaitable[None]) -> TaskError | None:
    """Return why a task did not succeed, or None, instead of raising."""
    try:
        await work
    except TaskError as error:
        return error
    return None


if __name__ == "__main__":
    sys.exit(main())
