"""Uploaded files, under random names in MEDIA_ROOT/uploads, until the task that reads them has ended."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

FOLDER = "uploads"

#: The age from which on a file is taken to be left by a process that died.
MAX_AGE = timedelta(days=1)


def store(file: File) -> str:
    """Store a file under a random name, and return that name; the name given by the user is not used."""
    name = default_storage.save(f"{FOLDER}/{secrets.token_hex(16)}.csv", file)
    delete_abandoned()
    return name


@contextmanager
def open_text(name: str) -> Iterator[TextIO]:
    """Open a stored file as UTF-8 text, with or without a byte order mark."""
    with Path(default_storage.path(name)).open(encoding="utf-8-sig", newline="") as file:
        yield file


def delete(name: str) -> None:
    """Delete a stored file; harmless if it is gone."""
    default_storage.delete(name)


def delete_abandoned() -> None:
    """Delete the files older than MAX_AGE, which no task has deleted."""
    oldest = timezone.now() - MAX_AGE
    for file_name in default_storage.listdir(FOLDER)[1]:
        name = f"{FOLDER}/{file_name}"
        try:
            is_abandoned = default_storage.get_modified_time(name) < oldest
        except FileNotFoundError:  # its task has just ended
            continue
        if is_abandoned:
            delete(name)
