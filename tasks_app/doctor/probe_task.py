"""A task of the doctor's own, which it stores, changes and deletes: no job runs, and nobody else is shown it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from ..snapshot import Report, Snapshot, Version
from ..store import get_store, make_task_key
from ..wakeups import publish
from .time_limit import call

#: Seconds for which the cache keeps the task after a change if nobody deletes it.
TIME_TO_LIVE = 120


class ProbeTask:
    """A running task in the store."""

    def __init__(self) -> None:
        now = timezone.now()
        self.task_id = f"doctor-{secrets.token_hex(16)}"
        self._snapshot = Snapshot.queued(self.task_id, "tasks_app.doctor", now=now).begun(now=now)
        self._store()

    def report(self, status: str) -> None:
        """Change what the task says, and wake those who watch it."""
        self._snapshot = self._snapshot.reported(Report(status=status), now=timezone.now())
        self._store()

    def beat(self) -> None:
        """Give a heartbeat, of which viewers see nothing."""
        self._snapshot = self._snapshot.beating()
        self._store()

    def end(self) -> None:
        """End the task, so that the streams of those who watch it end."""
        self._snapshot = self._snapshot.succeeded(now=timezone.now())
        self._store()

    def delete(self) -> None:
        """Delete the task from the store."""
        call(get_store().cache.delete, make_task_key(self.task_id))

    def _store(self) -> None:
        now = timezone.now()
        version = Version.of(self._snapshot.written(now=now))
        call(get_store().cache.set_many, {make_task_key(self.task_id): version.text}, TIME_TO_LIVE)
        publish({self.task_id: version})


@contextmanager
def keep_task() -> Iterator[ProbeTask]:
    """Keep a task of the doctor's own for the length of the block."""
    task = ProbeTask()
    try:
        yield task
    finally:
        task.end()
        task.delete()
