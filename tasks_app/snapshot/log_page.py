"""The pages in which the lines of a log are stored. Pure.

Each line has an offset, and these grow; not every number occurs. A page holds what has one of PAGE_LINES successive
offsets, and only the last one is ever rewritten. Pages are stored in a ring with room for LOG_LINES lines, so a task
that logs for days takes no more.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from ..utils.json import encode_json

#: Lines of a page, and characters of a line: however these are escaped, a page stays below memcached's 1 MB.
PAGE_LINES = 50
MAX_LINE_LENGTH = 1000
MAX_LEVEL_LENGTH = 20


class LogPage(NamedTuple):
    """A part of a log: the offset of its first line, and its lines as JSON."""

    offset: int
    lines: Sequence[bytes]

    @property
    def end(self) -> int:
        """The offset after the last line."""
        return self.offset + len(self.lines)


def parse_page(text: str) -> LogPage:
    """Return the page that was stored as `text`.

    Raises:
        ValueError: the text is not that of a page.
    """
    try:
        data = json.loads(text)
        lines = [encode_json({name: str(line[name]) for name in ("t", "level", "text")}) for line in data["lines"]]
        return LogPage(int(data["offset"]), [line.encode() for line in lines])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a stored page of a log: {str(text)[:80]!r}") from error


def count_pages(logged: int) -> int:
    """Return how many pages there are, when so many offsets are taken."""
    return -(-logged // PAGE_LINES)


def get_slot(number: int, *, limit: int) -> int:
    """Return where the `number`th page is stored: with the last one, which may be short, there are `limit` lines."""
    return number % (count_pages(limit) + 1)
