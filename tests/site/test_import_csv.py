"""What the rows of a CSV file of customers must look like, and the samples of one; without a database."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest

from progress_site import samples, settings
from progress_site.rows import COLUMNS, BadRow, Row, count_rows, parse_row, read_rows
from progress_site.table import Table
from progress_site.text_files import InvalidFile

GOOD = ("Ada Lovelace", "ada@example.com", "12.50", "2024-02-29")
HEADER = "name,email,amount,joined\n"
LINE = "Ada,ada@example.com,1,2024-01-01\n"
ADA = Row("Ada", "ada@example.com", Decimal(1), date(2024, 1, 1))


def make_table(text: str) -> Table:
    return Table(io.StringIO(text, newline=""), COLUMNS)


def read(text: str) -> list[Row | BadRow]:
    return list(read_rows(make_table(text)))


def find_reasons(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(text) if isinstance(row, BadRow)]


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
        (0, "A\0da", r"name has the control character '\x00'"),
        (0, "Ada\nLovelace", r"name has the control character '\n'"),
        (0, "A\tda", r"name has the control character '\t'"),
        (0, "A\x1b[31mda", r"name has the control character '\x1b'"),
        (0, "A\x7fda", r"name has the control character '\x7f'"),
        (0, "A\x9bda", r"name has the control character '\x9b'"),
        (0, "A\u2028da", r"name has the control character '\u2028'"),
        (0, "A\u202eda", r"name has the control character '\u202e'"),
        (0, "A\u2066da", r"name has the control character '\u2066'"),
        (1, "", "email is missing"),
        (1, "ada", "email 'ada' is not an address"),
        (1, "a@b@example.com", "email 'a@b@example.com' is not an address"),
        (1, "a" * 250 + "@example.com", "email has 262 characters; at most 254 are allowed"),
        (1, '"a\x01b"@example.com', r"email has the control character '\x01'"),
        (2, "", "amount is missing"),
        (2, "12345678901", "amount '12345678901' is not a number with up to 10 digits and 2 decimals"),
        (2, "1.005", "amount '1.005' is not a number with up to 10 digits and 2 decimals"),
        (2, "12,50", "amount '12,50' is not a number with up to 10 digits and 2 decimals"),
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


@pytest.mark.parametrize("name", ["Zoë", "李", "می\u200cشم", "👩\u200d🚀 Ada", "O'Neil", "Ada\xa0Lovelace"])
def test_name_of_any_script_is_taken(name):
    assert parse_row(name, *GOOD[1:]).name == name


def test_thousand_reasons_of_any_content_fit_into_the_result():
    worst = [f"{HEADER}Ada,ada@example.com,{character * 500},2024-01-01\n" for character in "\x01😀\U000e0001"]
    longest = max(len(json.dumps({"line": 10**9, "reason": read(text)[0].reason})) for text in worst)
    rest = len(json.dumps({"imported": 10**9, "skipped": 10**9, "errors": [], "kept": 10**9, "notes": ["x" * 4500]}))
    assert rest + 1000 * (longest + 1) <= settings.TASKS_APP["RESULT_MAX_BYTES"]


def test_columns_are_found_in_any_order_and_case_beside_others():
    assert read(" Joined ,Extra,EMAIL,Amount,name\n2024-01-01,ignored, ada@example.com ,1,Ada\n") == [ADA]


@pytest.mark.parametrize(
    ("delimiter", "amount"), [(";", "12,5"), (";", "12.5"), ("\t", "12,5"), ("|", "12,50"), (",", '"12.5"')]
)
def test_decimal_comma_is_read_where_another_character_separates(delimiter, amount):
    text = (HEADER + LINE).replace(",1,", ",AMOUNT,").replace(",", delimiter).replace("AMOUNT", amount)
    assert [row.amount for row in read(text)] == [Decimal("12.5")]


@pytest.mark.parametrize("amount", ["1.234,50", "1,234.50", "1,2,3", "1,234", ",5", "12,"])
def test_amount_that_could_be_read_in_two_ways_is_refused_as_it_stands(amount):
    text = f"name;email;amount;joined\nAda;ada@example.com;{amount};2024-01-01\n"
    assert find_reasons(text) == [(2, f"amount '{amount}' is not a number with up to 10 digits and 2 decimals")]


def test_comma_in_quotes_where_commas_separate_is_no_decimal_comma():
    reason = "amount '12,5' is not a number with up to 10 digits and 2 decimals"
    assert find_reasons(HEADER + 'Ada,ada@example.com,"12,5",2024-01-01\n') == [(2, reason)]


def test_row_is_named_by_its_first_line_whatever_lines_are_blank_or_inside_quotes():
    text = (
        "note,"
        + HEADER
        + "\n"
        + '"two\nlines",Ada,ada@example.com,1,2024-01-01\n'
        + '"a\r\nb\rc",Bob,bad,1,2024-01-01\n'
    )
    assert find_reasons(text) == [(5, "email 'bad' is not an address")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_with_any_line_end(end):
    assert find_reasons((HEADER + LINE + "Bob,bad,1,2024-01-01\n" + LINE).replace("\n", end)) == [
        (3, "email 'bad' is not an address")
    ]


def test_line_ends_may_be_mixed():
    text = HEADER.replace("\n", "\r\n") + LINE.replace("\n", "\r") + LINE + "\r\n\r" + "Bob,bad,1,2024-01-01"
    assert read(text)[:2] == [ADA, ADA]
    assert find_reasons(text) == [(6, "email 'bad' is not an address")]


def test_row_cut_short_lacks_what_it_lacks():
    assert find_reasons(HEADER + "Ada,ada@example.com\n") == [(2, "amount is missing")]


def test_row_cut_short_behind_the_last_column_is_imported():
    assert read("name,email,amount,joined,note\n" + LINE) == [ADA]


def test_row_with_more_values_than_the_header_has_names_is_refused():
    """The comma of `12,50` without quotes, where the amount comes last, else makes a wrong amount."""
    text = "name,email,joined,amount\nAda,ada@example.com,2024-01-01,12,50\n"
    assert find_reasons(text) == [(2, "the row has 5 values, but the header only 4 names")]


def test_empty_values_beyond_the_header_count_nowhere():
    assert read(HEADER.replace("\n", ",,\n") + LINE.replace("\n", ",, ,,\n")) == [ADA]


@pytest.mark.parametrize("blank", ["", ",,,", " , ,\t,", '"",,,', ",,,,,,"])
def test_row_without_any_value_is_neither_counted_nor_refused(blank):
    text = f"{blank}\n{HEADER}{blank}\n{LINE}{blank}\n{blank}\n"
    assert (count_rows(make_table(text)), read(text)) == (1, [ADA])


def test_row_with_a_value_in_another_column_only_is_refused():
    assert find_reasons("name,email,amount,joined,note\n,,,,called\n") == [(2, "name is missing")]


def test_count_includes_bad_rows():
    assert count_rows(make_table(HEADER + LINE + "\n\r\n" + LINE + "bad\n")) == 3


@pytest.mark.parametrize("text", [HEADER, HEADER.strip(), HEADER + "\n,,,\n"])
def test_header_without_a_row_is_refused(text):
    with pytest.raises(InvalidFile, match=r"^The file has a header, but no rows below it\.$"):
        count_rows(make_table(text))


def test_apostrophe_by_which_a_cell_is_no_formula_is_left_out():
    text = HEADER + "'=Ada,ada@example.com,'-1.5,2024-01-01\n" + "'Ada,ada@example.com,'+2,2024-01-01\n"
    rows = read(text)
    assert [(row.name, row.amount) for row in rows] == [("=Ada", Decimal("-1.5")), ("'Ada", Decimal(2))]


def test_samples_are_the_same_for_the_same_seed():
    assert list(samples.make_samples(500, 1)) == list(samples.make_samples(500, 1))


def test_samples_differ_between_seeds():
    assert list(samples.make_samples(500, 1)) != list(samples.make_samples(500, 2))


def test_import_skips_exactly_the_samples_made_bad():
    made = list(samples.make_samples(20_000, 3))
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([samples.HEADER, *(sample.values for sample in made)])
    assert [isinstance(row, BadRow) for row in read(buffer.getvalue())] == [sample.is_bad for sample in made]


def test_about_one_sample_in_a_hundred_is_bad():
    assert 150 < sum(sample.is_bad for sample in samples.make_samples(20_000, 4)) < 250


@pytest.mark.parametrize("spoil", samples.SPOILERS)
def test_every_kind_of_spoilt_sample_is_refused(spoil):
    good = ["Ada Lovelace", "ada@example.com", "12.50", "2024-01-01", "a note"]
    values = spoil(good)
    with pytest.raises(ValueError, match=r"^(name|email|amount|joined) "):
        parse_row(*[value.strip() for value in (values + [""] * 4)[:4]])
