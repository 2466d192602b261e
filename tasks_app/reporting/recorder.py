"""A stand-in for a running task, for tests of jobs: it keeps each change, and stores nothing."""

import json
from collections.abc import Callable
from typing import Any

from ..conf import get_settings
from ..snapshot import Snapshot
from ..utils.clock import Clock
from .draft import Draft
from .local_home import LocalHome
from .log import Journal
from .progress import Progress

TASK_ID = "recorded"


class RecordedDraft(Draft):
    """A draft that tells of each step of a loop, which otherwise nobody hears of before the next flush."""

    _is_asked_to_stop = False

    def __init__(self, *, wake: Callable[[], None]) -> None:
        super().__init__(TASK_ID, {}, wake=wake)

    @property
    def is_cancelled(self) -> bool:
        """Whether the job was asked to stop; loops ask that at each step."""
        if self.is_sampled:
            self._wake()
        return self._is_asked_to_stop

    @is_cancelled.setter
    def is_cancelled(self, value: bool) -> None:
        self._is_asked_to_stop = value


class Recorder:
    """The stand-in for `progress` while a test records: each report is a snapshot at once; thread-safe."""

    def __init__(self) -> None:
        self.task_id = TASK_ID
        self._clock, settings = Clock(), get_settings()
        now = self._clock.now()
        self._snapshots = [Snapshot.queued(TASK_ID, TASK_ID, now=now).begun(now=now)]
        self._is_taking = False
        self._draft = RecordedDraft(wake=self._take)
        self._journal = Journal(0, limit=settings.LOG_LINES, max_bytes=settings.LOG_BYTES)
        home = LocalHome(self._draft, self._journal, self._clock)
        self.progress = Progress(self._draft, self._journal, self._clock, home)
        self.outer: Any = None
        self.opener: Any = None

    @property
    def snapshots(self) -> list[Snapshot]:
        """The task at its beginning and after each report."""
        self._take()
        return list(self._snapshots)

    @property
    def lines(self) -> list[dict[str, str]]:
        """The lines of the log as viewers get them."""
        self._journal.absorb()
        pages = sorted((json.loads(text) for text in self._journal.pages.values()), key=lambda page: page["offset"])
        return [line for page in pages for line in page["lines"]]

    def request_cancel(self) -> None:
        """Ask the job to stop."""
        self._draft.is_cancelled = True
        self._draft.touch()

    def close(self) -> None:
        """Take no more reports, as after the end of a task."""
        self._take()
        self._draft.close()

    def _take(self) -> None:
        with self._draft.lock:
            if self._is_taking or self._draft.is_closed:
                return
            self._is_taking = True
            try:
                before = self._snapshots[-1]
                now, monotonic = self._clock.now(), self._clock.monotonic()
                if (snapshot := self._draft.apply_to(before, now=now, monotonic=monotonic)) is not before:
                    self._snapshots.append(snapshot)
            finally:
                self._is_taking = False
