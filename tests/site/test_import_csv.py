"""What a CSV file of customers must look like, and the samples of one; without a database."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest

from progress_site import samples, settings
from progress_site.rows import BadRow, InvalidFile, Row, check_head, count_rows, parse_row, read_rows

GOOD = ("Ada Lovelace", "ada@example.com", "12.50", "2024-02-29")
HEADER = "name,email,amount,joined\n"
LINE = "Ada,ada@example.com,1,2024-01-01\n"


def open_lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def test_good_row_becomes_typed_values():
    assert parse_row(*GOOD) == Row("Ada Lovelace", "ada@example.com", Decimal("12.50"), date(2024, 2, 29))


@pytest.mark.parametrize("amount", ["0", "+1", "-1.5", "9999999999.99", "007"])
def test_plain_number_is_an_amount(amount):
    assert parse_row("Ada", "ada@example.com", amount, "2024-01-01").amount == Decimal(amount)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        (0, "", "name is missing"),
        (0, "x" * 101, "name has 101 characters; at most 100 are allowed"),
        (1, "", "email is missing"),
        (1, "ada", "email 'ada' is not an address"),
        (1, "a@b@example.com", "email 'a@b@example.com' is not an address"),
        (1, "a" * 250 + "@example.com", "email has 262 characters; at most 254 are allowed"),
        (2, "", "amount is missing"),
        (2, "12345678901", "amount '12345678901' is not a number with up to 10 digits and 2 decimals"),
        (2, "1.005", "amount '1.005' is not a number with up to 10 digits and 2 decimals"),
        (2, "NaN", "amount 'NaN' is not a number with up to 10 digits and 2 decimals"),
        (2, "Infinity", "amount 'Infinity' is not a number with up to 10 digits and 2 decimals"),
        (2, "1e3", "amount '1e3' is not a number with up to 10 digits and 2 decimals"),
        (2, "1_000", "amount '1_000' is not a number with up to 10 digits and 2 decimals"),
        (2, "٣", "amount '٣' is not a number with up to 10 digits and 2 decimals"),
        (2, "1\n", r"amount '1\n' is not a number with up to 10 digits and 2 decimals"),
        (3, "", "joined is missing"),
        (3, "2023-02-29", "joined '2023-02-29' is not a date like 2024-12-31"),
        (3, "0000-01-01", "joined '0000-01-01' is not a date like 2024-12-31"),
        (3, "20240101", "joined '20240101' is not a date like 2024-12-31"),
        (3, "2024-W01-1", "joined '2024-W01-1' is not a date like 2024-12-31"),
        (3, "01/02/2024", "joined '01/02/2024' is not a date like 2024-12-31"),
        (3, "2024-01-01T00:00", "joined '2024-01-01T00:00' is not a date like 2024-12-31"),
    ],
)
def test_bad_value_is_named_with_what_is_allowed(column, text, reason):
    values = [*GOOD[:column], text, *GOOD[column + 1 :]]
    with pytest.raises(ValueError, match=r".") as raised:
        parse_row(*values)
    assert str(raised.value) == reason


def test_thousand_reasons_of_any_content_fit_into_the_result():
    worst = [
        open_lines(f"{HEADER}Ada,ada@example.com,{character * 500},2024-01-01\n") for character in "\x01😀\U000e0001"
    ]
    longest = max(len(json.dumps(next(read_rows(lines))._asdict() | {"line": 10**9})) for lines in worst)
    counts = len(json.dumps({"imported": 10**9, "skipped": 10**9, "errors": []}))
    assert counts + 1000 * (longest + 1) <= settings.TASKS_APP["RESULT_MAX_BYTES"]


def test_columns_are_found_in_any_order_and_case_and_others_are_ignored():
    text = " Joined ,Extra,EMAIL,Amount,name\n2024-01-01,ignored, ada@example.com ,1,Ada\n"
    assert list(read_rows(open_lines(text))) == [Row("Ada", "ada@example.com", Decimal(1), date(2024, 1, 1))]


def test_line_number_counts_blank_lines_and_lines_inside_quotes():
    text = HEADER + "\n" + '"Ada\nLovelace",ada@example.com,1,2024-01-01\n' + "Bob,bad,1,2024-01-01\n"
    rows = list(read_rows(open_lines(text)))
    assert rows[1:] == [BadRow(5, "email 'bad' is not an address")]


def test_row_cut_short_lacks_what_it_lacks():
    assert list(read_rows(open_lines(HEADER + "Ada,ada@example.com\n"))) == [BadRow(2, "amount is missing")]


def test_values_beyond_the_header_are_ignored():
    rows = list(read_rows(open_lines(HEADER + "Ada,ada@example.com,1,2024-01-01,more\n")))
    assert [type(row) for row in rows] == [Row]


def test_count_leaves_out_header_and_blank_lines():
    assert count_rows(open_lines(HEADER + LINE + "\n\r\n" + LINE + "bad\n")) == 3


@pytest.mark.parametrize(
    "head", [b"\xef\xbb\xbf" + HEADER.encode(), HEADER.encode(), HEADER.encode() + "Zo€".encode()[:-1]]
)
def test_head_with_bom_or_cut_inside_a_character_is_taken(head):
    check_head(head)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"\n \n", "The file is empty"),
        ("näme,email,amount,joined\n".encode("latin-1"), "not UTF-8"),
        (HEADER.encode("utf-16"), "not UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
        (b"PK\x03\x04\0\0", "line 1 has a NUL"),
        (b'"name"x,email\n', "not CSV: line 1: "),
        (b'"name,email', "not CSV: line 1: unexpected end of data"),
        (b"x" * 200_000, "not CSV: line 1: field larger"),
        (b"<html></html>\n", "Missing: name, email, amount, joined. It has: '<html></html>'"),
        (b"name;email;amount;joined\n", "separated by commas"),
        (b"name,email,joined\n", "Missing: amount. It has: 'name', 'email', 'joined'"),
        (b"name,email,amount,joined,Email\n", "names a column twice: email"),
    ],
)
def test_wrong_head_is_refused_with_the_reason(head, message):
    with pytest.raises(InvalidFile, match=message):
        check_head(head)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "header, but no rows"),
        (HEADER + LINE + '"Ada,ada@example.com,1,2024-01-01\n' + LINE, "line 4: unexpected end of data"),
        (HEADER + LINE + "A\0da,ada@example.com,1,2024-01-01\n", "line 3 has a NUL"),
    ],
)
def test_file_that_breaks_further_down_is_refused(text, message):
    with pytest.raises(InvalidFile, match=message):
        count_rows(open_lines(text))


def test_bytes_further_down_that_are_not_utf8_are_refused():
    content = (HEADER + LINE).encode() + b"\xff\n"
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    with lines, pytest.raises(InvalidFile, match="not UTF-8"):
        count_rows(lines)


def test_samples_are_the_same_for_the_same_seed():
    assert list(samples.make_samples(500, 1)) == list(samples.make_samples(500, 1))


def test_samples_differ_between_seeds():
    assert list(samples.make_samples(500, 1)) != list(samples.make_samples(500, 2))


def test_import_skips_exactly_the_samples_made_bad():
    made = list(samples.make_samples(20_000, 3))
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([samples.HEADER, *(sample.values for sample in made)])
    buffer.seek(0)
    assert [isinstance(row, BadRow) for row in read_rows(buffer)] == [sample.is_bad for sample in made]


def test_about_one_sample_in_a_hundred_is_bad():
    assert 150 < sum(sample.is_bad for sample in samples.make_samples(20_000, 4)) < 250


@pytest.mark.parametrize("spoil", samples.SPOILERS)
def test_every_kind_of_spoilt_sample_is_refused(spoil):
    good = ["Ada Lovelace", "ada@example.com", "12.50", "2024-01-01", "a note"]
    values = spoil(good)
    with pytest.raises(ValueError, match=r"^(name|email|amount|joined) "):
        parse_row(*[value.strip() for value in (values + [""] * 4)[:4]])
