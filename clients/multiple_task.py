#!/usr/bin/env python
"""Start several tasks at once and follow each on a stream of its own.

    python clients/multiple_task.py
    python clients/multiple_task.py --count 20 --kwargs '{"duration": 3}'

The exit status is 0 only when all succeeded, 1 when one did not or can't be followed, 130 after Ctrl-C.
"""

import asyncio
import sys
from collections.abc import Awaitable
from functools import partial
from typing import Any

from client import Display, TaskError, make_parser, make_request, open_session, run, run_task


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start several tasks at once and follow their progress.")
    parser.add_argument("--count", type=int, default=5, help="how many (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error(f"--count must be at least 1, not {arguments.count!r}")
    return run(start_and_show_all(arguments.url, make_request(arguments), arguments.count))


async def start_and_show_all(url: str, request: dict[str, Any], count: int) -> None:
    """Start the same task `count` times, show all progress until the last end, and print a summary.

    Raises:
        TaskError: a task did not succeed; the message has each reason once.
    """
    async with open_session() as session:
        with Display() as display:
            labels = [f"[{number}] " for number in range(1, count + 1)]
            shows = [partial(display.show, label=label) for label in labels]
            problems = await asyncio.gather(*(find_problem(run_task(session, url, request, show)) for show in shows))
    print(f"{problems.count(None)} of {count} tasks succeeded.")
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
