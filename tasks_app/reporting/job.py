"""The reports of the job of one task: its draft, and the log and the methods that it may use."""

from collections.abc import Callable, Mapping

from ..conf import get_settings
from ..snapshot import Snapshot
from ..utils.clock import Clock
from .draft import Draft
from .local_home import LocalHome
from .log import Journal
from .progress import Progress

_NO_PAGES: Mapping[int, str] = {}


class Job:
    """What a job reports; its log and `progress` are made at their first use, since most that wait have none.

    Args:
        snapshot: the task before the job reports.
        clock: the source of times.
        wake: called at the first change after each `Draft.apply_to`.
    """

    def __init__(self, snapshot: Snapshot, clock: Clock, *, wake: Callable[[], None]) -> None:
        self.draft = Draft(snapshot.task_id, snapshot.meta, wake=wake)
        self._clock = clock
        self._logged = snapshot.logged
        self._journal: Journal | None = None
        self._progress: Progress | None = None

    @property
    def progress(self) -> Progress:
        """The methods that the job calls."""
        return self._progress or self._make_progress()

    @property
    def is_sampled(self) -> bool:
        """Whether the flusher must poll for changes."""
        return self.draft.is_sampled or (self._journal is not None and self._journal.holds_back)

    @property
    def pages(self) -> Mapping[int, str]:
        """The log pages that are not stored, by slot."""
        return _NO_PAGES if self._journal is None else self._journal.pages

    def follow(self, logged: int) -> None:
        """Continue the log after the offset `logged`, learned from the store; call it before the first `absorb`.

        The caller holds the lock of the draft.
        """
        self._logged = logged
        if self._journal is not None:
            self._journal.follow(logged)

    def absorb(self, *, is_last: bool) -> int:
        """Move waiting lines into pages, all of them if it `is_last`, and return the offset after the last line."""
        if self._journal is None:
            return self._logged
        return self._journal.absorb(monotonic=None if is_last else self._clock.monotonic())

    def mark_stored(self) -> None:
        """Record that `pages` are stored."""
        if self._journal is not None:
            self._journal.pages.clear()

    def _make_progress(self) -> Progress:
        settings = get_settings()
        with self.draft.lock:  # `follow` is called under it as well
            journal = Journal(self._logged, limit=settings.LOG_LINES, max_bytes=settings.LOG_BYTES)
            made = Progress(self.draft, journal, self._clock, LocalHome(self.draft, journal, self._clock))
            if self._progress is None:  # else another thread, or a signal handler of the job, was faster
                self._journal, self._progress = journal, made
            return self._progress
