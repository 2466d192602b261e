"""The write path: what a job calls, and `progress`, the proxy for the task that runs in this context."""

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from django.utils.crypto import get_random_string

from .conf import get_settings
from .exceptions import TaskCancelled
from .flusher import Flusher, get_flusher
from .state import Pace, Report, Snapshot, Stage, State, encode_json, percent_of

T = TypeVar("T")


class Progress:
    """What a job tells of itself. Every method but `track` may be called from any thread; none does I/O or waits."""

    def __init__(self, snapshot: Snapshot, *, flusher: Flusher | None = None, is_stored: bool = False) -> None:
        self.task_id = snapshot.task_id
        #: Called once, in some thread, when someone asked to cancel; an executor may stop the job by it.
        self.on_cancel: Callable[[], None] | None = None
        #: The task that the context was bound to before this one, for whoever binds and unbinds it.
        self.outer: Progress | None = None
        self._flusher = flusher or get_flusher()
        self._lock = threading.Lock()
        self._snapshot = snapshot
        self._written = snapshot if is_stored else None
        self._next_beat = self._flusher.clock.monotonic() + get_settings().HEARTBEAT
        self._is_dirty = False
        self._is_cancelled = False
        self._forget_report()

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
        if current is not None:
            current = _check_number("current", current)
        if total is not None:
            total = _check_number("total", total)
        with self._lock:
            if current is not None:
                self._current = current
            if total is not None:
                self._total = total
            if status is not None:
                self._status = str(status)
            if unit is not None:
                self._unit = str(unit)
        self._touch()

    def advance(self, n: float = 1) -> None:
        """Add `n` to `current`.

        Raises:
            TypeError, ValueError: `n` is not a finite number.
        """
        n = _check_number("n", n)
        with self._lock:
            self._current = (self._current or 0) + n
        self._touch()

    def track(
        self,
        iterable: "Iterable[T] | AsyncIterable[T]",
        *,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> "Tracked[T]":
        """Wrap an iterable, or an async iterable, so that each step counts as one.

        A `track` inside another one of the same task only looks for a cancel: the outer one is the progress.

        Args:
            iterable: what to iterate over, once.
            total: how many steps there will be; by default `len(iterable)` where it has one.
            status, unit: as in `update`.

        Returns:
            An object for `for` or `async for`, which raises `TaskCancelled` at the step after a cancel.
        """
        if total is not None:
            total = _check_number("total", total)
        return Tracked(self, iterable, total, status, unit)

    def stages(self, weights: Mapping[str, float]) -> None:
        """Declare the phases of this task, in order, with the share of the whole that each has.

        Raises:
            TypeError, ValueError: there is none, or a weight is not a finite number above 0.
        """
        stages = tuple(Stage(name=str(name), weight=_check_weight(name, weights[name])) for name in weights)
        if not stages:
            raise ValueError("stages() needs at least one stage, not {}")
        with self._lock:
            self._stages = stages
            self._active = None
            self._current = self._total = None
        self._touch()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Enter a declared phase: `update` and `track` inside fill its share.

        Raises:
            ValueError: `name` was not declared by `stages()`, or another stage has not ended yet.
        """
        self._enter_stage(name)
        try:
            yield
        except (TaskCancelled, asyncio.CancelledError):
            self._leave_stage(State.CANCELLED)
            raise
        except BaseException:
            self._leave_stage(State.FAILED)
            raise
        self._leave_stage(State.SUCCEEDED, percent=100.0)

    def meta(self, **values: Any) -> None:
        """Merge JSON values into `meta`, which viewers see.

        Raises:
            TypeError, ValueError: a value is not JSON, or all of them are over RESULT_MAX_BYTES.
        """
        limit = get_settings().RESULT_MAX_BYTES
        with self._lock:
            merged = {**self._meta, **values}
            size = len(text := encode_json(merged))
            if size > limit:
                raise ValueError(f"meta would have {size!r} bytes as JSON; RESULT_MAX_BYTES allows {limit!r}")
            self._meta = json.loads(text)
        self._touch()

    @property
    def cancelled(self) -> bool:
        """Did someone ask this task to stop?"""
        return self._is_cancelled

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if someone asked this task to stop."""
        if self._is_cancelled:
            raise TaskCancelled(f"task {self.task_id} was asked to stop")

    # What follows is for executors and the flusher.

    @property
    def snapshot(self) -> Snapshot:
        """What was last made known, or will be next."""
        return self._snapshot

    @property
    def is_sampled(self) -> bool:
        return self._trackers > 0

    @property
    def awaits_cancel(self) -> bool:
        return not self._is_cancelled and not self._snapshot.is_terminal

    @property
    def has_ended(self) -> bool:
        return self._snapshot.is_terminal

    def begin(self) -> None:
        """The job starts now: a new attempt."""
        with self._lock:
            self._forget_report()
            self._snapshot = self._snapshot.begun(now=self._flusher.clock.now())
        self._touch()

    def wait_in_line(self, position: int | None) -> None:
        """The job is the `position`th to start; 1 is next."""
        with self._lock:
            self._snapshot = self._snapshot.waiting(position, now=self._flusher.clock.now())
        self._touch()

    def succeed(self, result: Any = None) -> None:
        """The job returned `result`."""
        result, omitted = _admit_result(result)
        self._end(lambda snapshot, now: snapshot.succeeded(result, now=now, omitted=omitted))

    def fail(self, error: BaseException) -> None:
        """The job raised `error`; one that says it was cancelled ends it as that."""
        if isinstance(error, TaskCancelled | asyncio.CancelledError):
            self.end_cancelled()
        else:
            self.fail_as(type(error).__name__, str(error))

    def fail_as(self, kind: str, message: str) -> None:
        """The job failed with an exception of type `kind`; `message` is dropped unless errors are exposed."""
        shown = message if get_settings().exposes_errors else None
        self._end(lambda snapshot, now: snapshot.failed(kind, shown, now=now))

    def end_cancelled(self) -> None:
        """The job stopped because it was asked to, or never began."""
        self._end(lambda snapshot, now: snapshot.cancelled(now=now))

    def request_cancel(self) -> None:
        """Tell the job to stop: by the flag that it looks at, and by `on_cancel`."""
        with self._lock:
            if self._is_cancelled or self._snapshot.is_terminal:
                return
            self._is_cancelled = True
        self._touch()
        if self.on_cancel is not None:
            self.on_cancel()

    def take(self) -> Snapshot | None:
        clock = self._flusher.clock
        with self._lock:
            self._absorb_report()
            if self._snapshot is self._written:
                if clock.monotonic() < self._next_beat:
                    return None
                self._snapshot = self._snapshot.beating()
            return self._snapshot

    def mark_written(self, snapshot: Snapshot) -> bool:
        self._written = snapshot
        self._next_beat = self._flusher.clock.monotonic() + get_settings().HEARTBEAT
        return snapshot.is_terminal

    def _touch(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._flusher.wake()

    def _end(self, change: Callable[[Snapshot, Any], Snapshot]) -> None:
        with self._lock:
            self._absorb_report()
            self._snapshot = change(self._snapshot, self._flusher.clock.now())
        self._flusher.wake(urgently=True)

    def _forget_report(self) -> None:
        self._current: float | None = None
        self._total: float | None = None
        self._unit: str | None = None
        self._status: str | None = None
        self._stages: tuple[Stage, ...] = ()
        self._active: str | None = None
        self._meta: dict[str, Any] = dict(self._snapshot.meta)
        self._trackers = 0
        self._unit_pace = Pace()
        self._percent_pace = Pace()

    def _absorb_report(self) -> None:
        """Bring the snapshot up to what the job has said; the caller holds the lock."""
        if not (self._is_dirty or self._trackers) or self._snapshot.is_terminal:
            return
        self._is_dirty = False
        clock = self._flusher.clock
        time = clock.monotonic()
        report = self._build_report()
        self._unit_pace = self._unit_pace.observed(report.current, time=time)
        self._percent_pace = self._percent_pace.observed(report.percent, time=time)
        self._snapshot = self._snapshot.reported(
            report,
            now=clock.now(),
            rate=self._unit_pace.per_second,
            eta=self._percent_pace.seconds_until(100.0),
        )

    def _build_report(self) -> Report:
        if self._active is not None:
            percent = percent_of(self._current, self._total)
            if percent is not None:
                self._stages = _change_stage(self._stages, self._active, percent=percent)
        return Report(
            current=self._current,
            total=self._total,
            unit=self._unit,
            status=self._status,
            stages=self._stages,
            meta=self._meta,
            cancel_requested=self._is_cancelled,
        )

    def _enter_stage(self, name: str) -> None:
        with self._lock:
            names = [stage.name for stage in self._stages]
            if name not in names:
                raise ValueError(f"unknown stage {name!r}; declared by stages(): {names!r}")
            if self._active is not None:
                raise ValueError(f"stage {name!r} can't begin inside stage {self._active!r}")
            self._active = name
            self._current = self._total = self._unit = None
            self._stages = _change_stage(self._stages, name, state=State.RUNNING)
        self._touch()

    def _leave_stage(self, state: State, **changes: float) -> None:
        with self._lock:
            stages = self._build_report().stages
            self._stages = _change_stage(stages, self._active, state=state, **changes)
            self._active = None
            self._current = self._total = self._unit = None
        self._touch()


class Tracked(Generic[T]):
    """An iterable that reports its steps; made by `Progress.track`."""

    def __init__(
        self,
        progress: Progress,
        iterable: Iterable[T] | AsyncIterable[T],
        total: float | None,
        status: object,
        unit: str | None,
    ) -> None:
        if not isinstance(iterable, Iterable | AsyncIterable):
            raise TypeError(f"track() takes an iterable or an async iterable, not {iterable!r}")
        self._progress = progress
        self._iterable = iterable
        self._total = total
        self._status = status
        self._unit = unit

    def __iter__(self) -> Iterator[T]:
        # The loop pays for memory alone: no clock, no lock; the flusher looks at `_current` when it is due.
        if not isinstance(self._iterable, Iterable):
            raise TypeError(f"{self._iterable!r} is not iterable; use 'async for'")
        if self._total is None and isinstance(self._iterable, Sized):
            self._total = len(self._iterable)
        progress, steps = self._progress, self._begin()
        try:
            for item in self._iterable:
                if progress._is_cancelled:
                    progress.raise_if_cancelled()
                yield item
                if steps is not None:
                    progress._current = steps = steps + 1
        finally:
            self._end(steps)

    async def __aiter__(self) -> AsyncIterator[T]:
        if not isinstance(self._iterable, AsyncIterable):
            raise TypeError(f"{self._iterable!r} is not an async iterable; use 'for'")
        progress, steps = self._progress, self._begin()
        try:
            async for item in self._iterable:
                if progress._is_cancelled:
                    progress.raise_if_cancelled()
                yield item
                if steps is not None:
                    progress._current = steps = steps + 1
        finally:
            self._end(steps)

    def _begin(self) -> int | None:
        """Return 0, or None where an outer loop is the progress already."""
        if self._progress._trackers:
            return None
        self._progress.update(current=0, total=self._total, status=self._status, unit=self._unit)
        with self._progress._lock:
            self._progress._trackers += 1
        return 0

    def _end(self, steps: int | None) -> None:
        if steps is None:
            return
        with self._progress._lock:
            self._progress._trackers -= 1
        self._progress._touch()


class NullProgress(Progress):
    """What `progress` stands for outside a task: every call is a harmless no-op."""

    def __init__(self) -> None:
        self.task_id = ""
        self._is_cancelled = False

    def update(self, **values: Any) -> None:
        pass

    def advance(self, n: float = 1) -> None:
        pass

    def track(self, iterable: Any, **options: Any) -> Any:
        return iterable

    def stages(self, weights: Mapping[str, float]) -> None:
        pass

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        yield

    def meta(self, **values: Any) -> None:
        pass


class CurrentProgress:
    """The proxy behind `progress`: whatever it is asked, the task that runs in this context answers."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_bound.get() or _NULL, name)

    def __repr__(self) -> str:
        return f"<progress of task {self.task_id!r}>" if self.task_id else "<progress outside a task>"


class task_run:  # noqa: N801 - used like a function
    """Track any code as a task: `with task_run("nightly-import") as progress:`, or `async with`.

    The task ends as `succeeded`, as `cancelled` if the block raises `TaskCancelled` or is cancelled, else as `failed`;
    what the block raises goes on to the caller.

    Args:
        name: the task's name, shown to viewers.
        owner: who may see it: a user, a user's primary key, or None.
    """

    def __init__(self, name: str, owner: object = None) -> None:
        flusher = get_flusher()
        snapshot = Snapshot.queued(
            get_random_string(32), str(name), now=flusher.clock.now(), owner=identify_owner(owner)
        )
        self._progress = Progress(snapshot, flusher=flusher)

    def __enter__(self) -> Progress:
        self._progress.begin()
        self._flusher.add(self._progress)
        self._progress.outer = bind(self._progress)
        return self._progress

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        bind(self._progress.outer)
        if error is None:
            self._progress.succeed()
        elif isinstance(error, KeyboardInterrupt):
            self._progress.end_cancelled()
        else:
            self._progress.fail(error)

    async def __aenter__(self) -> Progress:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    @property
    def _flusher(self) -> Flusher:
        return self._progress._flusher


def bind(progress: Progress | None) -> Progress | None:
    """Make this the task of the running context; return the one it was before."""
    before = _bound.get()
    _bound.set(progress)
    return before


def get_bound() -> Progress | None:
    """Return the task of the running context."""
    return _bound.get()


def find_reporter(task_id: str) -> Progress | None:
    """Return the reporter of a task that runs, or waits, in this process."""
    return cast("Progress | None", get_flusher().find(task_id))


def identify_owner(owner: object) -> str | None:
    """Return what is stored of an owner: the primary key of a user, as text.

    Raises:
        ValueError: a user that was never saved, such as an AnonymousUser.
    """
    if owner is None:
        return None
    key = getattr(owner, "pk", owner if isinstance(owner, str | int) else None)
    if key is None:
        raise ValueError(f"owner must be None, a saved user or a primary key, not {owner!r}")
    return str(key)


def _check_number(name: str, value: Any) -> float:
    kind = type(value)
    if kind is not int and kind is not float and (kind is bool or not isinstance(value, Real | Decimal)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        as_float = float(value)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return int(value) if as_float.is_integer() else as_float


def _check_weight(name: str, value: Any) -> float:
    weight = _check_number(f"the weight of stage {name!r}", value)
    if weight <= 0:
        raise ValueError(f"the weight of stage {name!r} must be above 0, not {value!r}")
    return weight


def _change_stage(stages: tuple[Stage, ...], name: str | None, **changes: Any) -> tuple[Stage, ...]:
    return tuple(replace(stage, **changes) if stage.name == name else stage for stage in stages)


def _admit_result(result: Any) -> tuple[Any, str | None]:
    """Return the result as JSON would give it back, or None and why it is left out."""
    limit = get_settings().RESULT_MAX_BYTES
    try:
        text = encode_json(result)
    except (TypeError, ValueError, RecursionError) as error:
        return None, f"The result is not JSON: {error}"
    if len(text) > limit:
        return None, f"The result has {len(text)} bytes as JSON; at most {limit} are kept."
    return json.loads(text), None


_bound: ContextVar[Progress | None] = ContextVar("tasks_app_progress", default=None)
_NULL = NullProgress()

#: The task that runs in this thread or coroutine.
progress = cast(Progress, CurrentProgress())
