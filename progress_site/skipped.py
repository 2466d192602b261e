"""The rows that an import skips: each with its reason, and for download as a CSV file in MEDIA_ROOT/skipped."""

import csv
from collections.abc import Sequence
from datetime import timedelta
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from tasks_app import progress

from . import uploads
from .formulas import quote_formula
from .rows import BadRow
from .table import Table

FOLDER = "skipped"

#: The number of rows whose reason is kept in the task itself; all are counted.
MAX_ERRORS = 1000

#: The columns that a download has before those of its file.
DOWNLOAD_COLUMNS = ["Line", "Error"]


class SkippedRows:
    """The rows of a table that an import skips, in a temporary file of at most IMPORT_MAX_BYTES.

    That is as much as can be uploaded again, once it is corrected.

    Args:
        table: its separator and header are those of the file; of a table that was such a file, the rows have again one
            line number and one reason.
    """

    def __init__(self, table: Table) -> None:
        self._count = 0
        self._kept = 0
        self._errors: list[dict[str, Any]] = []
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115  # closed by `__exit__`
        self._writer = csv.writer(_Encoder(self._file), delimiter=table.delimiter, quoting=csv.QUOTE_ALL)
        is_download = table.header[: len(DOWNLOAD_COLUMNS)] == DOWNLOAD_COLUMNS
        self._first = len(DOWNLOAD_COLUMNS) if is_download else 0
        self._is_full = False
        self._file.write(b"\xef\xbb\xbf")  # without it, Excel takes the file for another encoding
        self._write([*DOWNLOAD_COLUMNS, *table.header[self._first :]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: BadRow) -> None:
        """Add a row; the first MAX_ERRORS are logged."""
        self._count += 1
        if self._count <= MAX_ERRORS:
            progress.log(f"Line {row.line:,}: {row.reason}", level="warning")
            self._errors.append({"line": row.line, "reason": row.reason})
        if not self._is_full:
            self._keep(row)

    def to_json(self) -> dict[str, Any]:
        """Return the number "skipped", the "errors" of the first MAX_ERRORS, and how many rows are "kept"."""
        return {"skipped": self._count, "errors": self._errors, "kept": self._kept}

    def store(self, task_id: str) -> None:
        """Store the file for the download, unless it has no rows; it replaces that of an earlier attempt.

        Args:
            task_id: the id of the import; "" outside a task, where nothing is stored.
        """
        delete_outdated()
        if not task_id:
            return
        delete(task_id)
        if self._kept:
            self._file.seek(0)
            default_storage.save(_name(task_id), File(self._file))

    def _keep(self, row: BadRow) -> None:
        end = self._file.tell()
        self._write([str(row.line), row.reason, *row.values[self._first :]])
        if self._file.tell() > settings.IMPORT_MAX_BYTES:
            self._file.truncate(end)
            self._is_full = True
        else:
            self._kept += 1

    def _write(self, cells: Sequence[str]) -> None:
        self._writer.writerow(map(quote_formula, cells))


class _Encoder:
    """The text side of a binary file, for a CSV writer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def open_stored(task_id: str) -> File:
    """Open the skipped rows of an import.

    Raises:
        FileNotFoundError: it skipped none, has not ended, or they are deleted.
    """
    return default_storage.open(_name(task_id))


def delete(task_id: str) -> None:
    """Delete the skipped rows of an import; harmless if there are none."""
    default_storage.delete(_name(task_id))


def delete_outdated() -> None:
    """Delete the skipped rows of imports of which nothing else is known any more."""
    uploads.delete_older(FOLDER, timedelta(seconds=settings.TASKS_APP.get("RETENTION", 3600)))


def _name(task_id: str) -> str:
    return f"{FOLDER}/{task_id}.csv"
