"""The options that scripts and commands share, and how both end."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from .display import Display, OutputClosed, describe_running
from .reconnection import RECONNECT_FOR, TaskError, raise_gravest

#: What a program ends with after Ctrl-C, and when nobody reads what it prints: as one that the signal has killed.
INTERRUPTED, UNREAD = 130, 141

#: What `--help` says of them all.
EXIT_STATUSES = (
    "It exits with 0 if the task succeeded, 1 if it ended otherwise, 2 if an option is wrong, 3 if it could not be "
    "started or followed to its end, 130 after Ctrl-C, and 141 if nobody reads the output."
)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is printed."""
    parser.add_argument("--logs", action="store_true", help="also show what the task logs")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help="print each snapshot as a line of JSON")
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_timeout(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option for how long to try again.

    Args:
        what: what may be away, such as "the site".
    """
    help_text = f"how long to try again while {what} is away (default: %(default)g; inf: for ever)"
    parser.add_argument("--timeout", metavar="SECONDS", type=parse_seconds, default=RECONNECT_FOR, help=help_text)


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


def run_to_end(work: Callable[[], None], display: Display) -> int:
    """Call a function that shows its tasks in a display, and return the exit status.

    Raises:
        TaskError: raised by the function.
    """
    try:
        return run_to_interrupt(work, display)
    except OutputClosed:
        # Python flushes the output once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def run_to_interrupt(work: Callable[[], None], display: Display) -> int:
    """Return the exit status of a function, which Ctrl-C may end; then it is said what runs on."""
    try:
        work()
    except KeyboardInterrupt:
        if text := describe_running(display.rows):
            display.say(text)
        return INTERRUPTED
    return 0


def conclude(problems: Sequence[TaskError | None], display: Display) -> None:
    """Say how many tasks succeeded.

    Args:
        problems: of each task why it did not succeed, or None.

    Raises:
        TaskError: one did not; the message has each reason once, and the gravest decides the exit status.
    """
    display.say(f"{problems.count(None)} of {len(problems)} tasks succeeded.")
    raise_gravest([problem for problem in problems if problem is not None])
