"""The jobs of the demo site as Celery tasks."""

from typing import Any

from . import tasks, uploads
from .celery import app

simulate = app.task(tasks.simulate.func)
scan_folders = app.task(tasks.scan_folders.func)
train_model = app.task(tasks.train_model.func)
archive_photos = app.task(tasks.archive_photos.func)
write_report = app.task(tasks.write_report.func)
develop_photo = app.task(tasks.develop_photo.func)
import_sample = app.task(tasks.import_sample.func)


@app.task
def develop_photos(photos: int = 40, duration: float = 6) -> None:
    """Start a task for each photo, and end with the last of them."""
    tasks.develop_all(develop_photo, photos, duration)


@app.task
def import_csv(upload: str, fallback: str = "") -> dict[str, Any]:
    """Import the customers of an uploaded file and delete it; without a run, it stays at least a day."""
    try:
        return tasks.import_upload(upload, fallback)
    finally:
        uploads.delete(upload)
