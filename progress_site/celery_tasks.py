"""The jobs of the demo site as Celery tasks."""

from typing import Any

from . import tasks, uploads
from .celery import app


@app.task
def simulate(duration: float = 10) -> dict[str, float]:
    """Do nothing for `duration` seconds."""
    return tasks.simulate_work(duration)


@app.task
def import_csv(upload: str) -> dict[str, Any]:
    """Import the customers of an uploaded file, and delete that; one that is never begun is deleted after a day."""
    try:
        return tasks.import_upload(upload)
    finally:
        uploads.delete(upload)
