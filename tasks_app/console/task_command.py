"""The common part of the commands about tasks."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ..conf import get_settings
from ..store import get_store
from ..terminal import Display, Interrupted, TaskError, run_to_end, write_line
from ..utils.json import encode_json


class TaskCommand(BaseCommand):
    """A command that works where other parts of the site are broken, and ends as the scripts in `clients` do."""

    requires_system_checks = []
    #: Where it prints, if not to the standard output.
    output: TextIO | None = None

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.output = options.get("stdout")
        try:
            get_store()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        return super().execute(*args, **options)

    def run_to_end(self, work: Callable[[], None], display: Display) -> None:
        """Call a function that shows tasks in a display; Ctrl-C and an output that nobody reads end it quietly.

        Raises:
            CommandError: a task did not succeed, or its end is unknown.
            SystemExit: the function was ended.
        """
        try:
            status = run_to_end(work, display)
        except TaskError as error:
            raise CommandError(str(error), returncode=error.exit_status) from error
        except Interrupted as error:
            raise CommandError(f"{error.reason}.", returncode=TaskError.exit_status) from error
        if status:
            sys.exit(status)

    def print_line(self, text: str) -> None:
        """Print a line at once."""
        write_line(self.output or sys.stdout, text)

    def print_json(self, data: Any) -> None:
        """Print a value as a line of JSON."""
        self.print_line(encode_json(data))


def refuse_unknown(task_id: str) -> NoReturn:
    """Say that nothing is known of a task, and why that may be.

    Raises:
        TaskError: always.
    """
    raise TaskError(f"No task {task_id!r} is known. {explain_absence()}")


def explain_absence() -> str:
    """Return why tasks may be unknown to this process."""
    settings = get_settings()
    if get_store().is_local:
        return (
            f"CACHES[{settings.CACHE!r}] keeps tasks in the memory of the process that runs them, and this command is "
            "another one. Use a cache that processes share, such as Redis or Valkey."
        )
    return f"A task is forgotten {settings.RETENTION:g} s after its end (RETENTION)."
