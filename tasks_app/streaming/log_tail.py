"""The log of a task for a caller that polls; for streams, the hub reads it."""

import time
from collections.abc import Sequence

from ..conf import get_settings
from ..snapshot import Snapshot
from ..store import get_store
from .log import Log
from .log_reader import decode_page


class LogTail:
    """The lines of a task's log, each once."""

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        self._log = Log(task_id, limit=get_settings().LOG_LINES)
        self._cursor = 0

    def has_all(self, snapshot: Snapshot) -> bool:
        """Return whether all lines that a snapshot counts were read, or given up."""
        return self._log.end == snapshot.logged

    def read(self, snapshot: Snapshot) -> Sequence[bytes]:
        """Return the lines, as JSON objects, up to those that a snapshot counts.

        Lines that a snapshot counts may be visible only later; the next calls return them.

        Raises:
            Exception: raised by the cache.
        """
        logged = snapshot.logged
        if logged < self._cursor:  # the store was emptied and the task restarted
            self._cursor = 0
        slots = self._log.find_slots(logged)
        texts = get_store().read_pages((self._task_id, slot) for slot in slots)
        pages = {slot: decode_page(task_id, text) for (task_id, slot), text in texts.items()}
        known = {slot: page for slot, page in pages.items() if page is not None}
        self._log.take_in(logged, known, monotonic=time.monotonic())
        return self._take()

    def _take(self) -> list[bytes]:
        lines: list[bytes] = []
        while self._cursor < self._log.end and (page := self._log.find_from(self._cursor)) is not None:
            lines += page.lines
            self._cursor = page.end
        return lines
