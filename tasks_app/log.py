"""The lines that a task logs: page by page as they are stored, and event by event as viewers get them. Pure.

Each line has an offset, and these grow; not every number occurs. A page holds what has one of PAGE_LINES successive
offsets, and only the last one is ever rewritten. Pages are stored in a ring with room for LOG_LINES lines, so a task
that logs for days takes no more.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from . import sse
from .utils.clock import format_time
from .utils.json import encode_json

#: Lines of a page, and characters of a line: however these are escaped, a page stays below memcached's 1 MB.
PAGE_LINES = 50
MAX_LINE_LENGTH = 1000
MAX_LEVEL_LENGTH = 20

#: An event with this much in it takes in no more lines.
EVENT_BYTES = 32768

#: Events that are kept for other viewers of the same lines.
MAX_SHARED = 32

#: Seconds after which a page that was not found is given up: a reader may be faster than the writer's other server.
PATIENCE = 1.0


def check_level(level: str) -> str:
    """Return a level as viewers see it.

    Raises:
        TypeError, ValueError: it is not a text, or an empty one.
    """
    if not isinstance(level, str):
        raise TypeError(f"level must be a text such as 'info' or 'error', not {level!r}")
    if not level:
        raise ValueError("level must be a text such as 'info' or 'error', not ''")
    return level.lower()[:MAX_LEVEL_LENGTH]


class Journal:
    """The write side: what a task has logged, until it is stored.

    Args:
        logged: the offset after the last line of earlier attempts, whose pages are left alone.
        limit: how many lines are kept, here while the store is away as well as there.
    """

    def __init__(self, logged: int, *, limit: int) -> None:
        #: The pages to write, by their slot; `absorb` alone adds some.
        self.pages: dict[int, str] = {}
        self._limit = limit
        self._waiting: deque[str] = deque(maxlen=limit)
        self._lines: list[str] = []
        self.follow(logged)

    def follow(self, logged: int) -> None:
        """Leave the lines before this offset alone, of which nothing was known; before the first call of `absorb`."""
        self._logged = logged
        self._start = count_pages(logged) * PAGE_LINES

    def append(self, text: str, level: str, *, now: datetime) -> None:
        """Log each line of `text`; in any thread, and without a lock."""
        head = f'{{"t":{encode_json(format_time(now))},"level":{encode_json(level)},"text":'
        for line in (text.splitlines() or [""])[-self._limit :]:
            self._waiting.append(f"{head}{encode_json(_shorten(line))}}}")

    def absorb(self) -> int:
        """Put what waits into pages; return the offset after the last line."""
        if not self._waiting:
            return self._logged
        for _ in range(len(self._waiting)):  # what comes meanwhile has its turn later
            if len(self._lines) == PAGE_LINES:
                self._start, self._lines = self._start + PAGE_LINES, []
            self._lines.append(self._waiting.popleft())
            if len(self._lines) == PAGE_LINES:
                self._encode_page()
        self._encode_page()
        self._logged = self._start + len(self._lines)
        return self._logged

    def _encode_page(self) -> None:
        slot = get_slot(self._start // PAGE_LINES, limit=self._limit)
        self.pages[slot] = f'{{"offset":{self._start},"lines":[{",".join(self._lines)}]}}'


class Page(NamedTuple):
    """A part of a log: the offset of its first line, and its lines as JSON."""

    offset: int
    lines: Sequence[bytes]

    @property
    def end(self) -> int:
        """The offset after the last line."""
        return self.offset + len(self.lines)


def parse_page(text: str) -> Page:
    """Return the page that was stored as `text`.

    Raises:
        ValueError: the text is not that of a page.
    """
    try:
        data = json.loads(text)
        lines = [encode_json({name: str(line[name]) for name in ("t", "level", "text")}) for line in data["lines"]]
        return Page(int(data["offset"]), [line.encode() for line in lines])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a stored page of a log: {str(text)[:80]!r}") from error


class Log:
    """The read side: the lines of a task that are kept, as long as someone looks at them.

    Args:
        limit: how many lines are kept.
    """

    def __init__(self, task_id: str, *, limit: int) -> None:
        #: The offset up to which everything was read.
        self.end = 0
        self._task_id = task_id
        self._limit = limit
        self._floor = 0
        self._pages: dict[int, Page] = {}
        self._shared: dict[int, tuple[bytes, int]] = {}
        self._short_since: float | None = None

    def find_slots(self, logged: int) -> list[int]:
        """Return where the pages are that must be read to know everything before the offset `logged`."""
        return [get_slot(number, limit=self._limit) for number in self._find_numbers(logged)]

    def take_in(self, logged: int, pages: Mapping[int, Page], *, monotonic: float) -> bool:
        """Take in the pages that were read, by their slots; is there anything new, or nothing left to wait for?

        Lines from `logged` on are left out: their number is not settled before a snapshot that counts them is stored.
        A last page that is missing, or short, is waited for during PATIENCE.
        """
        before = self.end
        if logged < before:  # the store was emptied, and the task begun anew
            self._pages.clear()
            self.end = 0
        found = self._floor = max(logged - self._limit, 0)
        for number in self._find_numbers(logged):
            page = pages.get(get_slot(number, limit=self._limit))
            if page is not None and page.lines and page.offset == number * PAGE_LINES:
                self._pages[number] = Page(page.offset, page.lines[: logged - page.offset])
                found = self._pages[number].end
        self._pages = {number: page for number, page in self._pages.items() if page.end > self._floor}
        self._shared.clear()
        self.end = logged if found == logged or self._is_out_of_patience(monotonic) else max(self.end, found)
        if self.end == logged:
            self._short_since = None
        return self.end != before

    def encode_from(self, cursor: int) -> tuple[bytes, int] | None:
        """Return an event without its id, with lines from the offset `cursor` on, and the offset after them.

        What is not kept any more is skipped. None: there is no such line.
        """
        if cursor >= self.end:
            return None
        if (event := self._shared.get(cursor)) is None and (event := self._encode(cursor)) is not None:
            if len(self._shared) >= MAX_SHARED:
                self._shared.clear()
            self._shared[cursor] = event
        return event

    def _encode(self, cursor: int) -> tuple[bytes, int] | None:
        cursor = max(cursor, self._floor)
        for page in self._pages.values():
            if cursor < page.end:
                offset = max(cursor, page.offset)
                lines = list(_take_bytes(page.lines[offset - page.offset :]))
                return sse.encode_log(self._task_id, offset, lines), offset + len(lines)
        return None

    def _find_numbers(self, logged: int) -> range:
        start = max(self.end if self.end <= logged else 0, logged - self._limit)
        return range(start // PAGE_LINES, count_pages(logged))

    def _is_out_of_patience(self, monotonic: float) -> bool:
        if self._short_since is None:
            self._short_since = monotonic
        return monotonic - self._short_since >= PATIENCE


def count_pages(logged: int) -> int:
    """Return how many pages there are, when so many offsets are taken."""
    return -(-logged // PAGE_LINES)


def get_slot(number: int, *, limit: int) -> int:
    """Return where the `number`th page is stored: with the last one, which may be short, there are `limit` lines."""
    return number % (count_pages(limit) + 1)


def _take_bytes(lines: Sequence[bytes]) -> Iterator[bytes]:
    size = 0
    for line in lines:
        yield line
        size += len(line)
        if size >= EVENT_BYTES:
            return


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_LINE_LENGTH else f"{text[: MAX_LINE_LENGTH - 1]}…"
