"""The snapshot of a task, with its changes and its JSON. Pure: the time is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from ..utils.clock import format_time
from ..utils.json import decode_json, encode_json
from .copying import replace
from .state import (
    DEFAULT_STATUS,
    GENERIC_MESSAGE,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_STATUS_LENGTH,
    MAX_TASK_LENGTH,
    Report,
    Stage,
    State,
    cut,
    floor_percent,
)
from .stored_fields import read_fields


@dataclass(frozen=True, kw_only=True)  # without slots: it is copied at each change
class Snapshot:
    """Everything known of a task at one moment; each change is a method that returns a new snapshot.

    The fields are those of the wire, plus nine private ones that never leave the servers:

    - `owner`: the primary key of the owning user, as text, or ANYONE or GONE; None: it has none.
    - `beat`: the number of the latest heartbeat; None: no process sends any, so silence means nothing.
    - `runner`: the name of what can take back a waiting task, a framework or `task_run`; None: the reporting process.
    - `logged`: the offset after the last line of its log.
    - `not_before`: the time until which a queued task waits on purpose; None: it may begin at once.
    - `expires_at`: the time after which no executor begins a queued task; None: it waits for ever.
    - `written_at`: when its process last wrote it, by the clock of that process; None: unknown.
    - `allows_failures`: whether a parent succeeds although some of its children did not.
    - `is_summed`: whether this is a parent with its children, as viewers see it, and not its own record alone.
    """

    task_id: str
    task: str
    label: str | None = None
    state: State = State.QUEUED
    progress: int = 0
    percent: float | None = None
    status: str = DEFAULT_STATUS[State.QUEUED]
    current: float | None = None
    total: float | None = None
    unit: str | None = None
    rate: float | None = None
    eta: float | None = None
    expected: float | None = None
    stages: tuple[Stage, ...] = ()
    parent: str | None = None
    children: Mapping[str, int] | None = None
    attempt: int = 0
    queue_position: int | None = None
    created_at: datetime
    started_at: datetime | None = None
    updated_at: datetime
    finished_at: datetime | None = None
    cancel_requested: bool = False
    stalled: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    result_omitted: str | None = None
    conclusion: str | None = None
    error: Mapping[str, str] | None = None
    seq: int = 1
    owner: str | None = None
    beat: int | None = None
    runner: str | None = None
    logged: int = 0
    not_before: datetime | None = None
    expires_at: datetime | None = None
    written_at: datetime | None = None
    allows_failures: bool = False
    is_summed: bool = False

    @staticmethod
    def queued(task_id: str, task: str, *, now: datetime, **private: Any) -> "Snapshot":
        """Return the first snapshot of a task; `private` may set private fields and some others."""
        task = cut(task, MAX_TASK_LENGTH)
        return replace(_BLANK, task_id=task_id, task=task, created_at=now, updated_at=now, meta={}, **private)

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended."""
        return self.state.is_terminal

    @property
    def waits_for(self) -> float:
        """The seconds that a queued task waits on purpose after its last change."""
        if self.state is not State.QUEUED or self.not_before is None:
            return 0.0
        return max((self.not_before - self.updated_at).total_seconds(), 0.0)

    @property
    def has_heartbeats(self) -> bool:
        """Whether some process gives heartbeats of the task, so that silence means something."""
        return self.state is State.RUNNING or (self.beat is not None and not self.is_terminal)

    @property
    def event_id(self) -> str:
        """The id of this version as viewers see it; opaque to clients."""
        if self.state is State.LOST:  # a worker that was only cut off may return and use the same seq
            return f"{self.seq}-lost"
        return f"{self.seq}-stalled" if self.stalled else str(self.seq)

    def begun(self, *, now: datetime) -> Self:
        """Return the snapshot of a new attempt: running, with no reports but the `meta` of earlier attempts."""
        return self._changed(
            now,
            state=State.RUNNING,
            status=DEFAULT_STATUS[State.RUNNING],
            attempt=self.attempt + 1,
            beat=(self.beat or 0) + 1,
            started_at=now,
            finished_at=None,
            is_summed=False,
            queue_position=None,
            progress=0,
            stages=(),
            **{**dict.fromkeys(_REPORTED_FIELDS), "eta": self.expected},
        )

    def reported(self, report: Report, *, now: datetime, rate: float | None = None, **forecast: float | None) -> Self:
        """Return the snapshot with the job's report, or `self` if nothing in it is new.

        `progress` never decreases, and stays below 100 until the task ends. `current` and `total` are as reported;
        `rate` is in units per second; `forecast` may set `expected` and `eta`, in seconds.
        """
        percent = report.percent
        if percent is not None:
            percent = max(percent, self.percent or 0.0)
        progress = self.progress if percent is None else max(self.progress, min(floor_percent(percent), 99))
        status = self.status if report.status is None else cut(report.status, MAX_STATUS_LENGTH)
        news = {
            "progress": progress,
            "percent": percent,
            "status": status,
            "current": report.current,
            "total": report.total,
            "unit": report.unit and cut(report.unit, MAX_NAME_LENGTH),
            "stages": report.stages,
            "meta": report.meta,
            "cancel_requested": report.cancel_requested,
        }
        if all(getattr(self, name) == value for name, value in news.items()):
            return self
        return self._changed(now, rate=rate, **forecast, **news)

    def requeued(self, *, now: datetime, **times: datetime | None) -> Self:
        """Return the snapshot of a task that waits for its next attempt; its reports stay until that begins.

        `times` may set `not_before` and `expires_at`.
        """
        if self.is_terminal:
            return self
        return self._changed(
            now,
            state=State.QUEUED,
            status=DEFAULT_STATUS[State.QUEUED],
            beat=None,
            written_at=None,
            rate=None,
            eta=None,
            stages=self._stopped_stages(State.QUEUED),
            **times,
        )

    def waiting(self, position: int | None, *, now: datetime) -> Self:
        """Return the snapshot of a queued task at this position of the queue; 1 is next, None is unknown."""
        if self.state is not State.QUEUED or position == self.queue_position:
            return self
        return self._changed(now, queue_position=position)

    def beating(self) -> Self:
        """Return the snapshot with a new heartbeat; viewers see no difference."""
        return replace(self, beat=(self.beat or 0) + 1)

    def written(self, *, now: datetime) -> Self:
        """Return the snapshot as written at `now` by the process that gives heartbeats; viewers see no difference."""
        return replace(self, written_at=now) if self.has_heartbeats and self.written_at != now else self

    def having_logged(self, logged: int) -> Self:
        """Return the snapshot with `logged`, the offset after its last log line; viewers see no difference in it."""
        return self if logged == self.logged else replace(self, logged=logged)

    def as_stalled(self) -> Self:
        """Return the snapshot as viewers see it after STALLED_AFTER seconds of silence."""
        return replace(self, stalled=True)

    def succeeded(
        self, result: Any = None, *, now: datetime, omitted: str | None = None, said: str | None = None
    ) -> Self:
        """Return the terminal snapshot of a task; `omitted` says why its result is left out, `said` how it ended."""
        if self.is_terminal:
            return self
        stages = tuple(replace(stage, percent=100.0, state=State.SUCCEEDED) for stage in self.stages)
        outcome = {"result": result, "result_omitted": omitted, "conclusion": said and cut(said, MAX_STATUS_LENGTH)}
        return self._ended(State.SUCCEEDED, now, stages, progress=100, percent=100.0, **outcome)

    def failed(self, kind: str, message: str | None = None, *, now: datetime) -> Self:
        """Return the terminal snapshot of a task that failed; viewers see `kind`, and `message` or a generic text."""
        if self.is_terminal:
            return self
        ended = self._ended(State.FAILED, now, self._stopped_stages(State.FAILED))
        if message and ended.status == DEFAULT_STATUS[State.FAILED]:
            ended = replace(ended, status=cut(f"Failed: {message}", MAX_STATUS_LENGTH))
        return replace(ended, error={"type": kind, "message": cut(message or GENERIC_MESSAGE, MAX_MESSAGE_LENGTH)})

    def cancelled(self, *, now: datetime, status: str | None = None) -> Self:
        """Return the terminal snapshot of a task that was asked to stop, or stopped for the reason `status`."""
        if self.is_terminal:
            return self
        ended = self._ended(State.CANCELLED, now, self._stopped_stages(State.CANCELLED))
        if status is None:
            return replace(ended, cancel_requested=True)
        return replace(ended, status=status) if ended.status == DEFAULT_STATUS[State.CANCELLED] else ended

    def lost(self, *, now: datetime) -> Self:
        """Return the terminal snapshot of a task whose process is gone."""
        if self.is_terminal:
            return self
        return self._ended(State.LOST, now, self._stopped_stages(State.LOST))

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that viewers see."""
        values = vars(self)
        data = {name: values[name] for name in _WIRE_FIELDS}
        data |= {name: format_time(values[name]) for name in _TIME_FIELDS}
        data["stages"] = [stage.to_wire() for stage in self.stages]
        return {name: value for name, value in data.items() if value is not None or name not in _RARE_FIELDS}

    def to_json(self, wire: str | None = None) -> str:
        """Return the text to store: the JSON that viewers see, `wire` if it is encoded, and the private fields."""
        private = {name: getattr(self, name) for name in _PRIVATE_FIELDS}
        # Few tasks have all of these, and each heartbeat would carry them.
        private |= {name: True for name in _PRIVATE_FLAGS if getattr(self, name)}
        private |= {name: format_time(time) for name in _PRIVATE_TIMES if (time := getattr(self, name))}
        return f"{(wire or encode_json(self.to_wire()))[:-1]},{encode_json(private)[1:]}"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the snapshot from a text made by `to_json`.

        Raises:
            ValueError: `text` is not a stored snapshot.
        """
        try:
            data = {name: value for name, value in decode_json(text).items() if name in _STORED_FIELDS}
            return cls(**read_fields(data, times=(*_TIME_FIELDS, *_PRIVATE_TIMES)))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a stored snapshot: {str(text)[:80]!r}") from error

    def _changed(self, now: datetime, **changes: Any) -> Self:
        return replace(self, seq=self.seq + 1, updated_at=now, stalled=False, **changes)

    def _ended(self, state: State, now: datetime, stages: tuple[Stage, ...], **changes: Any) -> Self:
        """Return the terminal snapshot; `status` stays if the job set one, else it is the default of `state`."""
        is_default = self.status == DEFAULT_STATUS[self.state]
        return self._changed(
            now,
            state=state,
            status=DEFAULT_STATUS[state] if is_default else self.status,
            finished_at=now,
            queue_position=None,
            rate=None,
            eta=None,
            stages=stages,
            **changes,
        )

    def _stopped_stages(self, state: State) -> tuple[Stage, ...]:
        return tuple(replace(stage, state=state) if stage.state is State.RUNNING else stage for stage in self.stages)


#: What all first snapshots have in common: to copy it takes a third of the time.
_BLANK = Snapshot(task_id="", task="", created_at=datetime.min, updated_at=datetime.min)
_STORED_FIELDS = frozenset(item.name for item in fields(Snapshot))
_REPORTED_FIELDS = (
    *("percent", "current", "total", "unit", "rate", "eta"),
    *("result", "result_omitted", "conclusion", "error"),
)
_TIME_FIELDS = ("created_at", "started_at", "updated_at", "finished_at")
_RARE_FIELDS = frozenset({"result_omitted", "conclusion"})  # left out where there is none
_PRIVATE_FIELDS = ("owner", "beat", "runner", "logged")
_PRIVATE_FLAGS = ("allows_failures", "is_summed")
_PRIVATE_TIMES = ("not_before", "expires_at", "written_at")
_HIDDEN_FIELDS = (*_PRIVATE_FIELDS, *_PRIVATE_FLAGS, *_PRIVATE_TIMES)
_FIRST_FIELDS = ("progress", "status", "task_id", "task", "state", "seq")
_WIRE_FIELDS = _FIRST_FIELDS + tuple(
    item.name for item in fields(Snapshot) if item.name not in (*_FIRST_FIELDS, *_HIDDEN_FIELDS)
)
