"""`manage.py tasks_doctor` examines a deployment, and says what is wrong and what mends it.

Exit status: 0 nothing is wrong, 1 there are warnings, 2 there are errors, 3 not all could be looked at.
"""

import json
import math
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...doctor import Address, Options, Shown, examine, format_report

#: The exit status for an option that is not allowed.
BAD_OPTION = 3


class Command(BaseCommand):
    """The command."""

    help = "Examines the deployment, and says in plain words what is wrong and what mends it."
    requires_system_checks = ()  # it runs them itself

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the options."""
        add = parser.add_argument
        add("--json", action="store_true", help="print the report as JSON")
        add("--processes", type=int, help="how many processes run the site and its workers, if you know it")
        add("--url", help="the address of the site as its visitors type it, to be looked at from outside")
        add("--behind", action="append", default=[], help="an address behind the proxy, such as that of the server")
        add("--task", help="the id of a task of the site that runs, to be watched instead of one of the doctor's own")
        add("--token", help="a token that shows this task, instead of one that the doctor makes")
        add("--hold", type=float, help="for how many seconds a stream is watched while nothing changes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the report, and exit with its status."""
        try:
            wanted = _read_options(options)
        except ValueError as error:
            raise CommandError(str(error), returncode=BAD_OPTION) from error
        report = examine(wanted)
        self.stdout.write(json.dumps(report.to_json(), indent=2) if options["json"] else format_report(report))
        if report.exit_status:
            sys.exit(report.exit_status)


def _read_options(options: dict[str, Any]) -> Options:
    """Return what the doctor is told.

    Raises:
        ValueError: an option is not allowed, or needs another one.
    """
    processes, hold, task = options["processes"], options["hold"], options["task"]
    if processes is not None and processes < 1:
        raise ValueError(f"--processes is {processes!r}; it must be 1 or more.")
    if hold is not None and not (0 <= hold < math.inf):
        raise ValueError(f"--hold is {hold!r}; it must be a number of seconds, 0 or more.")
    if options["token"] is not None and task is None:
        raise ValueError("--token needs --task, the id of the task that it shows.")
    if options["url"] is None and (options["behind"] or task is not None or hold is not None):
        raise ValueError("--behind, --task and --hold need --url, the address of the site.")
    return Options(
        processes=processes,
        url=None if options["url"] is None else Address.parse(options["url"]),
        behind=[Address.parse(text) for text in options["behind"]],
        shown=None if task is None else Shown.of(task, options["token"]),
        hold=hold,
    )
