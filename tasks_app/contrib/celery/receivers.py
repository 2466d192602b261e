"""The receivers of Celery's signals, and their connection."""

from celery import signals

from ...integration import register
from . import bootsteps, dead_workers, groups, publishing, running
from .runner import CeleryTasks

_RECEIVERS = (
    (signals.before_task_publish, publishing.on_publish),
    (signals.after_task_publish, publishing.on_published),
    (signals.task_prerun, running.on_prerun),
    (signals.task_success, running.on_success),
    (signals.task_failure, running.on_failure),
    (signals.task_retry, running.on_retry),
    (signals.task_postrun, running.on_postrun),
    (signals.task_internal_error, running.on_internal_error),
    (signals.task_received, dead_workers.on_received),
    (signals.task_revoked, dead_workers.on_revoked),
    (signals.task_unknown, dead_workers.on_unknown),
    (signals.task_rejected, dead_workers.on_rejected),
    (signals.worker_init, bootsteps.on_worker_init),
    (signals.worker_process_shutdown, running.on_shutdown),
    (signals.worker_shutdown, running.on_shutdown),
)


def connect() -> None:
    """Track every Celery task of this process, and let `start()` take such tasks."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=f"tasks_app.{receiver.__name__}")
    groups.wrap()
    register(CeleryTasks())
