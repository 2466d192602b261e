#!/usr/bin/env python
"""Start several tasks at once and follow each on a stream of its own.

    python clients/multiple_task.py
    python clients/multiple_task.py --count 20 --kwargs '{"duration": 3}'

The exit status is 0 only when all succeeded, 1 when one did not or can't be followed, 130 after Ctrl-C, 141 when
nobody reads the output.
"""

import asyncio
import sys
from collections.abc import Awaitable
from functools import partial
from typing import Any

from client import open_session, run_task
from common.connection import TaskError
from common.display import Display, open_display, say
from common.script import make_parser, make_request, run


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start several tasks at once and follow their progress.")
    parser.add_argument("--count", type=int, default=5, help="how many (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error(f"--count must be at least 1, not {arguments.count!r}")
    display = open_display(f"[{number}] " for number in range(1, arguments.count + 1))
    work = partial(start_and_show_all, arguments.url, make_request(arguments), display, arguments.timeout)
    return run(lambda: asyncio.run(work()), display)


async def start_and_show_all(url: str, request: dict[str, Any], display: Display, reconnect_for: float) -> None:
    """Start the same task for each row of a display, show all progress until the last end, and print a summary.

    Raises:
        TaskError: a task did not succeed; the message has each reason once.
    """
    async with open_session() as session:
        with display:
            runs = (run_task(session, url, request, row, reconnect_for) for row in display.rows)
            problems = await asyncio.gather(*map(find_problem, runs))
    say(f"{problems.count(None)} of {len(problems)} tasks succeeded.")
    if any(problems):
        raise TaskError("\n".join(dict.fromkeys(filter(None, problems))))


async def find_problem(work: Awaitable[None]) -> str | None:
    """Return why a task did not succeed, or None, instead of raising."""
    try:
        await work
    except TaskError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
