"""`manage.py cancel_task`: asks tasks to stop."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from ...console import TaskCommand, call, refuse_unknown
from ...exceptions import TaskAlreadyEnded, TaskNotFound
from ...lifecycle import cancel
from ...terminal import Interrupted, NotSucceeded, TaskError, open_display, raise_gravest


class Command(TaskCommand):
    help = (
        "Ask tasks to stop. It exits with 0 if all were asked, 1 if one had ended before, 2 if an option is wrong, 3 "
        "if one is unknown or the cache failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("task_ids", metavar="TASK_ID", nargs="+")
        parser.add_argument("--json", action="store_true", help="print a line of JSON for each")

    def handle(self, *args: Any, task_ids: Sequence[str], **options: Any) -> None:
        self.run_to_end(lambda: self._cancel_each(task_ids, as_json=options["json"]), open_display([]))

    def _cancel_each(self, task_ids: Sequence[str], *, as_json: bool) -> None:
        """Cancel tasks, also after one that can't be.

        Raises:
            TaskError: one can't be; the message has each reason.
        """
        problems = []
        for task_id in dict.fromkeys(task_ids):
            try:
                cancel_one(task_id)
            except TaskError as error:
                problems.append(error)
            else:
                self._report(task_id, as_json=as_json)
        raise_gravest(problems)

    def _report(self, task_id: str, *, as_json: bool) -> None:
        if as_json:
            self.print_json({"task_id": task_id, "cancel_requested": True})
        else:
            self.print_line(f"Task {task_id} was asked to stop.")


def cancel_one(task_id: str) -> None:
    """Ask a task to stop.

    Raises:
        NotSucceeded: it had ended before.
        TaskError: it is unknown, or the cache failed.
    """
    try:
        call(cancel, task_id)
    except TaskNotFound:
        refuse_unknown(task_id)
    except TaskAlreadyEnded as error:
        raise NotSucceeded(f"Can't cancel: {error}.") from error
    except Interrupted as error:
        raise TaskError(f"Task {task_id!r} may not have been asked to stop: {error.reason}.") from error
