"""The lines of a task that viewers are sent. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from ..snapshot import PAGE_LINES, LogPage, count_pages, get_slot
from .frames import encode_log

#: An event with this much in it takes in no more lines.
EVENT_BYTES = 32768

#: Events that are kept for other viewers of the same lines.
MAX_SHARED = 32

#: Seconds after which a page that was not found is given up: a reader may be faster than the writer's other server.
PAGE_WAIT = 1.0


class Log:
    """The lines of a task that are kept, as long as someone looks at them.

    Args:
        limit: how many lines are kept.
    """

    def __init__(self, task_id: str, *, limit: int) -> None:
        #: The offset up to which everything was read.
        self.end = 0
        self._task_id = task_id
        self._limit = limit
        self._floor = 0
        self._pages: dict[int, LogPage] = {}
        self._shared: dict[int, tuple[bytes, int]] = {}
        self._short_since: float | None = None

    def find_slots(self, logged: int) -> list[int]:
        """Return where the pages are that must be read to know everything before the offset `logged`."""
        return [get_slot(number, limit=self._limit) for number in self._find_numbers(logged)]

    def take_in(self, logged: int, pages: Mapping[int, LogPage], *, monotonic: float) -> bool:
        """Take in the pages that were read, by their slots; is there anything new, or nothing left to wait for?

        Lines from `logged` on are left out: their number is not settled before a snapshot that counts them is stored.
        A last page that is missing, or short, is waited for during PAGE_WAIT.
        """
        before = self.end
        if logged < before:  # the store was emptied, and the task begun anew
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
                return encode_log(self._task_id, offset, lines), offset + len(lines)
        return None

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
