"""The rows of a CSV file of customers. Pure."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from .formulas import unquote_formula
from .table import Record, Table, quote
from .text_files import InvalidFile

COLUMNS = ("name", "email", "amount", "joined")

MAX_NAME_LENGTH = 100
MAX_EMAIL_LENGTH = 254
MAX_DIGITS, DECIMAL_PLACES = 12, 2

_AMOUNT = re.compile(rf"[+-]?[0-9]{{1,{MAX_DIGITS - DECIMAL_PLACES}}}(\.[0-9]{{1,{DECIMAL_PLACES}}})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # date.fromisoformat() accepts other formats

#: Characters that no one sees: controls, separators of lines, and what turns the direction of the text around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Row(NamedTuple):
    """A row that can be imported."""

    name: str
    email: str
    amount: Decimal
    joined: date


class BadRow(NamedTuple):
    """A row that can't be imported: its first line, the reason, and all its values as they stand in the file."""

    line: int
    reason: str
    values: list[str]


def count_rows(table: Table) -> int:
    """Read a whole table and return the number of its rows.

    Raises:
        InvalidFile: the file can't be read to its end, or has no rows.
    """
    count = sum(1 for _ in table.read_records())
    if not count:
        raise InvalidFile("The file has a header, but no rows below it.")
    return count


def read_rows(table: Table) -> Iterator[Row | BadRow]:
    """Yield each row of a table of COLUMNS.

    Raises:
        InvalidFile: the file can't be read to its end.
    """
    for record in table.read_records():
        try:
            row: Row | BadRow = _parse_record(record, table)
        except ValueError as error:
            row = BadRow(record.line, str(error), record.values)
        yield row


def parse_row(name: str, email: str, amount: str, joined: str, *, has_decimal_comma: bool = False) -> Row:
    """Return the row with these values.

    Args:
        has_decimal_comma: whether `12,5` is an amount, as `12.5` is.

    Raises:
        ValueError: a value is invalid; the message names the first one.
    """
    return Row(_parse_name(name), _parse_email(email), _parse_amount(amount, has_decimal_comma), _parse_date(joined))


def _parse_record(record: Record, table: Table) -> Row:
    _check_width(record.values, len(table.header))
    values = [_get_value(record.values, position) for position in table.positions]
    return parse_row(*values, has_decimal_comma=table.delimiter != ",")


def _check_width(values: list[str], width: int) -> None:
    """Check that nothing stands beyond the header, as behind a separator inside a value that is not quoted."""
    if any(map(str.strip, values[width:])):
        raise ValueError(f"the row has {len(values)} values, but the header only {width} names")


def _get_value(values: list[str], position: int) -> str:
    return unquote_formula(values[position].strip()).strip() if position < len(values) else ""


def _parse_name(text: str) -> str:
    _check_present("name", text)
    _check_length("name", text, MAX_NAME_LENGTH)
    _check_characters("name", text)
    return text


def _parse_email(text: str) -> str:
    _check_present("email", text)
    _check_length("email", text, MAX_EMAIL_LENGTH)
    _check_characters("email", text)
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError(f"email {quote(text)} is not an address") from error
    return text


def _parse_amount(text: str, has_decimal_comma: bool) -> Decimal:
    _check_present("amount", text)
    number = text.replace(",", ".") if has_decimal_comma and "." not in text else text
    if _AMOUNT.fullmatch(number) is None:
        raise ValueError(
            f"amount {quote(text)} is not a number with up to {MAX_DIGITS - DECIMAL_PLACES} digits "
            f"and {DECIMAL_PLACES} decimals"
        )
    return Decimal(number)


def _parse_date(text: str) -> date:
    _check_present("joined", text)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 30th of February
    raise ValueError(f"joined {quote(text)} is not a date like 2024-12-31")


def _check_present(column: str, text: str) -> None:
    if not text:
        raise ValueError(f"{column} is missing")


def _check_length(column: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"{column} has {len(text)} characters; at most {limit} are allowed")


def _check_characters(column: str, text: str) -> None:
    if found := _CONTROL.search(text):
        raise ValueError(f"{column} has the control character {found[0]!a}")
