"""Uploaded files as text: their encoding, or what they are instead. Pure."""

import codecs
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, TextIO

#: The encodings that a person may name for a file that is not Unicode: the name → Python's.
FALLBACKS: Mapping[str, str] = {"windows-1252": "cp1252"}

#: The bytes that are read at once; what a file is shows in the first ones.
CHUNK_BYTES = 64 * 1024


class InvalidFile(Exception):
    """A file that can't be imported as a whole; the message is for its sender."""


@contextmanager
def open_text(file: BinaryIO, *, fallback: str = "") -> Iterator[TextIO]:
    """Open a file as text whose line ends are as they are; the file itself stays open.

    Args:
        file: is read from its beginning, once to its end.
        fallback: a key of FALLBACKS, for a file that is not Unicode; "" for none.

    Raises:
        InvalidFile: the file is not text, or not in any of these encodings.
    """
    encoding = _find_encoding(file, fallback)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield text
    finally:
        text.detach()


def _find_encoding(file: BinaryIO, fallback: str) -> str:
    encodings = _list_encodings(_read_head(file), fallback)
    for encoding in encodings:
        line = _find_bad_line(file, encoding)
        if line is None:
            return encoding
    raise InvalidFile(f"Line {line:,} is not {_NAMES[encoding]}.{_OFFER if encodings == ['utf-8'] else ''}")


def _read_head(file: BinaryIO) -> bytes:
    """Return the beginning of a file.

    Raises:
        InvalidFile: it is that of something else than text.
    """
    file.seek(0)
    head = file.read(CHUNK_BYTES)
    for name, pattern in _CONVERTIBLE.items():
        if pattern.match(head):
            raise InvalidFile(f"The file is {name}, not CSV; save it as CSV UTF-8.")
    for name, pattern in _OTHERS.items():
        if pattern.match(head):
            raise InvalidFile(f"The file is {name}, not CSV.")
    return head


def _list_encodings(head: bytes, fallback: str) -> list[str]:
    """Return the encodings to try, in this order."""
    for pattern, encoding in _BEGINNINGS.items():
        if re.match(pattern, head):
            return [encoding]
    return ["utf-8", FALLBACKS[fallback]] if fallback else ["utf-8"]


def _find_bad_line(file: BinaryIO, encoding: str) -> int | None:
    """Return the number of the first line that is not in this encoding, or None."""
    file.seek(0)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(_MARKING), translate=True)
    line, chunk = 1, b"-"
    while chunk:
        chunk = file.read(CHUNK_BYTES)
        before, mark, _ = decoder.decode(chunk, final=not chunk).partition(_UNDECODABLE)
        line += before.count("\n")
        if mark:
            return line
    return None


#: What stands for bytes that can't be decoded; no decoder makes it of others.
_UNDECODABLE = "\udcff"

_MARKING = "progress_site.mark"
codecs.register_error(_MARKING, lambda error: (_UNDECODABLE, error.end))  # type: ignore[attr-defined]

#: How files of an encoding begin: with a byte order mark, or without it with four letters. The mark of UTF-32 begins
#: with that of UTF-16.
_BEGINNINGS: Mapping[bytes, str] = {
    rb"\xef\xbb\xbf": "utf-8-sig",
    rb"\xff\xfe\0\0|\0\0\xfe\xff": "utf-32",
    rb"\xff\xfe|\xfe\xff": "utf-16",
    rb"(?:[\t -~]\0){4}": "utf-16-le",
    rb"(?:\0[\t -~]){4}": "utf-16-be",
}

_OFFER = " If the file is Windows-1252, choose that; else save it as CSV UTF-8."

_NAMES: Mapping[str, str] = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-32": "UTF-32",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
}


def _compile(patterns: Mapping[str, bytes]) -> dict[str, "re.Pattern[bytes]"]:
    return {name: re.compile(pattern, re.DOTALL | re.IGNORECASE) for name, pattern in patterns.items()}


#: How files begin whose programs can save them as CSV.
_CONVERTIBLE = _compile(
    {
        "an Excel workbook (.xlsx)": rb"PK\x03\x04.*xl/[a-z_]",
        "an OpenDocument spreadsheet (.ods)": rb"PK\x03\x04.*opendocument\.spreadsheet",
        "an old Excel workbook (.xls)": rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    }
)

#: How other files begin that people send.
_OTHERS = _compile(
    {
        "a Word document (.docx)": rb"PK\x03\x04.*word/[a-z_]",
        "a ZIP archive": rb"PK(?:\x03\x04|\x05\x06)",
        "a gzip archive": rb"\x1f\x8b",
        "a PDF document": rb"%PDF-",
        "a PNG image": rb"\x89PNG\r\n",
        "a JPEG image": rb"\xff\xd8\xff",
        "a GIF image": rb"GIF8[79]a",
        "a WebP image": rb"RIFF....WEBP",
        "an SQLite database": rb"SQLite format 3\0",
        "a Parquet file": rb"PAR1[^\t -~]",
        "a rich text file (.rtf)": rb"\{\\rtf",
        "an HTML page": rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)",
        "an XML file": rb"(?:\xef\xbb\xbf)?\s*<\?xml",
        "a JSON file": rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])",
    }
)
