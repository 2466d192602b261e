"""Uploaded files as text: encodings, and what is no text at all."""

import codecs
import gzip
import io
import zipfile

import pytest

from progress_site.text_files import InvalidFile, open_text

TEXT = "name,email\r\nZoë,€ 5\n李,Ł\r"
WESTERN = "name,email\r\nZoë,€ 5\n"


def read(content: bytes, **options: str) -> str:
    with open_text(io.BytesIO(content), **options) as file:
        return file.read()


def refuse(content: bytes, **options: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(InvalidFile) as raised:
        read(content, **options)
    return str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
    ],
    ids=["UTF-8", "mark", "UTF-16 LE", "UTF-16 BE", "UTF-32 LE", "UTF-32 BE", "no mark, LE", "no mark, BE"],
)
def test_unicode_is_read_in_each_of_its_encodings(content):
    assert read(content) == TEXT


def test_file_can_be_read_again_from_its_beginning():
    with open_text(io.BytesIO(TEXT.encode("utf-16"))) as file:
        assert [file.readline(), file.seek(0), file.read()] == ["name,email\r\n", 0, TEXT]


def test_file_itself_stays_open():
    content = io.BytesIO(TEXT.encode())
    with open_text(content) as file:
        file.readline()
    assert not content.closed


@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_file_without_a_character_is_text(content):
    assert read(content) == ""


OFFER = "If the file is Windows-1252, choose that; else save it as CSV UTF-8."


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_that_is_not_utf8_is_named_and_another_encoding_offered(end):
    content = ("name,email\n" * 20_000 + "Zoë\n").replace("\n", end).encode("cp1252")
    assert refuse(content) == f"Line 20,001 is not UTF-8. {OFFER}"


def test_file_cut_inside_a_character_is_named_by_its_last_line():
    assert refuse("a\nb\n€".encode()[:-1]) == f"Line 3 is not UTF-8. {OFFER}"


def test_windows_1252_is_read_where_it_was_chosen():
    assert read(WESTERN.encode("cp1252"), fallback="windows-1252") == WESTERN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_as_such_also_where_windows_1252_was_chosen(encoding):
    assert read(WESTERN.encode(encoding), fallback="windows-1252") == WESTERN


def test_line_that_is_not_even_windows_1252_is_named():
    assert refuse(b"a\nb\x81\n", fallback="windows-1252") == "Line 2 is not Windows-1252."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (codecs.BOM_UTF8 + b"a\n\xff", "Line 2 is not UTF-8."),
        (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"\x00\xd8\n\0", "Line 2 is not UTF-16."),
        (codecs.BOM_UTF16_LE + b"a\0b", "Line 1 is not UTF-16."),
    ],
)
def test_damaged_line_of_a_file_with_a_byte_order_mark_is_named(content, reason):
    assert refuse(content, fallback="windows-1252") == reason


def name_case(value: bytes | str) -> str:
    """Return the id of a case: archives have the time in them."""
    return value if isinstance(value, str) else "content"


def make_archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "content " * 100)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (make_archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Excel workbook (.xls)"),
        (
            b"PK\x03\x04\x14\0\0\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
            "an OpenDocument spreadsheet (.ods)",
        ),
    ],
    ids=name_case,
)
def test_spreadsheet_is_named_with_what_to_do(content, name):
    assert refuse(content) == f"The file is {name}, not CSV; save it as CSV UTF-8."


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (make_archive("[Content_Types].xml", "word/document.xml"), "a Word document (.docx)"),
        (make_archive("customers.csv"), "a ZIP archive"),
        (make_archive(), "a ZIP archive"),
        (gzip.compress(TEXT.encode()), "a gzip archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"GIF89a\1\0", "a GIF image"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP image"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"{\\rtf1\\ansi}", "a rich text file (.rtf)"),
        (b"\n<!DOCTYPE html>\n", "an HTML page"),
        (b"\xef\xbb\xbf<html>", "an HTML page"),
        (b'<?xml version="1.0"?>', "an XML file"),
        (b'[\n  {"name": "Ada"}]', "a JSON file"),
        (b'{"name": "Ada"}', "a JSON file"),
    ],
    ids=name_case,
)
def test_file_that_is_no_csv_is_refused_by_its_name(content, name):
    assert refuse(content) == f"The file is {name}, not CSV."


@pytest.mark.parametrize("content", [b"PKW,email\n", b"xl/workbook\n", b"[x],{y}\n", b"Par1,Par2\n", b"name <html>\n"])
def test_text_that_only_resembles_another_file_is_read(content):
    assert read(content) == content.decode()
