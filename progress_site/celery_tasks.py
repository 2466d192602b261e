"""The jobs of the demo site as Celery tasks."""

from typing import Any

from celery import Signature, chord

from tasks_app import progress, start

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
def develop_photos(photos: int = 40, duration: float = 5) -> None:
    """Start a chord: a task for each photo, and one that puts them into an album."""
    tasks.check_photos(photos, duration)
    each = [name(develop_photo.si(number, duration), f"Photo {number}") for number in range(1, photos + 1)]
    start(chord(each, name(fill_album.s(), "Album")), label="Photos and album")


@app.task
def fill_album(photos: list[None]) -> int:
    """Put the developed photos into an album."""
    return len(progress.track(photos, status="Filling the album", unit="photos"))


def name(signature: Signature, label: str) -> Signature:
    """Return a signature of which the task has a label."""
    labelled: Signature = signature.set(headers={"tasks_app": {"label": label}})
    return labelled


@app.task
def import_csv(upload: str, fallback: str = "") -> dict[str, Any]:
    """Import the customers of an uploaded file and delete it; without a run, it stays at least a day."""
    try:
        return tasks.import_upload(upload, fallback)
    finally:
        uploads.delete(upload)
