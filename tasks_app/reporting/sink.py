"""The receivers of a part's reports in the job's process, in order of arrival."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..conf import get_settings
from ..exceptions import TaskCancelled
from ..snapshot import State
from ..utils.clock import Clock
from .counts import Count
from .draft import Draft
from .log import Journal
from .part import Counted


class LocalSink:
    """The receiver of one part's reports, in the job's process; thread-safe."""

    def __init__(self, draft: Draft, journal: Journal, clock: Clock, count: Count) -> None:
        self.task_id = draft.task_id
        self._draft, self._journal, self._clock = draft, journal, clock
        self._outside = self._count = count
        self._stage: str | None = None
        self._read: Callable[[], Counted] | None = None
        self._heed: Callable[[], None] = _do_nothing

    @property
    def lock(self) -> threading.RLock:
        """The lock of all that is reported of the task."""
        return self._draft.lock

    @property
    def is_cancelled(self) -> bool:
        """Whether the task was asked to stop."""
        return self._draft.is_cancelled

    @property
    def cancel_error(self) -> Callable[[str], TaskCancelled]:
        """The maker of the exception that stops the job."""
        return self._draft.cancel_error

    def begin(self, read: Callable[[], Counted], heed: Callable[[], None]) -> None:
        """Have the flusher read the counts of a part in this process, and tell it of a cancel."""
        self._read, self._heed = read, heed
        with self._draft.lock:
            self._draft.pulls = (*self._draft.pulls, self._pull)
        self._draft.touch()

    def count(self, counted: Counted) -> None:
        """Set what the part has counted, where it is now."""
        self._count.current, self._count.total, self._count.extra = counted

    def take_count(self, counted: Counted) -> None:
        """Set what the part has counted, as another process tells it."""
        with self._draft.lock:
            self.count(counted)
        self._draft.touch()

    def say(self, status: str) -> None:
        """Set the status of the task."""
        with self._draft.lock:
            self._draft.say(status, is_with_step=True)
        self._draft.touch()

    def count_in(self, unit: str) -> None:
        """Set the unit of the task, if the part adds up to its count."""
        with self._draft.lock:
            if self._outside.step is None and self._draft.unit is None:
                self._draft.unit = unit
        self._draft.touch()

    def merge(self, values: Mapping[str, Any]) -> None:
        """Merge values into the `meta` of the task."""
        with self._draft.lock:
            self._draft.merge(values, limit=get_settings().RESULT_MAX_BYTES)
        self._draft.touch()

    def log(self, text: str, level: str) -> None:
        """Append lines to the log of the task."""
        self._journal.append(text, level, now=self._clock.now())
        self._draft.touch()

    def enter(self, name: str, read: Callable[[], Counted] | None = None) -> None:
        """Begin a stage of the task, in which others may be; `read` tells what is counted in it."""
        with self._draft.lock:
            if self._stage is not None:
                raise ValueError(f"stage {name!r} can't begin inside stage {self._stage!r}")
            self._pull()
            count = Count()
            self._draft.enter_parallel(name, count, now=self._clock.now())
            self._stage, self._count, self._read = name, count, read
        self._draft.touch()

    def leave(self, state: State, read: Callable[[], Counted] | None = None) -> None:
        """Leave the stage, if the part is in one."""
        with self._draft.lock:
            if self._stage is not None:
                self._pull()
                self._draft.leave_parallel(self._stage, self._count, state, now=self._clock.now())
            self._stage, self._count, self._read = None, self._outside, read
        self._draft.touch()

    def end(self) -> None:
        """Count the part as over, and let go of it, since it has this object."""
        with self._draft.lock:
            self._pull()
            self._read, self._heed = None, _do_nothing
            self._outside.is_over = True
            self._draft.pulls = tuple(pull for pull in self._draft.pulls if pull != self._pull)
        self._draft.touch()

    def _pull(self) -> None:
        if self._read is not None:
            self.count(self._read())
            self._heed()


def _do_nothing() -> None:
    pass
