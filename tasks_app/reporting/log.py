"""The lines that a job logs, until they are stored. Pure."""

from collections import deque
from datetime import datetime

from ..snapshot import MAX_LEVEL_LENGTH, MAX_LINE_LENGTH, PAGE_LINES, count_pages, get_slot
from ..utils.clock import format_time
from ..utils.json import encode_json


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
    """What a task has logged, until it is stored.

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


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_LINE_LENGTH else f"{text[: MAX_LINE_LENGTH - 1]}…"
