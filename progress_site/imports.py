"""The import of customers from a CSV file into the database, with its progress."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TextIO

from django.db import transaction

from tasks_app import progress

from .models import Customer
from .rows import BadRow, Row, count_rows, read_rows

BATCH_SIZE = 1000

#: The number of bad rows whose reason is kept; all are counted.
MAX_ERRORS = 1000


def import_customers(file: TextIO) -> dict[str, Any]:
    """Import the good rows of a file and report each bad one.

    If this raises, nothing is imported.

    Returns:
        The numbers "imported" and "skipped", and "errors": the lines and reasons of the first MAX_ERRORS bad rows.

    Raises:
        InvalidFile: the file as a whole can't be imported.
        TaskCancelled: the task was asked to stop.
    """
    progress.stages({"Check": 1, "Import": 9})
    with progress.stage("Check"):
        progress.update(status="Checking the file")
        total = count_rows(file)
        file.seek(0)
    with progress.stage("Import"), take_turn():
        progress.update(status="Importing", unit="rows")
        outcome = load(progress.track(read_rows(file), total=total))
    progress.update(status=describe(outcome))
    return outcome


def describe(outcome: dict[str, Any]) -> str:
    """Return a sentence with the numbers of imported and skipped rows."""
    return f"Imported {outcome['imported']:,} rows, skipped {outcome['skipped']:,}"


def load(rows: Iterable[Row | BadRow]) -> dict[str, Any]:
    """Insert the good rows in batches and collect the bad ones; if this raises, insert none."""
    imported, skipped, errors = 0, 0, []
    # The transaction holds SQLite's write lock for seconds; in WAL mode, readers go on meanwhile. To check all rows
    # before the first insert would hold the lock for less time, but all rows in memory.
    with transaction.atomic():
        for batch in split(rows, BATCH_SIZE):
            good = [row for row in batch if isinstance(row, Row)]
            bad = [row for row in batch if isinstance(row, BadRow)]
            Customer.objects.bulk_create([Customer(**row._asdict()) for row in good])
            imported += len(good)
            skipped += len(bad)
            bad = bad[: MAX_ERRORS - len(errors)]
            for row in bad:
                progress.log(f"Line {row.line}: {row.reason}", level="warning")
            errors += [row._asdict() for row in bad]
    return {"imported": imported, "skipped": skipped, "errors": errors}


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
