"""The command line of the scripts, and how they end."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from .connection import RECONNECT_FOR, TaskError
from .display import Display, OutputClosed, describe_running, say


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options for the site, the task to start, and the time to reconnect."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", default="http://localhost:8000", help="the site (default: %(default)s)")
    parser.add_argument("--task", metavar="NAME", help="what to start (default: the site's default task)")
    parser.add_argument("--kwargs", metavar="JSON", type=json.loads, help="its arguments, as a JSON object")
    help_text = "how long to reconnect while the site is away (default: %(default)g; inf: for ever)"
    parser.add_argument("--timeout", metavar="SECONDS", type=parse_seconds, default=RECONNECT_FOR, help=help_text)
    return parser


def parse_seconds(text: str) -> float:
    """Return a number of seconds, 0 or more.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # nor "nan"
        raise argparse.ArgumentTypeError(f"must be a number of seconds, 0 or more, not {text!r}")
    return seconds


def make_request(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the body of the request, with only the options that were given."""
    given = {"task": arguments.task, "kwargs": arguments.kwargs}
    return {name: value for name, value in given.items() if value is not None}


def run(work: Callable[[], None], display: Display) -> int:
    """Call a function that shows its tasks in a display, and return the exit status."""
    try:
        return run_to_end(work, display)
    except OutputClosed:
        # Python flushes the output once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a program that the closed pipe has killed


def run_to_end(work: Callable[[], None], display: Display) -> int:
    """Return the exit status of a function, and print why it is not 0.

    Raises:
        OutputClosed: nobody reads what the script prints.
    """
    try:
        work()
    except TaskError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if text := describe_running(display.rows):
            say(text)
        return 130
    return 0
