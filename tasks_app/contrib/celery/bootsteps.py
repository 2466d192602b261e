"""A step of the worker for an event without a signal in Celery."""

from typing import Any

from celery.bootsteps import StartStopStep

from ...integration import never_raise
from . import dead_workers


class HandBack(StartStopStep):  # type: ignore[misc]
    """A step that reports the tasks given back in a cold shutdown, before another worker can get them."""

    requires = ("celery.worker.consumer.tasks:Tasks",)  # so that it stops before that step

    def stop(self, parent: Any) -> None:
        """Report the tasks that are given back; a warm shutdown gives none back."""
        dead_workers.hand_back_cancelled()


@never_raise
def on_worker_init(*, sender: Any, **kwargs: Any) -> None:
    """Add the step to a new worker."""
    sender.app.steps["consumer"].add(HandBack)
