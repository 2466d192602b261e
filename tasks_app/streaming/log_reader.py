"""Reads the logs that are looked at in one event loop: in batches, and nothing of the others."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from ..conf import get_settings
from ..snapshot import LogPage, parse_page
from ..store import get_store
from .log import Log
from .watch import Viewer, Watch, notify_each

logger = logging.getLogger("tasks_app")

#: Pages that are read in one round trip; only those who come late ask for that many.
BATCH = 50


class Behind(NamedTuple):
    """A task whose log goes up to the offset `logged`, which is not what was read."""

    watch: Watch
    log: Log
    logged: int


class LogReader:
    """Knows who looks at which log; the hub has it read them after the snapshots, which say how far each goes."""

    def __init__(self) -> None:
        self._watches: dict[Watch, None] = {}

    @property
    def followed(self) -> Set[str]:
        """The ids of the tasks whose log is read."""
        return {watch.task_id for watch in list(self._watches)}

    def follow(self, viewer: Viewer, watch: Watch) -> None:
        """Have the log of a task read from now on."""
        if watch.log is None:
            watch.log = Log(watch.task_id, limit=get_settings().LOG_LINES)
            self._watches[watch] = None
        watch.log_viewers.add(viewer)

    def leave(self, viewer: Viewer, watch: Watch) -> None:
        """Undo `follow`; the lines go with the last viewer."""
        watch.log_viewers.discard(viewer)
        if not watch.log_viewers:
            watch.log = None
            self._watches.pop(watch, None)

    async def read(self) -> None:
        """Read what is new, and tell those who look at it.

        Raises:
            Exception: whatever the cache raised.
        """
        for batch in _split(self._find_behind()):
            slots = [(watch.task_id, slot) for watch, log, logged in batch for slot in log.find_slots(logged)]
            pages = _parse_pages(await get_store().aread_pages(slots))
            for watch, log, logged in batch:
                if log.take_in(logged, pages[watch.task_id], monotonic=time.monotonic()):
                    notify_each(watch.log_viewers, watch)
            await asyncio.sleep(0)  # pages take a while to parse, and others want to run, too

    def _find_behind(self) -> list[Behind]:
        return [
            Behind(watch, watch.log, watch.logged)
            for watch in self._watches
            if watch.log is not None and watch.log.end != watch.logged
        ]


def _split(behind: Iterable[Behind]) -> Iterator[list[Behind]]:
    """Yield them in batches of up to BATCH pages, or of one task that has more."""
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


def _parse_pages(texts: Mapping[tuple[str, int], str]) -> Mapping[str, dict[int, LogPage]]:
    pages: defaultdict[str, dict[int, LogPage]] = defaultdict(dict)
    for (task_id, slot), text in texts.items():
        try:
            pages[task_id][slot] = parse_page(text)
        except ValueError:
            logger.exception("task %s: what the cache holds is no page of its log; it is left out", task_id)
    return pages
