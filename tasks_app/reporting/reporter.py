"""A task that this process writes: what becomes of what its job says, for executors and the flusher."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self

from ..conf import get_settings
from ..exceptions import TaskCancelled
from ..snapshot import Snapshot
from ..utils.json import normalize
from .draft import Draft
from .flusher import Flusher
from .log import Journal
from .process import get_flusher


class Record:
    """The snapshot of a task, and what its job has said since; every method may be called from any thread."""

    def __init__(self, snapshot: Snapshot, *, flusher: Flusher | None = None, is_stored: bool = False) -> None:
        self.task_id = snapshot.task_id
        #: Called once, in some thread, when someone asked to cancel; an executor may stop the job by it.
        self.on_cancel: Callable[[], None] | None = None
        #: The task that the context was bound to before this one, for whoever binds and unbinds it.
        self.outer: Self | None = None
        self._flusher = flusher or get_flusher()
        self._lock = threading.RLock()  # a signal handler of the job may report, too
        self._snapshot = snapshot
        self.draft = Draft(snapshot.meta)
        self._journal = Journal(snapshot.logged, limit=get_settings().LOG_LINES)
        self._written = snapshot if is_stored else None
        self._note_sign_of_life()
        #: Did someone ask this task to stop?
        self.is_cancelled = False
        #: What the job is stopped by; a framework may need to know it by a class of its own.
        self.cancel_error: type[TaskCancelled] = TaskCancelled
        self._is_handed_back = False
        self._is_dirty = False
        self._is_tracking = False
        self._loop_total: float | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What is known of the task, but for what the job has said since the last `take`."""
        return self._snapshot

    @property
    def is_sampled(self) -> bool:
        return self._is_tracking or self._is_dirty

    @property
    def awaits_cancel(self) -> bool:
        return not self.is_cancelled and not self.has_ended

    @property
    def has_ended(self) -> bool:
        """Was the last word said here: an end, or that the job was handed back?"""
        return self._snapshot.is_terminal or self._is_handed_back

    @property
    def is_settled(self) -> bool:
        """Was the last word stored, too?"""
        return self.has_ended and self._written is self._snapshot

    @property
    def is_overdue(self) -> bool:
        return self._is_handed_back or self._flusher.clock.monotonic() > self._overdue_at

    @property
    def attempt(self) -> int:
        return self._snapshot.attempt

    @property
    def pages(self) -> Mapping[int, str]:
        return self._journal.pages

    def begin(self) -> None:
        """The job starts now: a new attempt."""
        with self._lock:
            self.draft = Draft(self._snapshot.meta)
            self._snapshot = self._snapshot.begun(now=self._flusher.clock.now())
        self._touch()

    def wait_in_line(self, position: int | None) -> None:
        """The job is the `position`th to start; 1 is next."""
        with self._lock:
            before = self._snapshot
            self._snapshot = before.waiting(position, now=self._flusher.clock.now())
        if self._snapshot is not before:
            self._touch()

    def succeed(self, result: Any = None) -> None:
        """The job returned `result`."""
        result, omitted = _admit_result(result)
        self._end(lambda snapshot, now: snapshot.succeeded(result, now=now, omitted=omitted))

    def fail(self, error: BaseException) -> None:
        """The job raised `error`; one that says it was cancelled ends it as that."""
        if is_cancel(error):
            self.end_cancelled()
        else:
            self.fail_as(type(error).__name__, _get_message(error))

    def fail_as(self, kind: str, message: str) -> None:
        """The job failed with an exception of type `kind`; `message` is dropped unless errors are exposed."""
        shown = message if get_settings().exposes_errors else None
        self._end(lambda snapshot, now: snapshot.failed(kind, shown, now=now))

    def fail_openly(self, kind: str, message: str) -> None:
        """The job failed for a reason that every viewer may know."""
        self._end(lambda snapshot, now: snapshot.failed(kind, message, now=now))

    def end_cancelled(self, status: str | None = None) -> None:
        """The job stopped because it was asked to, or for the reason `status`, or never began."""
        self._end(lambda snapshot, now: snapshot.cancelled(now=now, status=status))

    def end_lost(self) -> None:
        """The process that ran the job is gone."""
        self._end(lambda snapshot, now: snapshot.lost(now=now))

    def hand_back(self) -> None:
        """The job will be begun anew, wherever that is; from here nothing more is reported."""
        with self._lock:
            if self.has_ended:
                return
            self._absorb()
            self._snapshot = self._snapshot.requeued(now=self._flusher.clock.now())
            self._is_handed_back = True
        self._flusher.wake(urgently=True)

    def request_cancel(self) -> None:
        """Tell the job to stop: by the flag that it looks at, and by `on_cancel`."""
        with self._lock:
            if self.is_cancelled or self.has_ended:
                return
            self.is_cancelled = True
        self._touch()
        if self.on_cancel is not None:
            self.on_cancel()

    def take(self) -> Snapshot | None:
        """Return the snapshot to write, or None if the one written last still holds."""
        with self._lock:
            self._absorb()
            self._snapshot = self._snapshot.having_logged(self._journal.absorb())
            if self._snapshot is self._written:
                if self.has_ended or self._flusher.clock.monotonic() < self._next_beat:
                    return None
                self._snapshot = self._snapshot.beating()
            return self._snapshot

    def mark_written(self, snapshot: Snapshot) -> bool:
        """Take note that `snapshot` was stored; is there anything in it that viewers did not know?"""
        is_news = self._written is None or self._written.seq != snapshot.seq
        self._written = snapshot
        self._journal.pages.clear()
        self._note_sign_of_life()
        return is_news

    def _note_sign_of_life(self) -> None:
        settings, monotonic = get_settings(), self._flusher.clock.monotonic()
        self._next_beat = monotonic + settings.HEARTBEAT
        self._overdue_at = monotonic + settings.STALLED_AFTER

    def _touch(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._flusher.wake()

    def _end(self, change: Callable[[Snapshot, datetime], Snapshot]) -> None:
        with self._lock:
            if self._is_handed_back:
                return
            self._absorb()
            self._snapshot = change(self._snapshot, self._flusher.clock.now())
        self._flusher.wake(urgently=True)

    def _absorb(self) -> None:
        """Bring the snapshot up to what the job has said; the caller holds the lock."""
        if not (self._is_dirty or self._is_tracking) or self.has_ended:
            return
        self._is_dirty = False
        clock = self._flusher.clock
        self._snapshot = self.draft.apply_to(
            self._snapshot, is_cancelled=self.is_cancelled, now=clock.now(), monotonic=clock.monotonic()
        )


def is_cancel(error: BaseException) -> bool:
    return isinstance(error, TaskCancelled | asyncio.CancelledError)


def _get_message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        # Exceptions with a broken `__str__` exist, and their tasks must end all the same.
        return f"(its message can't be read: {type(failure).__name__})"


def _admit_result(result: Any) -> tuple[Any, str | None]:
    """Return the result as JSON would give it back, or None and why it is left out."""
    limit = get_settings().RESULT_MAX_BYTES
    try:
        result, text = normalize(result)
    except Exception as error:  # the code of whatever the task returned may raise anything
        return None, f"The result is not JSON: {_get_message(error)}"
    if len(text) > limit:
        return None, f"The result has {len(text)} bytes as JSON; at most {limit} are kept."
    return result, None
