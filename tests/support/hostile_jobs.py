"""What a hostile client has a site do: log and declare stages far faster than anybody can read."""

import time

from tasks_app import progress
from tasks_app.permissions import Policy

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

ROUNDS, PAUSE = 3, 0.05


class OpenList(Policy):
    """Rules by which all may list the tasks that they may see."""

    async def can_list(self, request: object) -> bool:
        return True


@task
def shout() -> None:
    """Log more than is kept, in a few bursts."""
    for _ in range(ROUNDS):
        for _ in range(100):
            progress.log("A" * 900)
        time.sleep(PAUSE)


@task
def divide() -> None:
    """Declare as many stages as may be, a few times."""
    for number in range(ROUNDS):
        progress.stages({f"{number} of {place}": 1 for place in range(200)})
        time.sleep(PAUSE)
