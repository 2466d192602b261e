"""The format of a CSV file of customers, and of its rows. Pure: no database, no progress."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

COLUMNS = ("name", "email", "amount", "joined")

MAX_NAME_LENGTH = 100
MAX_EMAIL_LENGTH = 254
MAX_DIGITS, DECIMAL_PLACES = 12, 2

#: Characters that are quoted of a bad value, so that 1,000 reasons fit into the result of a task.
MAX_QUOTED = 30

_AMOUNT = re.compile(rf"[+-]?[0-9]{{1,{MAX_DIGITS - DECIMAL_PLACES}}}(\.[0-9]{{1,{DECIMAL_PLACES}}})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # date.fromisoformat() accepts other formats


class InvalidFile(Exception):
    """A file that can't be imported as a whole; the message is for its sender."""


class Row(NamedTuple):
    """A row that can be imported."""

    name: str
    email: str
    amount: Decimal
    joined: date


class BadRow(NamedTuple):
    """The last line of a row that can't be imported, and the reason."""

    line: int
    reason: str


def check_head(head: bytes) -> None:
    """Check that the beginning of a file is UTF-8 text and names each of COLUMNS once.

    Raises:
        InvalidFile: it is not, or it does not.
    """
    reader = _make_reader(_decode(head))
    with _explained(reader):
        _read_header(reader)


def count_rows(lines: Iterable[str]) -> int:
    """Read a whole file and return the number of rows below its header.

    Raises:
        InvalidFile: the file can't be read to its end, or has no rows.
    """
    count = sum(1 for _ in _read_records(lines))
    if not count:
        raise InvalidFile("The file has a header, but no rows below it.")
    return count


def read_rows(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    """Yield each row below the header; blank lines are skipped.

    Raises:
        InvalidFile: the file can't be read to its end.
    """
    for line, values in _read_records(lines):
        try:
            row: Row | BadRow = parse_row(*values)
        except ValueError as error:
            row = BadRow(line, str(error))
        yield row


def parse_row(name: str, email: str, amount: str, joined: str) -> Row:
    """Return the row with these values.

    Raises:
        ValueError: a value is invalid; the message names the first one.
    """
    return Row(_parse_name(name), _parse_email(email), _parse_amount(amount), _parse_date(joined))


def _read_records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the last line number and the stripped values of COLUMNS of each record below the header."""
    reader = _make_reader(lines)
    with _explained(reader):
        positions = _read_header(reader)
        for record in filter(None, reader):
            yield reader.line_num, [_get_value(record, position) for position in positions]


def _make_reader(lines: Iterable[str]) -> "csv._reader":
    return csv.reader(_refuse_nul(lines), strict=True)


@contextmanager
def _explained(reader: "csv._reader") -> Iterator[None]:
    """Turn an error of the decoder or of the CSV reader into an `InvalidFile` that explains it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InvalidFile("The file is not UTF-8 text; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise InvalidFile(f"The file is not CSV: line {reader.line_num}: {error}.") from error


def _decode(head: bytes) -> Iterator[str]:
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the last character may be incomplete
    yield from io.StringIO(text, newline="")


def _refuse_nul(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise InvalidFile(f"The file is not CSV: line {number} has a NUL character.")
        yield line


def _read_header(records: Iterator[list[str]]) -> list[int]:
    """Return the position of each of COLUMNS."""
    header = next(filter(None, records), [])
    names = [name.strip().lower() for name in header]
    if not any(names):
        raise InvalidFile("The file is empty.")
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise InvalidFile(
            f"The first line must name the columns {', '.join(COLUMNS)}, separated by commas. "
            f"Missing: {', '.join(missing)}. It has: {', '.join(map(_quote, names[:10]))}."
        )
    if repeated := [column for column in COLUMNS if names.count(column) > 1]:
        raise InvalidFile(f"The first line names a column twice: {', '.join(repeated)}.")
    return [names.index(column) for column in COLUMNS]


def _get_value(record: Sequence[str], position: int) -> str:
    return record[position].strip() if position < len(record) else ""


def _parse_name(text: str) -> str:
    _check_present("name", text)
    _check_length("name", text, MAX_NAME_LENGTH)
    return text


def _parse_email(text: str) -> str:
    _check_present("email", text)
    _check_length("email", text, MAX_EMAIL_LENGTH)
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError(f"email {_quote(text)} is not an address") from error
    return text


def _parse_amount(text: str) -> Decimal:
    _check_present("amount", text)
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(
            f"amount {_quote(text)} is not a number with up to {MAX_DIGITS - DECIMAL_PLACES} digits "
            f"and {DECIMAL_PLACES} decimals"
        )
    return Decimal(text)


def _parse_date(text: str) -> date:
    _check_present("joined", text)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 30th of February
    raise ValueError(f"joined {_quote(text)} is not a date like 2024-12-31")


def _check_present(column: str, text: str) -> None:
    if not text:
        raise ValueError(f"{column} is missing")


def _check_length(column: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"{column} has {len(text)} characters; at most {limit} are allowed")


def _quote(text: str) -> str:
    return repr(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…")
