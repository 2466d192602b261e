"""A step of the worker itself, where Celery has no signal."""

from typing import Any

from celery.bootsteps import StartStopStep

from ...integration import never_raise
from . import dead_workers


class HandBack(StartStopStep):  # type: ignore[misc]
    """Reports what a cold shutdown gives back to the broker, before it does: another worker may take it at once."""

    requires = ("celery.worker.consumer.tasks:Tasks",)  # it stops before them

    def stop(self, parent: Any) -> None:
        """Report it; in a warm shutdown there is nothing to report."""
        dead_workers.hand_back_cancelled()


@never_raise
def on_worker_init(*, sender: Any, **kwargs: Any) -> None:
    """Add the step to a worker that is about to be made."""
    sender.app.steps["consumer"].add(HandBack)
