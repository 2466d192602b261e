"""A snapshot of what is known of a task, and how it changes. Pure: the time is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from ..utils.clock import format_time, parse_time
from ..utils.json import decode_json, encode_json
from .state import (
    DEFAULT_STATUS,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_STATUS_LENGTH,
    MAX_TASK_LENGTH,
    Report,
    Stage,
    State,
    floor_percent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything known of a task at one moment; each change is a method that returns the new snapshot.

    The fields are those of the wire, and four that never leave the servers: `owner`, who may see the task; `beat`,
    the sign of life that a quiet task gives (None: nobody gives any, so that silence means nothing); `runner`, the
    name of the framework that can take the task back while it waits (None: the process that reports it); and
    `logged`, the offset after the last line of its log.
    """

    task_id: str
    task: str
    state: State = State.QUEUED
    progress: int = 0
    percent: float | None = None
    status: str = DEFAULT_STATUS[State.QUEUED]
    current: float | None = None
    total: float | None = None
    unit: str | None = None
    rate: float | None = None
    eta: float | None = None
    stages: tuple[Stage, ...] = ()
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
    error: Mapping[str, str] | None = None
    seq: int = 1
    owner: str | None = None
    beat: int | None = None
    runner: str | None = None
    logged: int = 0

    @classmethod
    def queued(cls, task_id: str, task: str, *, now: datetime, **private: Any) -> Self:
        """Return the first snapshot of a task, with its private fields; `attempt` is how often it was begun before."""
        return cls(task_id=task_id, task=task[:MAX_TASK_LENGTH], created_at=now, updated_at=now, **private)

    def renumbered(self, *, now: datetime) -> Self:
        """Return the first snapshot of a task of which nothing is stored, perhaps no more.

        Viewers may have seen versions that the cache has lost since: `seq` goes on from the time in milliseconds,
        beyond all of them, since no task changes that often.
        """
        return replace(self, seq=max(self.seq, int(now.timestamp() * 1000)))

    @property
    def is_terminal(self) -> bool:
        return self.state.is_terminal

    @property
    def event_id(self) -> str:
        """What tells two public versions of this task apart; opaque to clients."""
        if self.state is State.LOST:  # a worker that was only cut off may come back and use the same seq
            return f"{self.seq}-lost"
        return f"{self.seq}-stalled" if self.stalled else str(self.seq)

    def begun(self, *, now: datetime) -> Self:
        """Return the snapshot of a new attempt: running, with nothing reported yet but the `meta` of earlier ones."""
        return self._changed(
            now,
            state=State.RUNNING,
            status=DEFAULT_STATUS[State.RUNNING],
            attempt=self.attempt + 1,
            beat=(self.beat or 0) + 1,
            started_at=now,
            finished_at=None,
            queue_position=None,
            progress=0,
            percent=None,
            current=None,
            total=None,
            unit=None,
            rate=None,
            eta=None,
            stages=(),
            result=None,
            result_omitted=None,
            error=None,
        )

    def reported(self, report: Report, *, now: datetime, rate: float | None = None, eta: float | None = None) -> Self:
        """Return the snapshot with what the job reported, or `self` if that is nothing new.

        `progress` never goes back and stays below 100 while the task lives; `current` and `total` are as reported.
        """
        percent = report.percent
        if percent is not None:
            percent = max(percent, self.percent or 0.0)
        progress = self.progress if percent is None else max(self.progress, min(floor_percent(percent), 99))
        status = self.status if report.status is None else report.status[:MAX_STATUS_LENGTH]
        news = {
            "progress": progress,
            "percent": percent,
            "status": status,
            "current": report.current,
            "total": report.total,
            "unit": report.unit and report.unit[:MAX_NAME_LENGTH],
            "stages": report.stages,
            "meta": report.meta,
            "cancel_requested": report.cancel_requested,
        }
        if all(getattr(self, name) == value for name, value in news.items()):
            return self
        return self._changed(now, rate=rate, eta=eta, **news)

    def requeued(self, *, now: datetime) -> Self:
        """Return the snapshot of a task that waits to be begun anew; what it reported stays until then."""
        if self.is_terminal:
            return self
        return self._changed(
            now,
            state=State.QUEUED,
            status=DEFAULT_STATUS[State.QUEUED],
            beat=None,
            rate=None,
            eta=None,
            stages=self._stopped_stages(State.QUEUED),
        )

    def waiting(self, position: int | None, *, now: datetime) -> Self:
        """Return the snapshot of a queued task that is `position`th in line (1 is next)."""
        if self.state is not State.QUEUED or position == self.queue_position:
            return self
        return self._changed(now, queue_position=position)

    def beating(self) -> Self:
        """Return the snapshot with a new sign of life; viewers see no difference."""
        return replace(self, beat=(self.beat or 0) + 1)

    def having_logged(self, logged: int) -> Self:
        """Return the snapshot of a task whose log goes up to there; viewers of snapshots see no difference."""
        return self if logged == self.logged else replace(self, logged=logged)

    def as_stalled(self) -> Self:
        """Return what a viewer sees of a task that has given no sign of life for a while."""
        return replace(self, stalled=True)

    def succeeded(self, result: Any = None, *, now: datetime, omitted: str | None = None) -> Self:
        """Return the end of a task that returned `result`, which is left out for the reason `omitted`."""
        if self.is_terminal:
            return self
        stages = tuple(replace(stage, percent=100.0, state=State.SUCCEEDED) for stage in self.stages)
        ended = self._ended(State.SUCCEEDED, now, stages)
        return replace(ended, progress=100, percent=100.0, result=result, result_omitted=omitted)

    def failed(self, kind: str, message: str | None = None, *, now: datetime) -> Self:
        """Return the end of a task that raised an exception of type `kind`; without `message` viewers get none."""
        if self.is_terminal:
            return self
        ended = self._ended(State.FAILED, now, self._stopped_stages(State.FAILED))
        if message and ended.status == DEFAULT_STATUS[State.FAILED]:
            ended = replace(ended, status=f"Failed: {message}"[:MAX_STATUS_LENGTH])
        shown = (message or "The task failed.")[:MAX_MESSAGE_LENGTH]
        return replace(ended, error={"type": kind, "message": shown})

    def cancelled(self, *, now: datetime, status: str | None = None) -> Self:
        """Return the end of a task that stopped because it was asked to, or for the reason `status`."""
        if self.is_terminal:
            return self
        ended = self._ended(State.CANCELLED, now, self._stopped_stages(State.CANCELLED))
        if status is None:
            return replace(ended, cancel_requested=True)
        return replace(ended, status=status) if ended.status == DEFAULT_STATUS[State.CANCELLED] else ended

    def lost(self, *, now: datetime) -> Self:
        """Return the end of a task whose worker is gone."""
        if self.is_terminal:
            return self
        return self._ended(State.LOST, now, self._stopped_stages(State.LOST))

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that viewers see."""
        data = {name: getattr(self, name) for name in _WIRE_FIELDS}
        for name in _TIME_FIELDS:
            data[name] = format_time(data[name])
        data["stages"] = [stage.to_wire() for stage in self.stages]
        if self.result_omitted is None:
            del data["result_omitted"]
        return data

    def to_json(self) -> str:
        """Return the text that is stored: what viewers see, and the private fields."""
        return Version.of(self).text

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the snapshot that `to_json` made `text` of.

        Raises:
            ValueError: the text is not that of a snapshot.
        """
        try:
            data = {name: value for name, value in decode_json(text).items() if name in _STORED_FIELDS}
            data["state"] = State(data["state"])
            data["stages"] = tuple(map(Stage.from_wire, data["stages"]))
            data |= {name: parse_time(data[name]) for name in _TIME_FIELDS}
            return cls(**data)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not a stored snapshot: {str(text)[:80]!r}") from error

    def _changed(self, now: datetime, **changes: Any) -> Self:
        return replace(self, seq=self.seq + 1, updated_at=now, stalled=False, **changes)

    def _ended(self, state: State, now: datetime, stages: tuple[Stage, ...]) -> Self:
        """`status` stays what the task set last; where it set nothing it is the state's own."""
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
        )

    def _stopped_stages(self, state: State) -> tuple[Stage, ...]:
        return tuple(replace(stage, state=state) if stage.state is State.RUNNING else stage for stage in self.stages)


