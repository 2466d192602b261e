"""The write path: what a job tells of itself, and what becomes of it for the flusher."""

import asyncio
import threading
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from .conf import get_settings
from .draft import EXACT_BITS, Draft, check_number, make_stages
from .encoding import normalize
from .exceptions import TaskCancelled
from .flusher import Flusher, get_flusher
from .log import Journal, check_level
from .state import Snapshot, State
from .tracking import Tracked

T = TypeVar("T")


class Progress:
    """What a job tells of itself: every method may be called from any thread, and none does I/O or waits."""

    def __init__(self, snapshot: Snapshot, *, flusher: Flusher | None = None, is_stored: bool = False) -> None:
        self.task_id = snapshot.task_id
        #: Called once, in some thread, when someone asked to cancel; an executor may stop the job by it.
        self.on_cancel: Callable[[], None] | None = None
        #: The task that the context was bound to before this one, for whoever binds and unbinds it.
        self.outer: Progress | None = None
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

    def update(
        self,
        *,
        current: float | None = None,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> None:
        """Set any of these; what is left out stays.

        Args:
            current: how much is done, in `unit`s.
            total: how much there is.
            status: what a person reads; shown up to 500 characters.
            unit: what is counted, such as "rows".

        Raises:
            TypeError, ValueError: `current` or `total` is not a finite number.
        """
        # Loops call this: what is true of nearly every call is seen without a call of its own, here and at the end.
        if current is not None and (type(current) is not int or current.bit_length() > EXACT_BITS):
            current = check_number("current", current)
        if total is not None:
            total = check_number("total", total)
        # Texts are made before the lock is taken: that runs the job's own code.
        status = None if status is None else str(status)
        unit = None if unit is None else str(unit)
        with self._lock:
            draft = self.draft
            if current is not None:
                draft.current = current
            if total is not None:
                draft.total = total
            if status is not None:
                draft.status = status
            if unit is not None:
                draft.unit = unit
        if not self._is_dirty:
            self._touch()

    def advance(self, n: float = 1) -> None:
        """Add `n` to `current`.

        Raises:
            TypeError, ValueError: `n` is not a finite number.
        """
        n = check_number("n", n)
        with self._lock:
            self.draft.current = check_number("current", (self.draft.current or 0) + n)
        self._touch()

    def track(
        self,
        iterable: Iterable[T] | AsyncIterable[T],
        *,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> Tracked[T]:
        """Wrap an iterable, or an async iterable, so that each step counts as one.

        A `track` inside another one of the same task only looks for a cancel: the outer one is the progress.

        Args:
            iterable: what to iterate over, once.
            total: how many steps there will be; by default `len(iterable)` where a `for` loop can ask for it.
            status, unit: as in `update`.

        Returns:
            An object for `for` or `async for`, which raises `TaskCancelled` at the step after a cancel.

        Raises:
            TypeError, ValueError: `iterable` is not iterable, or `total` is not a finite number.
        """
        if not isinstance(iterable, Iterable | AsyncIterable):
            raise TypeError(f"track() takes an iterable or an async iterable, not {iterable!r}")
        if total is not None:
            total = check_number("total", total)
        return Tracked(self, iterable, total, status, unit)

    def stages(self, weights: Mapping[str, float]) -> None:
        """Declare the phases of this task, in order, with the share of the whole that each has.

        Raises:
            TypeError, ValueError: there is none, or a weight is not a finite number above 0.
        """
        stages = make_stages(weights)
        with self._lock:
            self.draft.declare(stages)
        self._touch()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Enter a declared phase: `update` and `track` inside fill its share.

        Raises:
            ValueError: `name` was not declared by `stages()`, or another stage has not ended yet.
        """
        with self._lock:
            self.draft.enter(name)
        self._touch()
        try:
            yield
        except BaseException as error:
            self._leave_stage(State.CANCELLED if _is_cancel(error) else State.FAILED)
            raise
        self._leave_stage(State.SUCCEEDED)

    def meta(self, **values: Any) -> None:
        """Merge JSON values into `meta`, which viewers see.

        Raises:
            TypeError, ValueError: a value is not JSON, or all of them are over RESULT_MAX_BYTES.
        """
        admitted, _ = normalize(values)
        with self._lock:
            self.draft.merge(admitted, limit=get_settings().RESULT_MAX_BYTES)
        self._touch()

    def log(self, text: object, level: str = "info") -> None:
        """Append to the log of this task, which whoever may see the task may read; each line of `text` is one.

        Args:
            text: what a person reads; shown up to 1000 characters a line.
            level: such as "info" or "error"; up to 20 characters, in lower case.

        Raises:
            TypeError, ValueError: `level` is not a text, or an empty one.
        """
        self._journal.append(str(text), check_level(level), now=self._flusher.clock.now())
        self._touch()

    @property
    def cancelled(self) -> bool:
        """Did someone ask this task to stop?"""
        return self.is_cancelled

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if someone asked this task to stop."""
        if self.is_cancelled:
            raise self.cancel_error(f"task {self.task_id} was asked to stop")

    # What follows is for executors and the flusher.

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
        return self._flusher.clock.monotonic() > self._overdue_at

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
        if _is_cancel(error):
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

    def begin_tracking(self, **values: Any) -> bool:
        """Make a loop the progress of this task, unless one around it is that already."""
        with self._lock:
            if self._is_tracking:
                return False
            self._is_tracking = True
            if self.draft.total == self._loop_total:  # the total of an earlier loop says nothing of this one
                self.draft.total = None
            self._loop_total = values["total"]
        self.update(current=0, **values)
        return True

    def end_tracking(self) -> None:
        """The loop has ended; without lock or event, since the garbage collector may call it wherever it likes."""
        self._is_dirty = True
        self._is_tracking = False

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

    def _leave_stage(self, state: State) -> None:
        with self._lock:
            self.draft.leave(state)
        self._touch()


def _is_cancel(error: BaseException) -> bool:
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
