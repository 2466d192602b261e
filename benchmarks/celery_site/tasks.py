"""Jobs that change now and then, as their viewers can't foresee, and say when."""

import random
import time
from collections.abc import Iterator
from typing import Any

from celery_progress.backend import ProgressRecorder

from benchmarks.celery_site.celery import app
from benchmarks.pulse import tell_moment
from tasks_app import progress

#: Seconds between two changes: long enough for a viewer who asks every 500 ms to see each.
SHORTEST, LONGEST = 0.8, 1.2


@app.task
def stir(changes: int) -> None:
    """Change, and say so to tasks_app."""
    for step in wait_between(changes):
        progress.update(current=step, total=changes, status=tell_moment())


@app.task(bind=True)
def stir_recorder(self: Any, changes: int) -> None:
    """Change, and say so to celery-progress, as its documentation shows it."""
    recorder = ProgressRecorder(self)
    for step in wait_between(changes):
        recorder.set_progress(step, changes, description=tell_moment())


def wait_between(changes: int) -> Iterator[int]:
    """Yield the number of each change, when it is time for it."""
    for step in range(changes):
        time.sleep(random.uniform(SHORTEST, LONGEST))
        yield step
