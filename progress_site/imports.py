"""The import of customers from a CSV file into the database, with its progress."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TextIO

from django.db import reset_queries, transaction

from tasks_app import progress

from .models import Customer
from .rows import COLUMNS, BadRow, Row, count_rows, read_rows
from .skipped import DOWNLOAD_COLUMNS, SkippedRows
from .table import Table, quote
from .text_files import InvalidFile

BATCH_SIZE = 1000

#: The number of columns that a note names.
MAX_NAMED = 10


def import_customers(file: TextIO) -> dict[str, Any]:
    """Import the good rows of a file and report each bad one.

    If this raises, nothing is imported.

    Returns:
        The numbers "imported" and "skipped"; "errors", the lines and reasons of the first MAX_ERRORS bad rows; "kept",
        the number of bad rows that can be downloaded; and "notes", sentences about the file.

    Raises:
        InvalidFile: the file as a whole can't be imported, or none of its rows.
        TaskCancelled: the task was asked to stop.
    """
    progress.stages({"Check": 1, "Import": 9})
    with progress.stage("Check"):
        progress.update(status="Checking the file")
        table = Table(file, COLUMNS)
        total = count_rows(table)
    with progress.stage("Import"), take_turn(), SkippedRows(table) as skipped:
        progress.update(status="Importing", unit="rows")
        rows = progress.track(read_rows(table), total=total)
        outcome = sum_up(load(rows, skipped), skipped, table)
    progress.update(status=describe(outcome))
    return outcome


def sum_up(imported: int, skipped: SkippedRows, table: Table) -> dict[str, Any]:
    """Return what an import did with the rows of a table.

    Raises:
        InvalidFile: it imported none. What it did is then in `meta`, since a task that failed has no result.
    """
    outcome = {"imported": imported, **skipped.to_json(), "notes": describe_unused(table)}
    if not imported:
        progress.meta(**outcome)
        first = outcome["errors"][0]
        raise InvalidFile(f"No row is valid. Line {first['line']:,}: {first['reason']}.")
    return outcome


def describe(outcome: dict[str, Any]) -> str:
    """Return a sentence with the numbers of imported and skipped rows."""
    imported = outcome["imported"]
    return f"Imported {imported:,} {'row' if imported == 1 else 'rows'}, skipped {outcome['skipped']:,}"


def describe_unused(table: Table) -> list[str]:
    """Return, and log, a sentence that names the columns that are not imported; an empty list if there are none."""
    names = [quote(name) for name in table.others if name not in DOWNLOAD_COLUMNS]
    if not names:
        return []
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    note = f"Columns that are not imported: {', '.join(names[:MAX_NAMED])}{more}."
    progress.log(note)
    return [note]


def load(rows: Iterable[Row | BadRow], skipped: SkippedRows) -> int:
    """Insert the good rows in batches, and return their number; if this raises, insert none."""
    imported = 0
    # The transaction holds SQLite's write lock for seconds; in WAL mode, readers go on meanwhile. To check all rows
    # before the first insert would hold the lock for less time, but all rows in memory.
    with transaction.atomic():
        for batch in split(rows, BATCH_SIZE):
            good = [row for row in batch if isinstance(row, Row)]
            Customer.objects.bulk_create([Customer(**row._asdict()) for row in good])
            imported += len(good)
            for row in batch:
                if isinstance(row, BadRow):
                    skipped.add(row)
            reset_queries()  # with DEBUG, Django keeps them all
        skipped.store(progress.task_id)
    return imported


def split(rows: Iterable[Row | BadRow], size: int) -> Iterator[list[Row | BadRow]]:
    """Yield the rows in lists of `size`; the last may be shorter."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


@contextmanager
def take_turn() -> Iterator[None]:
    """Wait until no other import of this process writes; unlike a wait for the database, this one can be cancelled."""
    while not _turn.acquire(timeout=0.2):
        progress.update(status="Waiting for another import to end")
        progress.raise_if_cancelled()
    try:
        yield
    finally:
        _turn.release()


_turn = threading.Lock()
