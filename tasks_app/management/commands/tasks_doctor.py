"""`manage.py tasks_doctor` examines a deployment, and says what is wrong and what mends it.

Exit status: 0 nothing is wrong, 1 there are warnings, 2 there are errors, 3 not all could be looked at.
"""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...doctor import Options, examine, format_report


class Command(BaseCommand):
    """The command."""

    help = "Examines the deployment, and says in plain words what is wrong and what mends it."
    requires_system_checks = ()  # it runs them itself

    def add_arguments(self, parser: CommandParser) -> None:
        """Describe the options."""
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--processes", type=int, help="how many processes run the site and its workers, if you know it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the report, and exit with its status."""
        report = examine(_read_options(options))
        self.stdout.write(json.dumps(report.to_json(), indent=2) if options["json"] else format_report(report))
        if report.exit_status:
            sys.exit(report.exit_status)


def _read_options(options: dict[str, Any]) -> Options:
    processes = options["processes"]
    if processes is not None and processes < 1:
        raise CommandError(f"--processes is {processes!r}; it must be 1 or more.", returncode=3)
    return Options(processes=processes)
