"""The log lines of a job until they are stored. Pure."""

import threading
from collections import deque
from datetime import datetime

from ..exceptions import describe
from ..snapshot import MAX_LEVEL_LENGTH, MAX_LINE_LENGTH, PAGE_LINES, count_page_bytes, count_pages, get_slot
from ..utils.clock import format_time
from ..utils.json import encode_json

#: Seconds for which each line is kept at least, so that viewers can read it: a job that logs faster is held back.
KEPT_SECONDS = 2.0

#: The most bytes of a character as JSON, and of a line without its text.
CHARACTER_BYTES, HEAD_BYTES = 12, 350


def check_level(level: str) -> str:
    """Return `level` as viewers see it: in lower case, with at most MAX_LEVEL_LENGTH characters.

    Raises:
        TypeError, ValueError: `level` is not a string, or is empty.
    """
    if not isinstance(level, str):
        raise TypeError(f"level must be a text such as 'info' or 'error', not {describe(level)}")
    if not level:
        raise ValueError("level must be a text such as 'info' or 'error', not ''")
    return level.lower()[:MAX_LEVEL_LENGTH]


class Journal:
    """The log lines of a task until they are stored.

    Args:
        logged: the offset after the last line of earlier attempts, whose pages are not rewritten.
        limit: the lines kept, both in the store and here while they wait.
        max_bytes: the bytes of them.
    """

    def __init__(self, logged: int, *, limit: int, max_bytes: int) -> None:
        #: The pages to write, by slot; only `absorb` adds pages.
        self.pages: dict[int, str] = {}
        self._limit = limit
        self._page_bytes = count_page_bytes(limit=limit, max_bytes=max_bytes)
        self._waiting = _Waiting(limit, self._page_bytes)
        self._allowance = _Allowance(limit, max_bytes)
        self._lines: list[str] = []
        self._size = 0
        self._has_news = False
        self.follow(logged)

    @property
    def holds_back(self) -> bool:
        """Whether lines wait, perhaps since the job logs faster than viewers can read."""
        return bool(self._waiting.lines)

    def follow(self, logged: int) -> None:
        """Continue after the offset `logged`, learned from the store; call it only before the first `absorb`."""
        self._logged = logged
        self._start = count_pages(logged) * PAGE_LINES

    def append(self, text: str, level: str, *, now: datetime) -> None:
        """Add each line of `text`; thread-safe, and never waits."""
        head = _encode_head(level, now)
        lines = text.splitlines() or [""]
        self._waiting.note_dropped(len(lines) - self._limit, now)
        for line in lines[-self._limit :]:
            self._waiting.add(self._encode(head, line), now)

    def absorb(self, *, monotonic: float | None = None) -> int:
        """Move waiting lines into pages, and return the offset after the last line.

        Args:
            monotonic: the time in seconds, by which a job that logs without pause is held back; None: move them all.
        """
        lines = self._waiting.take() if monotonic is None else self._allowance.take(self._waiting, monotonic)
        for line in lines:
            self._add(line)
        if lines:
            self._encode_page()
            self._logged = self._start + len(self._lines)
        return self._logged

    def _encode(self, head: str, text: str) -> str:
        line = f"{head}{encode_json(_shorten(text, MAX_LINE_LENGTH))}}}"
        if len(line) <= self._page_bytes:
            return line
        return f"{head}{encode_json(_shorten(text, (self._page_bytes - HEAD_BYTES) // CHARACTER_BYTES))}}}"

    def _add(self, line: str) -> None:
        if len(self._lines) == PAGE_LINES or (self._lines and self._size + len(line) > self._page_bytes):
            self._encode_page()
            self._start, self._lines, self._size = self._start + PAGE_LINES, [], 0
        self._lines.append(line)
        self._size += len(line) + 1
        self._has_news = True

    def _encode_page(self) -> None:
        if not self._has_news:
            return
        self._has_news = False
        slot = get_slot(self._start // PAGE_LINES, limit=self._limit)
        self.pages[slot] = f'{{"offset":{self._start},"lines":[{",".join(self._lines)}]}}'


class _Waiting:
    """The latest lines that are not in a page yet, and how many before them had to be dropped.

    The lock is held for microseconds, and never while anything is encoded, so that the job does not wait. A signal
    handler of the job may also log.
    """

    def __init__(self, limit: int, page_bytes: int) -> None:
        self.lines: deque[str] = deque()
        self._limit = max(limit - 1, 1)  # with the line that tells of those that were dropped
        self._pages, self._page_bytes = count_pages(limit), page_bytes
        self._size = self._longest = self._room = self._dropped = 0
        self._dropped_at: datetime | None = None
        self._lock = threading.RLock()

    def add(self, line: str, now: datetime) -> None:
        with self._lock:
            lines, size = self.lines, len(line)
            lines.append(line)
            self._size += size
            if size > self._longest:
                self._find_room(size)
            while (len(lines) > self._limit or self._size > self._room) and len(lines) > 1:
                self._size -= len(lines.popleft())
                self._dropped += 1
                self._dropped_at = now

    def _find_room(self, longest: int) -> None:
        """Find how many bytes the pages take in any case: at its end, each may have too little for the next line."""
        self._longest = longest
        self._room = self._pages * max(self._page_bytes - longest, self._page_bytes // 2)

    def note_dropped(self, number: int, now: datetime) -> None:
        """Note that lines were dropped, if `number` is above 0."""
        if number > 0:
            with self._lock:
                self._dropped += number
                self._dropped_at = now

    def take(self, number: int | None = None, size: float = 0) -> list[str]:
        """Return the next lines: all of them, or at most `number` until they have `size` bytes."""
        with self._lock:
            taken = self._tell_dropped()
            if number is None:
                taken += self.lines
                self.lines.clear()
            else:
                while self.lines and len(taken) < number and size > 0:
                    taken.append(self.lines.popleft())
                    size -= len(taken[-1])
            sizes = list(map(len, self.lines))
            self._size = sum(sizes)
            self._find_room(max(sizes, default=0))
        return taken

    def _tell_dropped(self) -> list[str]:
        if self._dropped_at is None:
            return []
        text = f"Dropped lines: {self._dropped} (this task logs faster than viewers can read)"
        line = f"{_encode_head('warning', self._dropped_at)}{encode_json(text)}}}"
        self._dropped, self._dropped_at = 0, None
        return [line]


class _Allowance:
    """The allowance of a log: as much as is kept at once, then in KEPT_SECONDS as much again."""

    def __init__(self, limit: int, max_bytes: int) -> None:
        self._limit, self._max_bytes = limit, max_bytes
        self._lines: float = limit
        self._size: float = max_bytes
        self._grown_at: float | None = None

    def take(self, waiting: _Waiting, monotonic: float) -> list[str]:
        """Return those of the waiting lines that may be stored now."""
        passed = 0.0 if self._grown_at is None else (monotonic - self._grown_at) / KEPT_SECONDS
        self._grown_at = monotonic
        self._lines = min(self._lines + passed * self._limit, self._limit)
        self._size = min(self._size + passed * self._max_bytes, self._max_bytes)
        if not waiting.lines or self._lines < 1 or self._size <= 0:
            return []
        taken = waiting.take(int(self._lines), self._size)
        self._lines -= len(taken)
        self._size -= sum(map(len, taken))
        return taken


def _encode_head(level: str, now: datetime) -> str:
    return f'{{"t":{encode_json(format_time(now))},"level":{encode_json(level)},"text":'


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
