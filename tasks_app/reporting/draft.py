"""The reports of a job until they become a snapshot. Pure."""

import math
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from numbers import Real
from typing import Any

from ..exceptions import TaskCancelled
from ..snapshot import MAX_NAME_LENGTH, Pace, Report, Snapshot, Stage, State, percent_of
from ..utils.json import encode_json, mend_text


class Draft:
    """The values that a job has reported; `Progress` writes them and `Reporter` reads them, both holding `lock`.

    Args:
        task_id: the id of the task.
        meta: the `meta` that earlier attempts have set.
        wake: called at the first change after `apply_to`.
    """

    def __init__(self, task_id: str, meta: Mapping[str, Any], *, wake: Callable[[], None]) -> None:
        self.task_id = task_id
        self.lock = threading.RLock()  # a signal handler of the job may report
        #: Whether there are changes that no snapshot has.
        self.is_dirty = False
        #: Whether a loop changes `current` without a call of `touch`.
        self.is_tracking = False
        #: Whether the task was asked to stop.
        self.is_cancelled = False
        #: The exception class that stops the job.
        self.cancel_error: type[TaskCancelled] = TaskCancelled
        self._wake = wake
        self.reset(meta)

    def reset(self, meta: Mapping[str, Any]) -> None:
        """Forget all reports, and set `meta`."""
        self.current: float | None = None
        self.total: float | None = None
        self.unit: str | None = None
        self.status: str | None = None
        self._said_at: object = None
        self._is_said_with_step = False
        self.stages: tuple[Stage, ...] = ()
        self.meta: Mapping[str, Any] = dict(meta)
        self._active: str | None = None
        self._loop_total: float | None = None
        self._unit_pace = self._percent_pace = _NO_PACE

    def say(self, status: str, *, is_with_step: bool) -> None:
        """Set the status, and remember the step with or after which it was set."""
        self.status = status
        self._said_at = self._find_place()
        self._is_said_with_step = is_with_step

    @property
    def last_words(self) -> str | None:
        """The status if it was set after the last step; one set with a step says what the job did in it."""
        if self.status is None or self._is_said_with_step:
            return None
        if self.stages:
            is_done = all(stage.state is State.SUCCEEDED for stage in self.stages)
        else:
            is_done = self.current is not None and (self.total is None or self.current >= self.total)
        return self.status if is_done and self._said_at == self._find_place() else None

    def touch(self) -> None:
        """Mark a change, and wake the flusher if it is the first one."""
        if not self.is_dirty:
            self.is_dirty = True
            self._wake()

    def raise_if_cancelled(self) -> None:
        """Raise `cancel_error` if the task was asked to stop."""
        if self.is_cancelled:
            raise self.cancel_error(f"task {self.task_id} was asked to stop")

    def begin_loop(self, total: float | None) -> bool:
        """Let a loop set the progress of the task; return False inside another loop.

        Args:
            total: the number of steps; None if unknown.
        """
        with self.lock:
            if self.is_tracking:
                return False
            self.is_tracking = True
            if self.total == self._loop_total:  # the total of an earlier loop does not apply to this one
                self.total = None
            self._loop_total = total
        return True

    def end_loop(self) -> None:
        """End the loop, without lock or wake-up, since the garbage collector may call this at any point."""
        self.is_dirty = True
        self.is_tracking = False

    def declare(self, stages: tuple[Stage, ...]) -> None:
        """Divide the task into these stages."""
        self.stages = stages
        self._active = None
        self._begin_count()

    def enter(self, name: str, *, now: datetime) -> None:
        """Begin a stage.

        Raises:
            ValueError: `name` was not declared, or another stage has not ended.
        """
        name = mend_text(str(name))  # as `make_stages` takes it
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f"unknown stage {name!r}; declared by stages(): {names!r}")
        if self._active is not None:
            raise ValueError(f"stage {name!r} can't begin inside stage {self._active!r}")
        self._active = name
        self._change_stage(state=State.RUNNING, started_at=now, finished_at=None)
        self._begin_count()

    def leave(self, state: State, *, now: datetime) -> None:
        """End the current stage; if it succeeded, it counts as 100 %."""
        self._fill_stage()
        self._change_stage(state=state, finished_at=now, **({"percent": 100.0} if state is State.SUCCEEDED else {}))
        self._active = None
        self._begin_count()

    def merge(self, values: Mapping[str, Any], *, limit: int) -> None:
        """Merge values into `meta`.

        Args:
            values: JSON values, made by `normalize`.
            limit: the bytes that `meta` may have as JSON.

        Raises:
            ValueError: `meta` would exceed `limit`.
        """
        meta = {**self.meta, **values}
        if (size := len(encode_json(meta))) > limit:
            raise ValueError(f"meta would have {size!r} bytes as JSON; RESULT_MAX_BYTES allows {limit!r}")
        self.meta = meta

    def apply_to(self, snapshot: Snapshot, *, now: datetime, monotonic: float) -> Snapshot:
        """Return `snapshot` with the values of this draft."""
        self.is_dirty = False
        self._fill_stage()
        report = Report(
            current=self.current,
            total=self.total,
            unit=self.unit,
            status=self.status,
            stages=self.stages,
            meta=self.meta,
            cancel_requested=self.is_cancelled,
        )
        self._unit_pace = self._unit_pace.observed(report.current, time=monotonic)
        self._percent_pace = self._percent_pace.observed(report.percent, time=monotonic)
        rate, eta = self._unit_pace.per_second, self._percent_pace.seconds_until(100.0)
        return snapshot.reported(report, now=now, rate=rate, eta=eta)

    def _find_place(self) -> object:
        return self.current, self.is_tracking, self._active, tuple(stage.state for stage in self.stages)

    def _begin_count(self) -> None:
        self.current = self.total = self.unit = None

    def _fill_stage(self) -> None:
        percent = percent_of(self.current, self.total)
        if self._active is not None and percent is not None:
            self._change_stage(percent=percent)

    def _change_stage(self, **changes: Any) -> None:
        self.stages = tuple(
            replace(stage, **changes) if stage.name == self._active else stage for stage in self.stages
        )


