"""A CSV file as a table: its separator, its header, and its records with their lines. Pure."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from .text_files import InvalidFile

#: The separators that are recognised.
DELIMITERS = (",", ";", "\t", "|")

#: Characters of a record at most, since it is held in memory.
MAX_RECORD = 1_000_000

#: Characters that are quoted of a bad value, so that 1,000 reasons fit into the result of a task.
MAX_QUOTED = 30


class Record(NamedTuple):
    """The values of a record, and the line in which it begins."""

    line: int
    values: list[str]


class Table:
    """A CSV file whose header names some columns; blank records count nowhere.

    Args:
        file: text with its line ends as they are; it is read from its beginning.
        columns: the names, in lower case, that the header must have once each.

    Attributes:
        delimiter: what a first line `sep=` names, else the one with which the header names the most columns.
        header: the names in the header, as they stand there.
        positions: the place of each of `columns` in the header.

    Raises:
        InvalidFile: there is no such header.
    """

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._file = file
        self._named_delimiter = _read_separator_line(file)
        self.delimiter = self._named_delimiter or max(DELIMITERS, key=lambda each: self._count_named(columns, each))
        line, self.header = self._read_header(self.delimiter)
        names = [name.lower() for name in self.header]
        _check_header(line, names, columns)
        self.positions = [names.index(column) for column in columns]

    @property
    def others(self) -> list[str]:
        """The names in the header beside the columns."""
        return [name for place, name in enumerate(self.header) if name and place not in self.positions]

    def read_records(self) -> Iterator[Record]:
        """Yield the records below the header.

        Raises:
            InvalidFile: the file can't be read to its end.
        """
        records = self._read(self.delimiter)
        next(records)
        yield from records

    def _count_named(self, columns: Sequence[str], delimiter: str) -> int:
        try:
            _, header = self._read_header(delimiter)
        except InvalidFile:
            return 0
        return len({name.lower() for name in header}.intersection(columns))

    def _read_header(self, delimiter: str) -> tuple[int, list[str]]:
        """Return the line and the names of the header, without empty ones at its end."""
        line, values = next(self._read(delimiter), (0, []))
        if not values:
            raise InvalidFile("The file is empty.")
        names = [value.strip() for value in values]
        while not names[-1]:
            del names[-1]
        return line, names

    def _read(self, delimiter: str) -> Iterator[Record]:
        self._file.seek(0)
        lines = _Lines(self._file)
        if self._named_delimiter:
            next(lines)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.begin_record()
            try:
                values = next(reader, None)
            except csv.Error as error:
                raise InvalidFile(lines.explain(delimiter)) from error
            if values is None:
                return
            if any(map(str.strip, values)):
                yield Record(lines.first, values)


class _Lines:
    """The lines of a file, of which those of the current record are kept."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._count = 0
        self._record: list[str] = []
        self._room = MAX_RECORD
        self._has_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(self._room + 1)
        if not line:
            self._has_ended = True
            raise StopIteration
        self._count += 1
        self._record.append(line)
        self._room -= len(line)
        if self._room < 0:
            raise csv.Error("the record is too long")
        if "\0" in line:
            raise InvalidFile(f"Line {self._count:,} has a NUL character, so the file is not text.")
        return line

    @property
    def first(self) -> int:
        """The number of the record's first line."""
        return self._count - len(self._record) + 1

    def begin_record(self) -> None:
        """Forget the lines of the record before."""
        self._record = []
        self._room = MAX_RECORD

    def explain(self, delimiter: str) -> str:
        """Return what is wrong with the record, which could not be parsed."""
        if self._room < 0:
            return f"Line {self.first:,} begins a row of more than {MAX_RECORD:,} characters."
        text = "".join(self._record)
        opening = _find_broken_quote(text, delimiter)
        if opening is None:
            return f"Line {self.first:,} has a value of more than {csv.field_size_limit():,} characters."
        return self._explain_quote(text, opening)

    def _explain_quote(self, text: str, opening: int) -> str:
        begin = self.first + _count_line_ends(text[:opening])
        quoted = _QUOTED.match(text, opening)
        if quoted is None:
            within = "" if self._has_ended else f" within {csv.field_size_limit():,} characters"
            return f"A quotation mark opens in line {begin:,} and is not closed{within}."
        end = begin + _count_line_ends(quoted[0])
        if begin == end:
            return f"Line {begin:,} has text after a closing quotation mark; one inside a value is written twice."
        return f"A quotation mark opens in line {begin:,}, and the next one, in line {end:,}, does not close it."


def quote(text: str) -> str:
    """Return the beginning of a value as Python writes it."""
    return repr(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…")


def _read_separator_line(file: TextIO) -> str | None:
    """Return the separator that a first line such as `sep=;` names, as Excel writes it; None without such a line."""
    file.seek(0)
    line = file.readline(MAX_QUOTED).rstrip("\r\n").strip('"')
    if not line.lower().startswith("sep="):
        return None
    if line[4:] not in DELIMITERS:
        raise InvalidFile(f"Line 1 names the separator {line[4:]!r}; allowed: {', '.join(map(repr, DELIMITERS))}.")
    return line[4:]


def _check_header(line: int, names: Sequence[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in names]
    if missing:
        raise InvalidFile(
            f"Line {line:,} must name the columns {', '.join(columns)}, separated by commas, semicolons or tabs. "
            f"Missing: {', '.join(missing)}. It has: {', '.join(map(quote, names[:10]))}."
        )
    if repeated := [column for column in columns if names.count(column) > 1]:
        raise InvalidFile(f"Line {line:,} names a column twice: {', '.join(repeated)}.")


_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')


def _find_broken_quote(text: str, delimiter: str) -> int | None:
    """Return the place of the quotation mark that opens a value which does not end as it must; None if all do."""
    mark = re.escape(delimiter)
    value = re.compile(rf'(?:{_QUOTED.pattern}|[^"{mark}\r\n][^{mark}\r\n]*+|)(?:{mark}|\r\n?|\n|\Z)')
    place = 0
    while place < len(text) and (found := value.match(text, place)):
        place = found.end()
    return place if place < len(text) else None


def _count_line_ends(text: str) -> int:
    return len(re.findall(r"\r\n?|\n", text))
