"""The log lines of a task, as viewers are sent them. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from ..snapshot import PAGE_LINES, LogPage, count_pages, get_slot
from .frames import encode_log

#: The number of bytes from which an event takes no more lines.
EVENT_BYTES = 32768

#: The most encoded events that are kept for other viewers of the same lines, and the most bytes of them.
MAX_SHARED, MAX_SHARED_BYTES = 32, 8 * EVENT_BYTES

#: Seconds to wait for a missing page: with several cache servers, the snapshot may be visible before its pages.
PAGE_WAIT = 1.0


class Log:
    """The latest log lines of a task, held in memory while it has log viewers.

    Args:
        limit: the number of lines that the store keeps.
    """

    def __init__(self, task_id: str, *, limit: int) -> None:
        #: The offset after the last line that was read.
        self.end = 0
        self._task_id = task_id
        self._limit = limit
        self._floor = 0
        self._pages: dict[int, LogPage] = {}
        self._shared: dict[int, tuple[bytes, int]] = {}
        self._short_since: float | None = None

    def find_slots(self, logged: int) -> list[int]:
        """Return the slots of the pages to read for all lines before the offset `logged`."""
        return [get_slot(number, limit=self._limit) for number in self._find_numbers(logged)]

    def take_in(self, logged: int, pages: Mapping[int, LogPage], *, monotonic: float) -> bool:
        """Take in pages that were read, up to the offset `logged`.

        Lines from `logged` on are left out: a line's offset is final only once a stored snapshot counts the line.
        A last page that is missing or short is waited for during PAGE_WAIT, then skipped.

        Args:
            logged: the offset after the last line that the snapshot counts.
            pages: the pages by slot.
            monotonic: the time, in seconds.

        Returns:
            Whether `end` has changed.
        """
        before = self.end
        if logged < before:  # the store was emptied and the task restarted
            self._pages.clear()
            self.end = 0
        found = self._floor = max(logged - self._limit, 0)
        for number in self._find_numbers(logged):
            page = pages.get(get_slot(number, limit=self._limit))
            if page is not None and page.lines and page.offset == number * PAGE_LINES:
                self._pages[number] = LogPage(page.offset, page.lines[: logged - page.offset])
                found = self._pages[number].end
        self._pages = {number: page for number, page in self._pages.items() if page.end > self._floor}
        self._shared.clear()
        self.end = logged if found == logged or self._has_waited_enough(monotonic) else max(self.end, found)
        if self.end == logged:
            self._short_since = None
        return self.end != before

    def encode_from(self, cursor: int) -> tuple[bytes, int] | None:
        """Encode lines from the offset `cursor` on, skipping those no longer kept.

        Returns:
            An event without its id, and the offset after its lines; None if there are no lines.
        """
        if cursor >= self.end:
            return None
        if (event := self._shared.get(cursor)) is None and (event := self._encode(cursor)) is not None:
            size = sum(len(frame) for frame, _ in self._shared.values())
            if len(self._shared) >= MAX_SHARED or size > MAX_SHARED_BYTES:
                self._shared.clear()
            self._shared[cursor] = event
        return event

    def find_from(self, cursor: int) -> LogPage | None:
        """Return lines from the offset `cursor` on, skipping those no longer kept; None if there are no lines."""
        cursor = max(cursor, self._floor)
        for page in self._pages.values():
            if cursor < page.end:
                offset = max(cursor, page.offset)
                return LogPage(offset, list(_take_bytes(page.lines[offset - page.offset :])))
        return None

    def _encode(self, cursor: int) -> tuple[bytes, int] | None:
        if (page := self.find_from(cursor)) is None:
            return None
        return encode_log(self._task_id, page.offset, page.lines), page.end

    def _find_numbers(self, logged: int) -> range:
        start = max(self.end if self.end <= logged else 0, logged - self._limit)
        return range(start // PAGE_LINES, count_pages(logged))

    def _has_waited_enough(self, monotonic: float) -> bool:
        if self._short_since is None:
            self._short_since = monotonic
        return monotonic - self._short_since >= PAGE_WAIT


def _take_bytes(lines: Sequence[bytes]) -> Iterator[bytes]:
    size = 0
    for line in lines:
        yield line
        size += len(line)
        if size >= EVENT_BYTES:
            return
