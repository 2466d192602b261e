"""A short task that reports nothing; it is here so that it can run where tasks_app is not installed."""

import time

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

SECONDS = 0.001


@task
def nap() -> None:
    """Take a millisecond."""
    time.sleep(SECONDS)
