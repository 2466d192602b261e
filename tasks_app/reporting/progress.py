"""The write path begins here: what a job tells of itself."""

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ..conf import get_settings
from ..snapshot import State
from ..utils.json import normalize
from .draft import EXACT_BITS, check_number, make_stages
from .log import check_level
from .reporter import Record, is_cancel
from .track import Tracked

T = TypeVar("T")


class Progress(Record):
    """What a job tells of itself: every method may be called from any thread, and none does I/O or waits."""

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
            self._leave_stage(State.CANCELLED if is_cancel(error) else State.FAILED)
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

    # What follows is for `track` and `stage`.

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

    def _leave_stage(self, state: State) -> None:
        with self._lock:
            self.draft.leave(state)
        self._touch()