def rebase(snapshot: Snapshot, stored: Snapshot | None, *, since: Snapshot, now: datetime) -> Snapshot:
    """Rebase a snapshot onto the stored snapshot, keeping its owner and counters.

    Args:
        snapshot: what has become of `since` without knowing `stored`.
        stored: what is stored of the task; None if nothing is.
    """
    if stored is None:
        return snapshot.renumbered(now=now)
    if stored.seq < since.seq:
        return snapshot
    return replace(
        snapshot,
        task=stored.task,
        owner=stored.owner,
        runner=stored.runner,
        created_at=stored.created_at,
        attempt=stored.attempt + snapshot.attempt - since.attempt,
        seq=stored.seq + snapshot.seq,
    )


class Version(NamedTuple):
    """A snapshot with its texts, made once: what viewers see, and what is stored, with the private fields."""

    snapshot: Snapshot
    wire: str
    text: str

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return a snapshot with its texts."""
        wire = encode_json(snapshot.to_wire())
        private = encode_json({name: getattr(snapshot, name) for name in _PRIVATE_FIELDS})
        return cls(snapshot, wire, f"{wire[:-1]},{private[1:]}")


_STORED_FIELDS = frozenset(item.name for item in fields(Snapshot))
_TIME_FIELDS = ("created_at", "started_at", "updated_at", "finished_at")
_PRIVATE_FIELDS = ("owner", "beat", "runner", "logged")
_FIRST_FIELDS = ("progress", "status", "task_id", "task", "state", "seq")
_WIRE_FIELDS = _FIRST_FIELDS + tuple(
    item.name for item in fields(Snapshot) if item.name not in (*_FIRST_FIELDS, *_PRIVATE_FIELDS)
)