#: That of a job which has reported nothing.
_NO_PACE = Pace()


def make_stages(weights: Mapping[str, float], *, limit: int) -> tuple[Stage, ...]:
    """Return stages with these weights.

    Args:
        limit: how many there may be, since each snapshot carries all of them.

    Raises:
        TypeError, ValueError: `weights` is empty or has more than `limit`, a name has more than MAX_NAME_LENGTH
            characters, or a weight is not a finite number above 0.
    """
    if not weights:
        raise ValueError("stages() needs at least one stage, not {}")
    if (number := len(weights)) > limit:
        raise ValueError(f"stages() was given {number!r} stages; MAX_STAGES allows {limit!r}")
    if long := [name for name in weights if len(str(name)) > MAX_NAME_LENGTH]:
        raise ValueError(f"a stage's name may have at most {MAX_NAME_LENGTH!r} characters, not {long[0]!r}")
    return tuple(Stage(name=mend_text(str(name)), weight=_check_weight(name, weights[name])) for name in weights)


#: Integers of up to this many bits are exact as floats.
EXACT_BITS = sys.float_info.mant_dig


def check_number(name: str, value: Any) -> float:
    """Return `value` as an int or float that JSON can carry.

    Raises:
        TypeError, ValueError: `value` is not a finite number; the message names it `name`.
    """
    if type(value) is int and value.bit_length() <= EXACT_BITS:  # the usual case, tested first for speed
        return value
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
    weight = check_number(f"the weight of stage {name!r}", value)
    if weight <= 0:
        raise ValueError(f"the weight of stage {name!r} must be above 0, not {value!r}")
    return weight
