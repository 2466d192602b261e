"""The jobs of the demo site."""

from typing import Any

from django.db import DatabaseError
from django.dispatch import receiver

from tasks_app import progress

from . import uploads
from .imports import import_customers
from .rows import InvalidFile
from .simulation import simulate_work

try:
    from django.tasks import TaskResult, task
    from django.tasks.signals import task_finished
except ImportError:  # Django 5.2
    from django_tasks import TaskResult, task
    from django_tasks.signals import task_finished


@task
def simulate(duration: float = 10) -> dict[str, float]:
    """Do nothing for `duration` seconds."""
    return simulate_work(duration)


@task
def import_csv(upload: str) -> dict[str, Any]:
    """Import the customers of an uploaded file. Not in STARTABLE: visitors must not name files of the server."""
    return import_upload(upload)


def import_upload(upload: str) -> dict[str, Any]:
    """Import the customers of an uploaded file; where this raises, viewers are told what they may know."""
    try:
        with uploads.open_text(upload) as file:
            return import_customers(file)
    except InvalidFile as error:
        # In production viewers are not shown what an exception says, but they are shown the status.
        progress.update(status=f"{error} Nothing was imported.")
        raise
    except DatabaseError:
        progress.update(status="The database failed; nothing was imported. Has 'manage.py migrate' been run?")
        raise


@receiver(task_finished)
def delete_upload(sender: type, task_result: TaskResult, **kwargs: object) -> None:
    """Delete the file of an import that has ended in any way, even before it began."""
    if task_result.task.module_path == import_csv.module_path:
        uploads.delete(task_result.args[0])
