"""The methods that a job calls to report."""

from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from ..conf import get_settings
from ..exceptions import is_cancel
from ..snapshot import State
from ..utils.clock import Clock
from ..utils.json import normalize
from .bars import hook_bars
from .capture import Capture, capturing
from .counts import advance
from .draft import Draft
from .handle import Handle, Home
from .log import Journal, check_level
from .mapped import check_chunksize, map_in_pool
from .track import Tracked, is_iterable
from .values import EXACT_BITS, check_number, make_stages

T = TypeVar("T")
R = TypeVar("R")


class Progress:
    """The reporting API of one task; its methods are thread-safe, and none does I/O or waits for the cache."""

    def __init__(self, draft: Draft, journal: Journal, clock: Clock, home: Home) -> None:
        self.task_id = draft.task_id
        self._draft = draft
        self._journal = journal
        self._clock = clock
        self._home = home
        #: The capture of the bars of all that the job does, with CAPTURE_TQDM.
        self.all_bars = Capture(lambda: self._draft, self.update) if get_settings().CAPTURE_TQDM else None

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"progress of task {self.task_id!r} can't be sent to another process; send progress.handle() there"
        )

    def update(
        self,
        *,
        current: float | None = None,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> None:
        """Set any of these values; the others stay.

        Args:
            current: the amount done, in units.
            total: the amount to do, in units.
            status: a text for people; viewers see at most 500 characters.
            unit: the thing counted, such as "rows"; viewers see at most 100 characters.

        Raises:
            TypeError, ValueError: `current` or `total` is not a finite number.
        """
        # Loops call this, so the usual case is tested inline, here and at the end, without a function call.
        if current is not None and (type(current) is not int or current.bit_length() > EXACT_BITS):
            current = check_number("current", current)
        if total is not None:
            total = check_number("total", total)
        # `str` may run the job's own code, so it is called before the lock is taken.
        status = None if status is None else str(status)
        unit = None if unit is None else str(unit)
        draft = self._draft
        with draft.lock:
            if current is not None:
                draft.current = current
                if draft.added:
                    draft.added.forget_ended()
            if total is not None:
                draft.total = total
            if status is not None:
                draft.say(status, is_with_step=current is not None)
            if unit is not None:
                draft.unit = unit
        if not draft.is_dirty:
            draft.touch()

    def advance(self, n: float = 1) -> None:
        """Add `n` to `current`.

        Raises:
            TypeError, ValueError: `n` is not a finite number.
        """
        with self._draft.lock:
            advance(self._draft, n)
        self._draft.touch()

    def track(
        self,
        iterable: Iterable[T] | AsyncIterable[T],
        *,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> Tracked[T]:
        """Wrap an iterable or async iterable, so that each step advances the task by one.

        Inside another `track` of the same task, it fills the share of the outer one's step. Loops that run in
        parallel, as in `asyncio.gather`, add up.

        Args:
            iterable: the items to loop over.
            total: the number of steps; by default `len(iterable)` in a `for` loop, if it has a length.
            status, unit: as in `update`.

        Returns:
            An object for `for` or `async for`, which otherwise does what the iterable does. Its loops raise
            `TaskCancelled` at the next step after a cancel.

        Raises:
            TypeError, ValueError: `iterable` is not iterable, or `total` is not a finite number.
        """
        if not (is_iterable(iterable) or isinstance(iterable, AsyncIterable)):
            raise TypeError(f"track() takes an iterable or an async iterable, not {iterable!r}")
        if total is not None:
            total = check_number("total", total)
        return Tracked(self._draft, self.update, iterable, total, status, unit)

    def map(
        self,
        executor: Executor,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        total: float | None = None,
        unit: str | None = None,
        status: object = None,
        chunksize: int = 1,
    ) -> Iterator[R]:
        """Call `function` with each item in a pool of threads, processes or interpreters.

        Each call that has ended advances the task by one; what a call reports itself fills the share of its step.

        Args:
            executor: the pool, of `concurrent.futures` or with the same interface.
            function: what to call; for a pool of processes or interpreters one that can be pickled.
            items: all of them are taken at once.
            total: the number of steps; by default that of the items.
            unit, status: as in `update`.
            chunksize: how many items are sent to a process at a time, at least 1; threads take one.

        Returns:
            The results, in order. It raises what a call or the pool has raised, and `TaskCancelled` after a cancel;
            then the calls that have not begun never do. If nobody reads the results, all calls are made.

        Raises:
            TypeError, ValueError: `executor` is no pool, `items` is not iterable, `function` can't be called or
                pickled, or makes a generator or a coroutine, `total` is not a finite number, or `chunksize` is no
                whole number above 0.
        """
        check_chunksize(chunksize)
        total = None if total is None else check_number("total", total)
        return map_in_pool(
            self._draft,
            self.update,
            self._home,
            executor,
            function,
            items,
            chunksize=chunksize,
            total=total,
            unit=unit,
            status=status,
        )

    def handle(self) -> Handle["Progress"]:
        """Return a small picklable object that has other threads and processes of this machine report to the task.

        There, `with handle:` or `handle.bind(function)` makes `progress` stand for it. What they report is added up:
        what they advance to the count of the task, or, while the job is in a loop, to the share of its current step.
        """
        self._home.hand_out()
        return Handle(self._home)

    @contextmanager
    def capture(self, *, quiet: bool = False) -> Iterator[None]:
        """Show the bars of tqdm and rich that code in this block makes, without changing that code.

        The outermost bar sets the progress of the task, those inside it fill the share of its step; the outermost
        description becomes the status. Where the job reports itself, its reports win: a bar inside `track` fills its
        step, and a total or status that `update` sets while a bar is open stays. Their next step after a cancel raises
        `TaskCancelled`. Bars that are made in other threads are seen where the context is carried there, as
        `asyncio.to_thread` does; what reports by a handle, or is called by `map`, has captures of its own. A bar that
        its code disables is not shown.

        Args:
            quiet: whether the bars write nothing to the console.
        """
        hook_bars()
        with capturing(Capture(lambda: self._draft, self.update, is_quiet=quiet)):
            yield

    def stages(self, weights: Mapping[str, float]) -> None:
        """Declare the stages of this task, in order.

        Args:
            weights: the name of each stage (at most 100 characters) → its share of the whole, relative to the others.

        Raises:
            TypeError, ValueError: there is no stage, or more than MAX_STAGES, a name is too long, or a weight is not a
                finite number above 0.
        """
        stages = make_stages(weights, limit=get_settings().MAX_STAGES)
        with self._draft.lock:
            self._draft.declare(stages)
        self._draft.touch()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Enter a declared stage; `update` and `track` inside it fill its share.

        Raises:
            ValueError: `name` was not declared by `stages()`, or another stage has not ended yet.
        """
        with self._draft.lock:
            self._draft.enter(name, now=self._clock.now())
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
            TypeError, ValueError: a value is not JSON or nested too deep, or `meta` would exceed RESULT_MAX_BYTES.
        """
        admitted, _ = normalize(values)
        with self._draft.lock:
            self._draft.merge(admitted, limit=get_settings().RESULT_MAX_BYTES)
        self._draft.touch()

    def log(self, text: object, level: str = "info") -> None:
        """Append each line of `text` to the log of this task, which all its viewers may read.

        Args:
            text: a text for people; viewers see at most 1000 characters of a line.
            level: a name such as "info" or "error"; viewers see it in lower case, at most 20 characters.

        Raises:
            TypeError, ValueError: `level` is not a string, or is empty.
        """
        self._journal.append(str(text), check_level(level), now=self._clock.now())
        self._draft.touch()

    @property
    def cancelled(self) -> bool:
        """Whether the task was asked to stop."""
        return self._draft.is_cancelled

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if the task was asked to stop."""
        self._draft.raise_if_cancelled()

    def _leave_stage(self, state: State) -> None:
        with self._draft.lock:
            self._draft.leave(state, now=self._clock.now())
        self._draft.touch()
