"""Uploaded files, under random names in MEDIA_ROOT/uploads, until the task that reads them has ended."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TextIO

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from .text_files import InvalidFile, open_text

FOLDER = "uploads"

#: The age from which on a file is taken to be left by a process that died.
MAX_AGE = timedelta(days=1)


def store(file: File) -> str:
    """Store a file under a random name, and return that name; the name given by the user is not used."""
    name = default_storage.save(f"{FOLDER}/{secrets.token_hex(16)}.csv", file)
    delete_older(FOLDER, MAX_AGE)
    return name


@contextmanager
def open_stored(name: str, *, fallback: str = "") -> Iterator[TextIO]:
    """Open a stored file as text.

    Args:
        fallback: as in `open_text`.

    Raises:
        InvalidFile: the file is gone, or is not text.
    """
    try:
        file = default_storage.open(name)
    except FileNotFoundError as error:
        raise InvalidFile("The uploaded file is gone.") from error
    with file, open_text(file.file, fallback=fallback) as text:
        yield text


def delete(name: str) -> None:
    """Delete a stored file; harmless if it is gone."""
    default_storage.delete(name)


def delete_older(folder: str, age: timedelta) -> None:
    """Delete the files of a folder that are older than `age`."""
    oldest = timezone.now() - age
    for name in _list_files(folder):
        try:
            is_older = default_storage.get_modified_time(name) < oldest
        except FileNotFoundError:  # another process has just deleted it
            continue
        if is_older:
            delete(name)


def _list_files(folder: str) -> list[str]:
    try:
        return [f"{folder}/{file_name}" for file_name in default_storage.listdir(folder)[1]]
    except FileNotFoundError:  # nothing was stored there yet
        return []
