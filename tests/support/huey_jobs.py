"""A job of Huey's own, which `django.tasks` knows nothing of; its page is shown before it runs."""

from django.db import transaction
from huey.contrib.djhuey import HUEY

from tasks_app import announce, start, task_run
from tests.support import queue_jobs


@HUEY.task()
def run_nightly(task_id: str) -> None:
    with task_run("nightly-import", task_id=task_id) as progress:
        progress.update(current=1, total=1, status="Imported")


def start_all() -> dict[str, str]:
    """Start the jobs of `django.tasks` and this one, and return their ids by name."""
    task_id = announce("nightly-import", owner=7)
    run_nightly(task_id)
    with transaction.atomic():
        waiting = start(queue_jobs.add.using(backend="on_commit"), 1, owner=7)
    return {**queue_jobs.start_all(), "announced": task_id, "on commit": waiting}
