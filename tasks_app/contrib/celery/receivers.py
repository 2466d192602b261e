"""Which of Celery's signals go where."""

from celery import signals

from ...lifecycle import register
from . import job, orphans, publisher, steps
from .runner import CeleryTasks

_RECEIVERS = (
    (signals.before_task_publish, publisher.on_publish),
    (signals.task_prerun, job.on_prerun),
    (signals.task_success, job.on_success),
    (signals.task_failure, job.on_failure),
    (signals.task_retry, job.on_retry),
    (signals.task_postrun, job.on_postrun),
    (signals.task_internal_error, job.on_internal_error),
    (signals.task_received, orphans.on_received),
    (signals.task_revoked, orphans.on_revoked),
    (signals.task_unknown, orphans.on_unknown),
    (signals.task_rejected, orphans.on_rejected),
    (signals.worker_init, steps.on_worker_init),
    (signals.worker_process_shutdown, job.on_shutdown),
    (signals.worker_shutdown, job.on_shutdown),
)


def connect() -> None:
    """Follow every Celery task of this process, and let `start()` take them."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=f"tasks_app.{receiver.__name__}")
    register(CeleryTasks())
