"""`manage.py watch_task`: the progress of tasks in a terminal."""

import time
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from ...console import Follower, TaskCommand
from ...terminal import EXIT_STATUSES, Display, add_output_options, add_timeout, conclude, open_display


class Command(TaskCommand):
    help = f"Show the progress of tasks until they have ended. {EXIT_STATUSES}"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("task_ids", metavar="TASK_ID", nargs="+")
        add_output_options(parser)
        add_timeout(parser, "the cache")

    def handle(self, *args: Any, task_ids: Sequence[str], **options: Any) -> None:
        task_ids = list(dict.fromkeys(task_ids))
        names = [f"[{number}] " for number in range(1, len(task_ids) + 1)] if len(task_ids) > 1 else [""]
        display = open_display(names, output=self.output, as_json=options["json"], is_quiet=options["quiet"])
        for row, task_id in zip(display.rows, task_ids, strict=True):
            row.task_id = task_id
        followers = [Follower(row, with_log=options["logs"], timeout=options["timeout"]) for row in display.rows]
        self.run_to_end(lambda: show(followers, display), display)


def show(followers: Sequence[Follower], display: Display) -> None:
    """Show all progress until the last end.

    Raises:
        TaskError: a task did not succeed.
    """
    with display:
        follow(followers)
    if len(followers) > 1:
        conclude([follower.problem for follower in followers], display)
    elif followers[0].problem is not None:
        raise followers[0].problem


def follow(followers: Sequence[Follower]) -> None:
    """Look at the tasks until all have ended, or were given up."""
    living = followers
    while living:
        pause = min(follower.look() for follower in living)
        living = [follower for follower in living if not follower.is_done]
        if living:
            time.sleep(pause)
