"""The pages in which the lines of a log are stored. Pure.

Each line has an offset. Offsets grow, but may skip numbers. A page holds the lines of PAGE_LINES successive offsets,
or fewer once it has its share of LOG_BYTES; only the last page is ever rewritten. Pages are stored in a ring with room
for LOG_LINES lines, so a task that logs for days takes no more space.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from ..utils.json import encode_json

#: Lines per page, characters per line and per level: escaped in any way, a page stays below memcached's 1 MB.
PAGE_LINES = 50
MAX_LINE_LENGTH = 1000
MAX_LEVEL_LENGTH = 20

#: The bytes that each page has for its lines in any case.
LEAST_PAGE_BYTES = 1024

#: The bytes of a page beside its lines.
_FRAME_BYTES = 40


class LogPage(NamedTuple):
    """A part of a log: the offset of its first line, and its lines as JSON objects."""

    offset: int
    lines: Sequence[bytes]

    @property
    def end(self) -> int:
        """The offset after the last line."""
        return self.offset + len(self.lines)


def parse_page(text: str) -> LogPage:
    """Return the page that was stored as `text`.

    Raises:
        ValueError: `text` is not a stored page.
    """
    try:
        data = json.loads(text)
        lines = [encode_json({name: str(line[name]) for name in ("t", "level", "text")}) for line in data["lines"]]
        return LogPage(int(data["offset"]), [line.encode() for line in lines])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a stored page of a log: {str(text)[:80]!r}") from error


def count_pages(logged: int) -> int:
    """Return the number of pages that hold the offsets below `logged`."""
    return -(-logged // PAGE_LINES)


def count_page_bytes(*, limit: int, max_bytes: int) -> int:
    """Return how many bytes of lines a page takes, so that all pages of a log have at most `max_bytes`."""
    return max(max_bytes // (count_pages(limit) + 1) - _FRAME_BYTES, LEAST_PAGE_BYTES)


def get_slot(number: int, *, limit: int) -> int:
    """Return the slot of page `number` in the ring, which has one page more than `limit` lines need.

    The last page may be short; with the extra one, `limit` lines are kept all the same.
    """
    return number % (count_pages(limit) + 1)
