"""The reporter of a task, which makes the snapshots that this process writes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Self

from ..conf import get_settings
from ..exceptions import TaskCancelled, format_traceback, is_cancel
from ..metering import get_meter
from ..snapshot import GENERIC_TYPE, Details, History, Snapshot, end_like, rebase, take_back
from ..store import Loaded
from ..utils.clock import Clock
from .binding import Bound
from .job import Job
from .own_thread import Wake
from .progress import Progress
from .record import GetCall, Record, find_arguments
from .result import admit_result, find_message, get_message
from .timers import Timers


class Reporter:
    """The source of the snapshots of one task in this process; every method is thread-safe.

    Args:
        snapshot: the task as it is now.
        clock: the source of times.
        wake: called with the id when there are changes to write; `urgently=True` does not wait for FLUSH_INTERVAL.
        is_stored: whether the store holds `snapshot`.
    """

    def __init__(self, snapshot: Snapshot, *, clock: Clock, wake: Wake, is_stored: bool = False) -> None:
        self.task_id = snapshot.task_id
        #: Called once, in any thread, at a request to cancel; an executor may use it to stop the job.
        self.on_cancel: Callable[[], object] | None = None
        #: The earlier runs of the task; None until they are known.
        self.history: History | None = None
        #: What `progress` was bound to before this one.
        self.outer: Bound | None = None
        self.opener: object = None
        #: Reads the stored snapshot; `take` calls it first. It raises StoreUnavailable, or sets this to None.
        self.catch_up: Callable[[Loaded | None], None] | None = None
        self._clock = clock
        self._wake = partial(wake, snapshot.task_id)
        self._job = Job(snapshot, clock, wake=self._wake)
        self._draft = self._job.draft
        self._record = Record(clock)
        self._snapshot, self._written = snapshot, snapshot if is_stored else None
        #: Whether another process may begin the next attempt.
        self.is_handed_back = False
        #: Whether an attempt has begun of which nothing is stored yet.
        self.has_just_begun = False
        self._taken_back_from: int | None = None
        self._timers = Timers(clock)

    @property
    def snapshot(self) -> Snapshot:
        """The task without the reports of the job since the last `take`."""
        return self._snapshot

    @cached_property  # which each report asks for
    def progress(self) -> Progress:
        """The methods that the job calls."""
        return self._job.progress

    @property
    def is_sampled(self) -> bool:
        """Whether the flusher must poll this task for changes."""
        return self._job.is_sampled

    @property
    def has_news(self) -> bool:
        """Whether there may be changes that are not stored; heartbeats are none."""
        return self.is_sampled or self._written is not self._snapshot

    @property
    def next_beat(self) -> float:
        """The time of the next heartbeat, by the monotonic clock."""
        return self._timers.next_beat

    @property
    def awaits_cancel(self) -> bool:
        """Whether a request to cancel would change anything."""
        return not self._draft.is_cancelled and not self.has_ended

    @property
    def is_read(self) -> bool:
        """Whether the stored snapshot has been read, where that was needed."""
        return self.catch_up is None

    @property
    def has_ended(self) -> bool:
        """Whether this process reports nothing more: the task ended, or was handed back."""
        return self._snapshot.is_terminal or self.is_handed_back

    @property
    def is_settled(self) -> bool:
        """Whether the last snapshot is stored."""
        return self.has_ended and self._written is self._snapshot

    @property
    def is_overdue(self) -> bool:
        """Whether the task may have been declared lost, or begun again elsewhere, since it was stored last."""
        return self.is_handed_back or self._timers.is_overdue

    @property
    def attempt(self) -> int:
        """The number of attempts begun."""
        return self._snapshot.attempt

    @property
    def pages(self) -> Mapping[int, str]:
        """The log pages to write with the snapshot taken last, by slot."""
        return self._job.pages

    @property
    def details(self) -> Sequence[Details]:
        """The details for staff, to write with the snapshot taken last."""
        return self._record.news

    def begin(self, get_call: GetCall | None = None) -> None:
        """Begin a new attempt; `get_call` tells how the job is called, for staff."""
        arguments = find_arguments(self.task_id, get_call)
        with self._draft.lock:
            self._draft.reset(self._snapshot.meta)
            self._snapshot = self._snapshot.begun(now=self._clock.now())
            self._record.begin(self._snapshot, arguments)
            self.has_just_begun = True
        get_meter().note_begun(self._snapshot)
        self._wake()

    def follow(self, before: Self) -> None:
        """Write what `before`, the reporter of the attempt before, has not written yet for staff."""
        with before._draft.lock:
            before._record.follow(before._snapshot)
            self._record.inherit(before._record)

    def wait_in_line(self, position: int | None) -> None:
        """Set the position of the task in the queue; 1 is next, None is unknown."""
        with self._draft.lock:
            before = self._snapshot
            self._snapshot = before.waiting(position, now=self._clock.now())
        if self._snapshot is not before:
            self._wake()

    def succeed(self, result: Any = None) -> None:
        """End the task as succeeded with `result`; one that is too large or not JSON is left out."""
        result, omitted = admit_result(result, self.task_id)
        with self._draft.lock:
            said = find_message(result) or self._draft.last_words
        self._end(lambda snapshot, now: snapshot.succeeded(result, now=now, omitted=omitted, said=said))

    def fail(self, error: BaseException) -> None:
        """End the task as failed with the exception `error`, or as cancelled if that is a cancel."""
        if is_cancel(error):
            self.end_cancelled()
        else:
            self.note_error(error)
            self.fail_as(type(error).__name__, get_message(error))

    def note_error(self, error: BaseException | None) -> None:
        """Have staff see the traceback of what the job has raised, if RECORD_TRACEBACKS allows that."""
        if error is not None and not is_cancel(error) and get_settings().records_tracebacks:
            self._record.note_traceback(format_traceback(error))

    def fail_as(self, kind: str, message: str, *, traceback: str = "") -> None:
        """End the task as failed with an exception of type `kind`.

        EXPOSE_ERRORS decides if viewers see `kind` and `message`; staff see `kind`, RECORD_TRACEBACKS if `traceback`.
        """
        if traceback and get_settings().records_tracebacks:
            self._record.note_traceback(traceback)
        self._record.note_error(kind)
        shown = (kind, message) if get_settings().exposes_errors else (GENERIC_TYPE, None)
        self._end(lambda snapshot, now: snapshot.failed(*shown, now=now))

    def fail_openly(self, kind: str, message: str) -> None:
        """End the task as failed with a `message` that all viewers may see."""
        self._end(lambda snapshot, now: snapshot.failed(kind, message, now=now))

    def end_cancelled(self, status: str | None = None) -> None:
        """End the task as cancelled; `status` is the reason that viewers see, None if the task was asked to stop."""
        self._end(lambda snapshot, now: snapshot.cancelled(now=now, status=status))

    def end_lost(self) -> None:
        """End the task as lost, since the process that ran it is gone."""
        self._end(lambda snapshot, now: snapshot.lost(now=now))

    def end_like(self, other: Snapshot) -> None:
        """End the task as another ended, which it was to follow."""
        self._end(lambda snapshot, now: end_like(snapshot, other, now=now))

    def hand_back(self, **times: datetime | None) -> None:
        """Hand the task back for its next attempt, in any process; this reporter reports nothing more.

        `times` may set `not_before` and `expires_at`, if the message of that attempt has its own.
        """
        with self._draft.lock:
            if self.has_ended:
                return
            self._absorb()
            self._snapshot = self._snapshot.requeued(now=self._clock.now(), **times)
            self.is_handed_back = True
            self._draft.close()
        self._wake(urgently=True)

    def rebase(self, stored: Snapshot | None, *, since: Snapshot) -> None:
        """Continue from the `stored` snapshot, if there is one; the task began here as `since`, without knowing it."""
        with self._draft.lock:
            self._snapshot = rebase(self._snapshot, stored, since=since, now=self._clock.now())
            if stored is not None and stored.seq >= since.seq:
                self._job.follow(stored.logged)

    def take_back(self, lost: Snapshot) -> bool:
        """Go on after `lost`, by which another process declared this attempt lost; return False if told before."""
        with self._draft.lock:
            is_new = self._taken_back_from != lost.seq
            self._taken_back_from = lost.seq
            self._snapshot = take_back(self._snapshot, lost)
        return is_new

    def change(self, change: Callable[[Snapshot], Snapshot]) -> None:
        """Change what is known of the task otherwise than by a report of its job."""
        with self._draft.lock:
            self._snapshot = change(self._snapshot)
        self._wake()

    def raise_if_cancelled(self) -> None:
        """Raise what stops the job if it was asked to stop."""
        self._draft.raise_if_cancelled()

    def stop_by(self, error: type[TaskCancelled]) -> None:
        """Set the exception class that stops the job, one that its framework knows."""
        self._draft.cancel_error = error

    def request_cancel(self) -> None:
        """Ask the job to stop: set the flag that it checks, and call `on_cancel`."""
        with self._draft.lock:
            if not self.awaits_cancel:
                return
            self._draft.is_cancelled = True
        self._draft.touch()
        if (stop := self.on_cancel) is not None:  # an executor may take it back at this moment
            stop()

    def take(self, loaded: Loaded | None = None) -> Snapshot | None:
        """Return the snapshot to write, or None if nothing changed and no heartbeat is due.

        Args:
            loaded: what is stored of the task, if it has just been read because `is_read` is false.

        Raises:
            StoreUnavailable: the stored snapshot must be read first, but can't be.
        """
        if self.catch_up is not None:
            self.catch_up(loaded)
        while True:
            # Without the lock: the job may hold that of its log while a signal handler of it waits for this one.
            logged = self._job.absorb(is_last=(had_ended := self.has_ended))
            with self._draft.lock:
                if self.has_ended is had_ended:  # else lines may wait that came before the end
                    return self._take(logged)

    def _take(self, logged: int) -> Snapshot | None:
        self._absorb()
        self._snapshot = self._snapshot.having_logged(logged)
        if self._snapshot is self._written:
            if self.has_ended or not self._timers.is_beat_due:
                return None
            self._snapshot = self._snapshot.beating()
        self._snapshot = self._snapshot.written(now=self._clock.now())
        self._record.follow(self._snapshot)
        return self._snapshot

    def mark_written(self, snapshot: Snapshot) -> bool:
        """Record that `snapshot` is stored, and return whether it is new to viewers."""
        is_news = self._written is None or self._written.seq != snapshot.seq
        self._written = snapshot
        self.has_just_begun = False
        self._job.mark_stored()
        self._record.mark_stored()
        self._timers.restart()
        return is_news

    def _end(self, change: Callable[[Snapshot, datetime], Snapshot]) -> None:
        with self._draft.lock:
            if self.is_handed_back:
                return
            self._absorb()
            self._snapshot = change(self._snapshot, self._clock.now())
            self._draft.close()
        self._wake(urgently=True)

    def _absorb(self) -> None:
        """Add the reports of the job to the snapshot; the caller holds the lock."""
        if self.is_sampled and not self.has_ended:
            self._snapshot = self._draft.apply_to(
                self._snapshot, now=self._clock.now(), monotonic=self._clock.monotonic(), history=self.history
            )
