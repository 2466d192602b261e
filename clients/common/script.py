"""The command line of the scripts."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from .command import EXIT_STATUSES, add_output_options, add_timeout, run_to_end
from .display import Display
from .reconnection import TaskError


@dataclass(frozen=True, slots=True)
class Order:
    """The order that a script is given.

    Attributes:
        url: the address of the site.
        request: the body that starts a task; empty for the default task.
        token: what the site lets see the task by; None: nothing is sent.
        with_logs: whether what the task logs is shown.
        timeout: the seconds for which it reconnects while the site is away.
    """

    url: str
    request: dict[str, Any]
    token: str | None
    with_logs: bool
    timeout: float

    @property
    def start_url(self) -> str:
        """The address that starts a task."""
        return f"{self.url}/start-task"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def find_progress_url(self, task_id: str) -> str:
        """Return the address of the progress of a task that was started before."""
        return f"{self.url}/task-progress/{quote(task_id, safe='')}"

    def ask_for_log(self, progress_url: str) -> str:
        """Return the address of a task's progress, with its log if that is shown."""
        return f"{progress_url}{'&' if '?' in progress_url else '?'}logs=1" if self.with_logs else progress_url

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Order":
        """Return what the command line asks for."""
        request = {"task": arguments.task, "kwargs": find_kwargs(arguments)}
        return cls(
            url=arguments.url.rstrip("/"),
            request={name: value for name, value in request.items() if value is not None},
            token=arguments.token,
            with_logs=arguments.logs,
            timeout=arguments.timeout,
        )


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options for the site, the task, and what is printed."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=EXIT_STATUSES,
    )
    url = os.environ.get("TASKS_APP_URL") or "http://localhost:8000"
    parser.add_argument("--url", default=url, help="the site (default: %(default)s; TASKS_APP_URL sets another)")
    parser.add_argument("--task", metavar="NAME", help="what to start (default: the site's default task)")
    parser.add_argument("--kwargs", metavar="JSON", type=json.loads, help="its arguments, as a JSON object")
    help_text = "one of its arguments, as JSON or else as text; may be repeated"
    parser.add_argument("--arg", metavar="KEY=VALUE", type=parse_argument, action="append", default=[], help=help_text)
    token = os.environ.get("TASKS_APP_TOKEN") or None
    help_text = "a token that shows the task (default: what TASKS_APP_TOKEN says, which other users can't read)"
    parser.add_argument("--token", default=token, help=help_text)
    add_output_options(parser)
    add_timeout(parser, "the site")
    return parser


def parse_argument(text: str) -> tuple[str, Any]:
    """Return the name and the value in `name=value`, whose value is JSON, or else the text itself.

    Raises:
        argparse.ArgumentTypeError: it has no name.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, not {text!r}")
    try:
        return name, json.loads(value, parse_constant=refuse_constant)
    except ValueError:
        return name, value


def refuse_constant(name: str) -> NoReturn:
    """Refuse what JSON does not have: NaN, Infinity.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name!r} is not JSON")


def find_kwargs(arguments: argparse.Namespace) -> Any:
    """Return the arguments of the task, of which each `--arg` counts more than `--kwargs`; None if there are none."""
    if not arguments.arg:
        return arguments.kwargs
    return {**(arguments.kwargs or {}), **dict(arguments.arg)}


def check_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with an error if options contradict each other."""
    if arguments.arg and not isinstance(arguments.kwargs or {}, dict):
        parser.error(f"--kwargs must be a JSON object beside --arg, not {arguments.kwargs!r}")
    if arguments.task_id and (arguments.task is not None or find_kwargs(arguments) is not None):
        parser.error("--task-id follows a task that was started before; --task, --kwargs and --arg start one")


def run(work: Callable[[], None], display: Display) -> int:
    """Call a function that shows its tasks in a display, and return the exit status."""
    try:
        return run_to_end(work, display)
    except TaskError as error:
        print(error, file=sys.stderr)
        return error.exit_status
