"""The reader of the logs that have viewers in one event loop."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from ..conf import get_settings
from ..snapshot import LogPage, parse_page
from ..store import get_store
from ..utils.turns import take_turns
from .log import Log
from .watch import Viewer, Watch, notify_each

logger = logging.getLogger("tasks_app")

#: The most pages read in one round trip, unless one task needs more; only late viewers need that many.
BATCH = 50


class Behind(NamedTuple):
    """A watch whose `log` does not end at `logged`, the offset after the last line that its snapshot counts."""

    watch: Watch
    log: Log
    logged: int


class LogReader:
    """The watches with log viewers; reads their logs in batches, and no others.

    The hub calls `read` after it has read the snapshots, which count the lines of each log.
    """

    def __init__(self) -> None:
        self._watches: dict[Watch, None] = {}

    @property
    def followed(self) -> Set[str]:
        """The ids of the tasks whose logs are read."""
        return {watch.task_id for watch in list(self._watches)}

    def follow(self, viewer: Viewer, watch: Watch) -> None:
        """Read the log of a task from now on, and notify `viewer` of new lines."""
        if watch.log is None:
            watch.log = Log(watch.task_id, limit=get_settings().LOG_LINES)
            self._watches[watch] = None
        watch.log_viewers.add(viewer)

    def leave(self, viewer: Viewer, watch: Watch) -> None:
        """Stop notifying `viewer`, and drop the lines with the last log viewer."""
        watch.log_viewers.discard(viewer)
        if not watch.log_viewers:
            watch.log = None
            self._watches.pop(watch, None)

    async def read(self) -> None:
        """Read new lines, and notify the viewers of each log.

        Raises:
            Exception: raised by the cache.
        """
        for batch in _split(self._find_behind()):
            slots = [(watch.task_id, slot) for watch, log, logged in batch for slot in log.find_slots(logged)]
            pages = await _parse_pages(await get_store().aread_pages(slots))
            async for watch, log, logged in take_turns(batch):
                if log.take_in(logged, pages[watch.task_id], monotonic=time.monotonic()):
                    notify_each(list(watch.log_viewers), watch)
            await asyncio.sleep(0)  # a batch takes long enough that other coroutines need a turn

    def _find_behind(self) -> list[Behind]:
        return [
            Behind(watch, watch.log, watch.logged)
            for watch in self._watches
            if watch.log is not None and watch.log.end != watch.logged
        ]


def _split(behind: Iterable[Behind]) -> Iterator[list[Behind]]:
    """Yield batches of up to BATCH pages; a task with more is a batch of its own."""
    batch: list[Behind] = []
    size = 0
    for item in behind:
        pages = len(item.log.find_slots(item.logged))
        if batch and size + pages > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += pages
    if batch:
        yield batch


async def _parse_pages(texts: Mapping[tuple[str, int], str]) -> Mapping[str, dict[int, LogPage]]:
    pages: defaultdict[str, dict[int, LogPage]] = defaultdict(dict)
    async for (task_id, slot), text in take_turns(texts.items()):
        if (page := decode_page(task_id, text)) is not None:
            pages[task_id][slot] = page
    return pages


def decode_page(task_id: str, text: str) -> LogPage | None:
    """Return the page of a log in a stored text; None, which is logged, if it can't be decoded."""
    try:
        return parse_page(text)
    except ValueError:
        logger.exception(
            "task %s: a stored page of its log can't be decoded and is left out", task_id, extra={"task_id": task_id}
        )
        return None
