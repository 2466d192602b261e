"""What a job calls to report: the start of the write path."""

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ..conf import get_settings
from ..exceptions import is_cancel
from ..snapshot import State
from ..utils.clock import Clock
from ..utils.json import normalize
from .draft import EXACT_BITS, Draft, check_number, make_stages
from .log import Journal, check_level
from .track import Tracked

T = TypeVar("T")


class Progress:
    """What a job calls to report; each method may be called from any thread, and none does I/O or waits."""

    def __init__(self, draft: Draft, journal: Journal, clock: Clock) -> None:
        self.task_id = draft.task_id
        self._draft = draft
        self._journal = journal
        self._clock = clock

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
        draft = self._draft
        with draft.lock:
            if current is not None:
                draft.current = current
            if total is not None:
                draft.total = total
            if status is not None:
                draft.status = status
            if unit is not None:
                draft.unit = unit
        if not draft.is_dirty:
            draft.touch()

    def advance(self, n: float = 1) -> None:
        """Add `n` to `current`.

        Raises:
            TypeError, ValueError: `n` is not a finite number.
        """
        n = check_number("n", n)
        with self._draft.lock:
            self._draft.current = check_number("current", (self._draft.current or 0) + n)
        self._draft.touch()

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
        return Tracked(self._draft, self.update, iterable, total, status, unit)

    def stages(self, weights: Mapping[str, float]) -> None:
        """Declare the phases of this task, in order, with the share of the whole that each has.

        Raises:
            TypeError, ValueError: there is none, or a weight is not a finite number above 0.
        """
        stages = make_stages(weights)
        with self._draft.lock:
            self._draft.declare(stages)
        self._draft.touch()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Enter a declared phase: `update` and `track` inside fill its share.

        Raises:
            ValueError: `name` was not declared by `stages()`, or another stage has not ended yet.
        """
        with self._draft.lock:
            self._draft.enter(name)
        self._draft.touch()
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
        with self._draft.lock:
            self._draft.merge(admitted, limit=get_settings().RESULT_MAX_BYTES)
        self._draft.touch()

    def log(self, text: object, level: str = "info") -> None:
        """Append to the log of this task, which whoever may see the task may read; each line of `text` is one.

        Args:
            text: what a person reads; shown up to 1000 characters a line.
            level: such as "info" or "error"; up to 20 characters, in lower case.

        Raises:
            TypeError, ValueError: `level` is not a text, or an empty one.
        """
        self._journal.append(str(text), check_level(level), now=self._clock.now())
        self._draft.touch()

    @property
    def cancelled(self) -> bool:
        """Did someone ask this task to stop?"""
        return self._draft.is_cancelled

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if someone asked this task to stop."""
        self._draft.raise_if_cancelled()

    def _leave_stage(self, state: State) -> None:
        with self._draft.lock:
            self._draft.leave(state)
        self._draft.touch()
