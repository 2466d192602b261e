"""The jobs of the demo site."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any

from django.db import DatabaseError
from django.dispatch import receiver

from tasks_app import TaskCancelled, progress, start

from . import uploads
from .imports import import_customers
from .samples import write_samples
from .simulation import check_duration, simulate_work, spread
from .text_files import InvalidFile

try:
    from django.tasks import TaskResult, task
    from django.tasks.signals import task_finished
except ImportError:  # Django 5.2
    from django_tasks import TaskResult, task
    from django_tasks.signals import task_finished

MAX_SAMPLE_ROWS = 200_000
MAX_PHOTOS = 40


@task
def simulate(duration: float = 10) -> dict[str, float]:
    """Sleep for `duration` seconds."""
    return simulate_work(duration)


@task
def scan_folders(duration: float = 8) -> dict[str, int]:
    """Count files, whose number is unknown until the end."""
    progress.update(status="Scanning", unit="files")
    found = sum(1 for _ in progress.track(spread(1284, duration)))
    return {"files": found}


@task
def train_model(duration: float = 6) -> None:
    """Fail halfway."""
    progress.update(status="Training", unit="batches")
    for batch in progress.track(spread(80, duration), total=80):
        if batch == 40:
            raise RuntimeError("shard 4 has no labels")


@task
def archive_photos(duration: float = 60) -> None:
    """Put the archived photos back when the task is cancelled."""
    archived = []
    progress.update(status="Archiving", unit="photos")
    try:
        for photo in progress.track(spread(600, duration), total=600):
            archived.append(photo)
    except TaskCancelled:
        progress.log(f"Put {len(archived)} photos back", level="warning")
        raise


@task
def write_report(duration: float = 10) -> None:
    """Write more than one line into the log of the task."""
    progress.log("Loaded 4 sources")
    progress.update(status="Drawing", unit="charts")
    for chart in progress.track(spread(25, duration), total=25):
        progress.log(f"Drew chart {chart}")
        if chart % 6 == 0:
            progress.log(f"Chart {chart} lacks May", level="warning")


@task
def develop_photos(photos: int = 40, duration: float = 5) -> None:
    """Start a task for each photo, and end with the last of them."""
    check_photos(photos, duration)
    for number in range(1, photos + 1):
        start(develop_photo, number, duration, label=f"Photo {number}")


@task
def develop_photo(number: int, duration: float) -> None:
    """Develop one photo; every 19th film is torn."""
    progress.update(status="Developing", unit="baths")
    for bath in progress.track(spread(6, duration * (1 + number % 7) / 7), total=6):
        if bath == 4 and number % 19 == 0:
            raise RuntimeError(f"film {number} is torn")


def check_photos(photos: int, duration: float) -> None:
    """Check that all photos together take no longer than one task may.

    Raises:
        ValueError: `photos` is not from 1 to MAX_PHOTOS, or they take longer.
    """
    check_duration(duration)
    if not 1 <= photos <= MAX_PHOTOS:
        raise ValueError(f"photos must be between 1 and {MAX_PHOTOS}, not {photos!r}")
    check_duration(duration * photos * 4 / 7)  # on average


@task
def import_sample(rows: int = 100_000) -> dict[str, Any]:
    """Import made-up customers, about 1 % of them bad."""
    if not 1 <= rows <= MAX_SAMPLE_ROWS:
        raise ValueError(f"rows must be between 1 and {MAX_SAMPLE_ROWS}, not {rows!r}")
    with explained(), TemporaryFile("w+", encoding="utf-8", newline="") as file:
        write_samples(file, rows, seed=1)
        return import_customers(file)


@task
def import_csv(upload: str, fallback: str = "") -> dict[str, Any]:
    """Import the customers of an uploaded file. Not in STARTABLE: visitors must not name files of the server."""
    return import_upload(upload, fallback)


def import_upload(upload: str, fallback: str) -> dict[str, Any]:
    """Import the customers of an uploaded file, which may be in the encoding `fallback` if it is not Unicode."""
    with explained(), uploads.open_stored(upload, fallback=fallback) as file:
        return import_customers(file)


class ImportFailed(Exception):
    """An import that failed; the message is for viewers, and is the task's status."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of an import that a visitor can mend into an `ImportFailed`."""
    try:
        yield
    except InvalidFile as error:
        raise _fail(str(error)) from error
    except DatabaseError as error:
        raise _fail("The database failed; has 'manage.py migrate' been run?") from error


def _fail(reason: str) -> ImportFailed:
    # Viewers see the message of an exception only where errors are exposed, but the status everywhere.
    text = f"Nothing was imported. {reason}"
    progress.update(status=text)
    return ImportFailed(text)


@receiver(task_finished)
def delete_upload(sender: type, task_result: TaskResult, **kwargs: object) -> None:
    """Delete the file of an import that has ended, also if it ended before it began."""
    if task_result.task.module_path == import_csv.module_path:
        uploads.delete(task_result.args[0])
