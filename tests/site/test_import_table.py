"""CSV files as tables: separators, headers, quotation marks and limits."""

import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from progress_site.rows import COLUMNS, count_rows
from progress_site.table import Record, Table
from progress_site.text_files import InvalidFile, open_text

HEADER = "name,email,amount,joined\n"
LINE = "Ada,ada@example.com,1,2024-01-01\n"
VALUES = ["Ada", "ada@example.com", "1", "2024-01-01"]

LIMIT = 131_072  # of the csv module


def make_table(text: str) -> Table:
    return Table(io.StringIO(text, newline=""), COLUMNS)


def read(text: str) -> list[Record]:
    return list(make_table(text).read_records())


def refuse(text: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(InvalidFile) as raised:
        read(text)
    return str(raised.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separator_is_recognised_by_the_header(delimiter):
    assert read((HEADER + LINE).replace(",", delimiter)) == [Record(2, VALUES)]


def test_separator_is_the_one_that_separates_most_columns():
    table = make_table("name;email;amount;joined;a,b,c,d\n" + LINE.replace(",", ";"))
    assert (table.delimiter, table.others) == (";", ["a,b,c,d"])


def test_separator_inside_of_quotes_separates_nothing():
    assert read(HEADER.replace(",", ";") + '"a;b";"c,d";1;2\n') == [Record(2, ["a;b", "c,d", "1", "2"])]


@pytest.mark.parametrize("first", ["sep=;\r\n", "SEP=;\n", '"sep=;"\r\n'])
def test_first_line_may_name_the_separator_as_excel_writes_it(first):
    assert read(first + (HEADER + LINE).replace(",", ";")) == [Record(3, VALUES)]


@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_first_line_may_name_any_known_separator(delimiter):
    assert read(f"sep={delimiter}\n" + (HEADER + LINE).replace(",", delimiter)) == [Record(3, VALUES)]


@pytest.mark.parametrize("named", ["", "ab", ":", '"', "x" * 500])
def test_first_line_that_names_another_separator_is_refused(named):
    assert refuse(f"sep={named}\n{HEADER}").endswith(r"; allowed: ',', ';', '\t', '|'.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The file is empty."),
        ("\n \n,,,\n", "The file is empty."),
        ("sep=;\n", "The file is empty."),
        (
            "name;email;joined\n",
            "Line 1 must name the columns name, email, amount, joined, separated by commas, semicolons or tabs. "
            "Missing: amount. It has: 'name', 'email', 'joined'.",
        ),
        (
            "\n\nDear Sir\n",
            "Line 3 must name the columns name, email, amount, joined, separated by commas, semicolons or tabs. "
            "Missing: name, email, amount, joined. It has: 'dear sir'.",
        ),
        ("name,email,amount,joined,Email\n", "Line 1 names a column twice: email."),
        ("sep=,\nname,email,amount,joined,Email, NAME \n", "Line 2 names a column twice: name, email."),
    ],
)
def test_wrong_header_is_refused_with_the_reason(text, reason):
    assert refuse(text) == reason


def test_other_columns_may_have_one_name_or_none():
    table = make_table("note,name,,email,note,amount,joined,,\n")
    assert (table.others, len(table.header)) == (["note", "note"], 7)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ('"Ada,ada@example.com,1,2\n' + LINE * 3, "A quotation mark opens in line 3 and is not closed."),
        ('"two\nlines","Ada\n' + LINE * 3, "A quotation mark opens in line 4 and is not closed."),
        ('x,"a""b\n""c\n', "A quotation mark opens in line 3 and is not closed."),
        (
            '"Ada,ada@example.com,1,2\n' + LINE * 9_000,
            "A quotation mark opens in line 3 and is not closed within 131,072 characters.",
        ),
        (
            '"Ada,ada@example.com,1,2\n' + LINE + '"Bob",bob@example.com,1,2\n',
            "A quotation mark opens in line 3, and the next one, in line 5, does not close it.",
        ),
        (
            '"Ada" L,ada@example.com,1,2\n',
            "Line 3 has text after a closing quotation mark; one inside a value is written twice.",
        ),
        ("x" * (LIMIT + 1) + "\n", "Line 3 has a value of more than 131,072 characters."),
        (f'a,"{"x" * (LIMIT + 1)}"\n', "Line 3 has a value of more than 131,072 characters."),
        ("," * 1_000_001 + "\n", "Line 3 begins a row of more than 1,000,000 characters."),
        ('"\n",' * 300_000, "Line 3 begins a row of more than 1,000,000 characters."),
        ("A\0da\n", "Line 3 has a NUL character, so the file is not text."),
    ],
    ids=[
        "quote",
        "second quote",
        "doubled quote",
        "far",
        "closed late",
        "text",
        "value",
        "quoted",
        "row",
        "rows",
        "NUL",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_row_that_can_not_be_read_is_named_by_its_line(rows, reason, end):
    assert refuse((HEADER + LINE + rows).replace("\n", end)) == reason


def test_longest_value_is_read():
    assert read(HEADER + f'"{"x" * LIMIT}"\n') == [Record(2, ["x" * LIMIT])]


class Stream(io.RawIOBase):
    """A file of any size, made while it is read."""

    def __init__(self, head: bytes, chunk: bytes, count: int) -> None:
        self._parts = head, chunk, count
        self._rest = b""
        self._chunks: Iterator[bytes] = iter(())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, place: int, whence: int = 0) -> int:
        head, chunk, count = self._parts
        self._chunks, self._rest = chain([head], repeat(chunk, count)), b""
        return 0

    def read(self, size: int = -1) -> bytes:
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    read1 = read


def measure_peak(stream: Stream) -> tuple[int, str]:
    """Return the most bytes that were held while a file was read, and how that ended."""
    tracemalloc.start()
    try:
        with open_text(stream) as file:
            end = str(count_rows(Table(file, COLUMNS)))
    except InvalidFile as error:
        end = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, end


ROW = b"Ada,ada@example.com,1,2024-01-01," + b"x" * 100_000 + b"\n"


@pytest.mark.parametrize(
    ("chunk", "end"),
    [
        (ROW, "999"),
        (ROW.strip(), "Line 2 begins a row of more than 1,000,000 characters."),
        (b'"' + ROW * 10, "A quotation mark opens in line 2 and is not closed within 131,072 characters."),
    ],
    ids=["rows", "no line end", "quotes"],
)
def test_file_of_hundred_megabytes_is_never_held_in_memory(chunk, end):
    stream = Stream(b"name,email,amount,joined,note\n", chunk, 100_000_000 // len(chunk))
    peak, result = measure_peak(stream)
    assert (result, peak < 16_000_000) == (end, True), peak
