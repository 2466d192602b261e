"""The reports of a job until they become a snapshot. Pure."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..exceptions import TaskCancelled
from ..snapshot import History, Pace, Report, Snapshot, Stage, State, foresee, percent_of
from ..utils.json import encode_json
from .counts import Count, Sum, add, find_share
from .values import find_stage


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
        #: The maker of the exception that stops the job.
        self.cancel_error: Callable[[str], TaskCancelled] = TaskCancelled
        #: Whether nothing more is reported of the task from here.
        self.is_closed = False
        #: Called before the counts are read, to set those that other threads have.
        self.pulls: tuple[Callable[[], None], ...] = ()
        self._wake = wake
        #: What runs beside the job's own count and adds up to it.
        self.added = Sum()
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
        self.meta: Mapping[str, Any] = meta  # never changed in place
        self._active: str | None = None
        self._loop_total: float | None = None
        if self.added:
            self.added = Sum()
        #: What runs inside the current step of the job's loop.
        self.inners: Sequence[Count] = ()
        #: What runs in a stage that the job itself has not entered, by its name.
        self._parallel: Mapping[str, Sum] = _NO_PARTS
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
            current, total, _ = self._count_all()
            is_done = current is not None and (total is None or current >= total)
        return self.status if is_done and self._said_at == self._find_place() else None

    def touch(self) -> None:
        """Mark a change, and wake the flusher if it is the first one."""
        if not (self.is_dirty or self.is_closed):
            self.is_dirty = True
            self._wake()

    def raise_if_cancelled(self) -> None:
        """Raise what `cancel_error` makes if the task was asked to stop."""
        if self.is_cancelled:
            raise self.cancel_error(f"task {self.task_id} was asked to stop")

    @property
    def is_sampled(self) -> bool:
        """Whether the flusher must poll for changes."""
        has_parts = not self.is_closed and (bool(self.pulls) or self.added.is_running)
        return self.is_dirty or self.is_tracking or has_parts

    def close(self) -> None:
        """Take no more reports of other threads and processes."""
        self.is_closed = True
        self.pulls = ()

    def begin_loop(self, total: float | None) -> bool:
        """Let a loop set the progress of the task; return False while another one does.

        Args:
            total: the number of steps; None if unknown.
        """
        with self.lock:
            if self.is_tracking:
                return False
            self.is_tracking = True
            self.inners = ()
            self.added.forget_ended()
            if self.total == self._loop_total:  # the total of an earlier loop does not apply to this one
                self.total = None
            self._loop_total = total
        return True

    @property
    def has_own_total(self) -> bool:
        """Whether the job itself has set a total, outside of loops."""
        return not self.is_tracking and self.total is not None and self.total != self._loop_total

    def overrules(self, counter: object) -> bool:
        """Return whether what is reported elsewhere holds instead of the count of a loop."""
        return False

    def set_loop(self, current: float, total: float | None) -> None:
        """Set what is done, and the total, of the outermost loop; the caller holds the lock."""
        self.current, self.total = current, total
        self._loop_total = total

    def pull(self) -> None:
        """Set the counts that other threads have; the caller holds the lock."""
        for pull in self.pulls:
            pull()

    def add_beside(self, total: float | None) -> Count:
        """Return the count of a loop that runs in parallel with others, to which it adds up."""
        count = Count(total)
        with self.lock:
            self.pull()  # what is over is put together by it, and perhaps not yet read
            self.added.add(count)
        return count

    def end_loop(self) -> None:
        """End the loop, without lock or wake-up, since the garbage collector may call this at any point."""
        self.is_dirty = True
        self.is_tracking = False

    def declare(self, stages: tuple[Stage, ...]) -> None:
        """Divide the task into these stages."""
        self.stages = stages
        self._active = None
        self._parallel = _NO_PARTS
        self._begin_count()

    def enter(self, name: str, *, now: datetime) -> None:
        """Begin a stage.

        Raises:
            ValueError: `name` was not declared, or another stage has not ended.
        """
        name = find_stage(name, [stage.name for stage in self.stages])
        if self._active is not None:
            raise ValueError(f"stage {name!r} can't begin inside stage {self._active!r}")
        self._active = name
        self._change_stage(name, state=State.RUNNING, started_at=now, finished_at=None)
        self._begin_count()

    def enter_parallel(self, name: str, count: Count, *, now: datetime) -> None:
        """Have a count fill the share of a stage, with others that do; the job itself may be elsewhere.

        Raises:
            ValueError: `name` was not declared.
        """
        name = find_stage(name, [stage.name for stage in self.stages])
        added = self._parallel.get(name) or Sum()
        self._parallel = {**self._parallel, name: added}
        if name != self._active and not added.is_running:
            self._change_stage(name, state=State.RUNNING, started_at=now, finished_at=None)
        added.add(count)

    def leave_parallel(self, name: str, count: Count, state: State, *, now: datetime) -> None:
        """Take a count out of a stage, and end the stage with its last one."""
        self._fill_stage()
        count.is_over = True
        if name != self._active and not self._is_parallel(name):
            self._end_stage(name, state, now)

    def leave(self, state: State, *, now: datetime) -> None:
        """End the current stage; if it succeeded, it counts as 100 %."""
        self._fill_stage()
        if (name := self._active) is not None:
            self._active = None
            if not self._is_parallel(name):
                self._end_stage(name, state, now)
        self._begin_count()

    def merge(self, values: Mapping[str, Any], *, limit: int) -> None:
        """Merge values into `meta`.

        Args:
            values: JSON values, made by `normalize`.
            limit: the bytes that `meta` may have as JSON.

        Raises:
            ValueError: `meta` would exceed `limit`.
        """
        while True:
            before = self.meta
            meta = {**before, **values}
            if (size := len(encode_json(meta))) > limit:
                raise ValueError(f"meta would have {size!r} bytes as JSON; RESULT_MAX_BYTES allows {limit!r}")
            if self.meta is before:  # else a signal handler has merged others; see `advance`
                self.meta = meta
                return

    def apply_to(
        self, snapshot: Snapshot, *, now: datetime, monotonic: float, history: History | None = None
    ) -> Snapshot:
        """Return `snapshot` with the values of this draft; `history` are the earlier runs of the task, if known."""
        self.is_dirty = False
        self.pull()
        self._fill_stage()
        current, total, extra = self._count_all()
        report = Report(
            current=current,
            total=total,
            extra=extra,
            unit=self.unit,
            status=self.status,
            stages=self.stages,
            meta=self.meta,
            cancel_requested=self.is_cancelled,
        )
        self._unit_pace = self._unit_pace.observed(report.current, time=monotonic)
        self._percent_pace = self._percent_pace.observed(report.percent, time=monotonic)
        by_speed = self._percent_pace.seconds_until(100.0)
        forecast = foresee(snapshot, report, history, by_speed=by_speed, now=now)
        return snapshot.reported(report, now=now, rate=self._unit_pace.per_second, **forecast._asdict())

    def _find_place(self) -> object:
        return self._count_all()[0], self.is_tracking, self._active, tuple(stage.state for stage in self.stages)

    def _count_all(self) -> tuple[float | None, float | None, float]:
        """Return what is done, the total, and what is done of the steps that run, in steps."""
        extra = find_share(self.inners, self.current) if self.is_tracking else 0.0
        if not self.added:
            return self.current, self.total, extra
        current, added_total, total = self.added.current, self.added.total, self.total
        if total is None or (added_total is not None and total == self._loop_total):
            total = None if total is None and added_total is None else add(total or 0, added_total or 0)
        if self.current is None and not current and added_total is None:
            return None, total, extra
        return add(self.current or 0, current), total, extra + self.added.extra

    def _begin_count(self) -> None:
        self.current = self.total = self.unit = None
        self.inners = ()
        self.added.begin()

    def _fill_stage(self) -> None:
        for name, added in self._parallel.items():
            if added.is_running:
                self._fill(name, added.current + added.extra, added.total)
        if self._active is not None:
            current, total, extra = self._count_all()
            self._fill(self._active, None if current is None else current + extra, total)

    def _fill(self, name: str, current: float | None, total: float | None) -> None:
        percent = percent_of(current, total)
        if percent is not None:
            self._change_stage(name, percent=percent)

    def _end_stage(self, name: str, state: State, now: datetime) -> None:
        done = {"percent": 100.0} if state is State.SUCCEEDED else {}
        self._change_stage(name, state=state, finished_at=now, **done)

    def _is_parallel(self, name: str) -> bool:
        return name in self._parallel and self._parallel[name].is_running

    def _change_stage(self, name: str, **changes: Any) -> None:
        self.stages = tuple(replace(stage, **changes) if stage.name == name else stage for stage in self.stages)


#: Those of a job which has reported nothing.
_NO_PACE = Pace()
_NO_PARTS: Mapping[str, Sum] = {}
