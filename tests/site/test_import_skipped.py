"""The file of the rows that an import skips: its cells, its limit, and when it is deleted."""

import csv
import io
import os
import time
from pathlib import Path

import pytest

from progress_site import skipped
from progress_site.formulas import quote_formula, unquote_formula
from progress_site.rows import COLUMNS, BadRow, read_rows
from progress_site.skipped import SkippedRows
from progress_site.table import Table

HEADER = "Name,Email,Amount,Joined\n"
BAD = "Bob,bad,-1.50,2024-01-01\n"


@pytest.fixture
def folder(settings, tmp_path: Path) -> Path:
    """Where the files are stored."""
    settings.MEDIA_ROOT = tmp_path
    settings.FILE_UPLOAD_PERMISSIONS = 0o600
    settings.IMPORT_MAX_BYTES = 1_000_000
    settings.TASKS_APP = {"RETENTION": 60}
    return tmp_path / "skipped"


def make_table(text: str) -> Table:
    return Table(io.StringIO(text, newline=""), COLUMNS)


def skip(text: str, task_id: str = "a") -> dict[str, int]:
    """Skip each row of a file, store them, and return what is said of them."""
    table = make_table(text)
    with SkippedRows(table) as rows:
        for row in read_rows(table):
            assert isinstance(row, BadRow)
            rows.add(row)
        rows.store(task_id)
    return rows.to_json()


def read_stored(task_id: str = "a") -> str:
    with skipped.open_stored(task_id) as file:
        return file.read().decode()


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", '="quoted"', "-"]
)
def test_cell_that_may_be_a_formula_is_quoted_and_read_as_it_was(text):
    assert quote_formula(text) == f"'{text}"
    assert unquote_formula(f"'{text}") == text


@pytest.mark.parametrize("text", ["", "Ada", "1+1", "'tis", "''=1", "'", "a\t=1", "(-1)"])
def test_cell_that_is_no_formula_stays_as_it_is(text):
    assert (quote_formula(text), unquote_formula(text)) == (text, text)


def test_rows_are_stored_with_line_and_reason_before_their_own_values(folder):
    skip(HEADER + "\n" + BAD + "=cmd|' /C calc'!A0,@b,1,2024-01-01\n")
    assert read_stored() == (
        '\ufeff"Line","Error","Name","Email","Amount","Joined"\r\n'
        '"3","email \'bad\' is not an address","Bob","bad","\'-1.50","2024-01-01"\r\n'
        '"4","email \'@b\' is not an address","\'=cmd|\' /C calc\'!A0","\'@b","1","2024-01-01"\r\n'
    )


def test_name_of_a_column_may_be_a_formula_too(folder):
    skip(HEADER.replace("\n", ",=1+1\n") + BAD)
    assert read_stored().splitlines()[0].endswith('"Joined","\'=1+1"')


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_file_has_the_separator_of_the_one_that_was_sent(folder, delimiter):
    skip((HEADER + BAD).replace(",", delimiter))
    assert read_stored().splitlines()[0] == delimiter.join(
        ['\ufeff"Line"', '"Error"', '"Name"', '"Email"', '"Amount"', '"Joined"']
    )


def test_corrected_file_can_be_sent_again(folder):
    skip(HEADER + BAD.replace("Bob", "=Bob"))
    table = make_table(read_stored().removeprefix("\ufeff").replace('"bad"', '"bob@example.com"'))
    rows = [(row.name, row.email, str(row.amount)) for row in read_rows(table)]
    assert rows == [("=Bob", "bob@example.com", "-1.50")]


def test_rows_that_are_skipped_again_have_one_line_number_and_one_reason(folder):
    skip(HEADER + BAD)
    skip(read_stored().removeprefix("\ufeff").replace('"bad"', '"worse"'))
    lines = list(csv.reader(io.StringIO(read_stored().removeprefix("\ufeff"))))
    assert lines == [
        ["Line", "Error", "Name", "Email", "Amount", "Joined"],
        ["2", "email 'worse' is not an address", "Bob", "worse", "'-1.50", "2024-01-01"],
    ]


def test_row_keeps_values_beyond_the_header(folder):
    skip(HEADER + "Ada,ada@example.com,12,50,2024-01-01\n")
    assert read_stored().splitlines()[1].endswith('"Ada","ada@example.com","12","50","2024-01-01"')


def test_file_that_could_not_be_sent_again_is_cut_after_a_whole_row(folder, settings):
    settings.IMPORT_MAX_BYTES = 500
    outcome = skip(HEADER + BAD * 100)
    content = read_stored()
    assert len(content.encode()) <= 500
    assert (outcome["skipped"], outcome["kept"]) == (100, len(content.splitlines()) - 1)
    assert content.endswith('"2024-01-01"\r\n')


def test_reasons_of_thousand_rows_are_kept_and_all_are_counted(folder):
    outcome = skip(HEADER + BAD * 1_500)
    assert (outcome["skipped"], outcome["kept"], len(outcome["errors"])) == (1_500, 1_500, 1_000)


def test_file_may_be_read_by_its_owner_alone(folder):
    skip(HEADER + BAD)
    assert [oct(path.stat().st_mode & 0o777) for path in folder.iterdir()] == ["0o600"]


def test_import_that_skips_nothing_has_no_file(folder):
    skip(HEADER)
    with pytest.raises(FileNotFoundError):
        read_stored()


def test_file_of_a_second_attempt_replaces_that_of_the_first(folder):
    skip(HEADER + BAD)
    skip(HEADER + BAD.replace("bad", "worse"))
    assert "worse" in read_stored()
    assert [path.name for path in folder.iterdir()] == ["a.csv"]


def test_second_attempt_that_skips_nothing_leaves_no_file_of_the_first(folder):
    skip(HEADER + BAD)
    skip(HEADER)
    assert list(folder.iterdir()) == []


def test_nothing_is_stored_outside_a_task(folder):
    assert skip(HEADER + BAD, task_id="")["kept"] == 1
    assert not folder.exists()


def test_file_is_deleted_when_nothing_else_is_known_of_its_import(folder):
    for age, task_id in [(70, "old"), (50, "young")]:
        skip(HEADER + BAD, task_id=task_id)
        modified = time.time() - age
        os.utime(folder / f"{task_id}.csv", (modified, modified))
    skip(HEADER, task_id="other")
    assert [path.name for path in folder.iterdir()] == ["young.csv"]
