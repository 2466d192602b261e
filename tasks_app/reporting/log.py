"""The log lines of a job until they are stored. Pure."""

from collections import deque
from datetime import datetime

from ..snapshot import MAX_LEVEL_LENGTH, MAX_LINE_LENGTH, PAGE_LINES, count_pages, get_slot
from ..utils.clock import format_time
from ..utils.json import encode_json


def check_level(level: str) -> str:
    """Return `level` as viewers see it: in lower case, with at most MAX_LEVEL_LENGTH characters.

    Raises:
        TypeError, ValueError: `level` is not a string, or is empty.
    """
    if not isinstance(level, str):
        raise TypeError(f"level must be a text such as 'info' or 'error', not {level!r}")
    if not level:
        raise ValueError("level must be a text such as 'info' or 'error', not ''")
    return level.lower()[:MAX_LEVEL_LENGTH]


class Journal:
    """The log lines of a task until they are stored.

    Args:
        logged: the offset after the last line of earlier attempts, whose pages are not rewritten.
        limit: the lines kept, both in the store and here while the store is unavailable.
    """

    def __init__(self, logged: int, *, limit: int) -> None:
        #: The pages to write, by slot; only `absorb` adds pages.
        self.pages: dict[int, str] = {}
        self._limit = limit
        self._waiting: deque[str] = deque(maxlen=limit)
        self._lines: list[str] = []
        self.follow(logged)

    def follow(self, logged: int) -> None:
        """Continue after the offset `logged`, learned from the store; call it only before the first `absorb`."""
        self._logged = logged
        self._start = count_pages(logged) * PAGE_LINES

    def append(self, text: str, level: str, *, now: datetime) -> None:
        """Add each line of `text`; thread-safe without a lock."""
        head = f'{{"t":{encode_json(format_time(now))},"level":{encode_json(level)},"text":'
        for line in (text.splitlines() or [""])[-self._limit :]:
            self._waiting.append(f"{head}{encode_json(_shorten(line))}}}")

    def absorb(self) -> int:
        """Move the waiting lines into pages, and return the offset after the last line."""
        if not self._waiting:
            return self._logged
        for _ in range(len(self._waiting)):  # lines that are added meanwhile wait for the next call
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
