"""The details of one attempt of a task, for staff alone: they are kept beside its snapshot. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from ..utils.clock import format_time
from ..utils.json import encode_json, mend_text
from .copying import replace
from .snapshot import Snapshot
from .state import Stage, State

#: The bytes that are kept of a traceback, from its end.
MAX_TRACEBACK_BYTES = 16_384


class Argument(NamedTuple):
    """An argument of a job: its name, empty if that is unknown, and its value as text."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Details:
    """The details of one attempt, for staff alone, with the times that no snapshot has.

    - `state`: that of the task when the attempt was seen last; "queued" if it was handed back for the next one.
    - `host`, `process`: the machine and the process id of its worker; None for a task that never began.
    - `version`: that of this app in its worker.
    - `error`: the type of what the job raised, if this attempt failed by it.
    - `arguments`, `traceback`: None unless the settings have them recorded.
    - `stages`: those that the job has entered; others have no time.
    """

    task_id: str
    attempt: int
    state: State
    started_at: datetime | None = None
    finished_at: datetime | None = None
    host: str | None = None
    process: int | None = None
    version: str | None = None
    arguments: tuple[Argument, ...] | None = None
    error: str | None = None
    traceback: str | None = None
    stages: tuple[Stage, ...] = ()

    @classmethod
    def of(cls, snapshot: Snapshot, **values: Any) -> Self:
        """Return the details of the latest attempt of a task."""
        return cls(
            task_id=snapshot.task_id,
            attempt=snapshot.attempt,
            state=snapshot.state,
            started_at=snapshot.started_at,
            finished_at=_find_end(snapshot),
            **values,
        )

    def following(self, snapshot: Snapshot) -> Self:
        """Return the details with what a later snapshot tells of the same attempt, or `self` if that is nothing."""
        changed = replace(
            self,
            attempt=snapshot.attempt,  # a look at the store may have corrected it
            state=snapshot.state,
            finished_at=_find_end(snapshot),
            stages=tuple(replace(stage, percent=0.0) for stage in snapshot.stages if stage.started_at is not None),
        )
        return self if changed == self else changed

    def to_json(self) -> str:
        """Return the text to store, which is what staff get."""
        return encode_json(
            {
                "attempt": self.attempt,
                "state": self.state,
                "started_at": format_time(self.started_at),
                "finished_at": format_time(self.finished_at),
                "host": self.host,
                "process": self.process,
                "version": self.version,
                "arguments": None if self.arguments is None else [item._asdict() for item in self.arguments],
                "error": self.error,
                "traceback": self.traceback,
                "stages": list(_describe_stages(self.stages)),
            }
        )


def cut_traceback(text: str) -> str:
    """Return the end of a traceback, which says what happened: whole lines, at most MAX_TRACEBACK_BYTES."""
    tail = mend_text(text[-MAX_TRACEBACK_BYTES:])  # a message may have any length
    content = tail.encode()
    if len(content) <= MAX_TRACEBACK_BYTES and len(tail) == len(text):
        return tail
    end = content[-MAX_TRACEBACK_BYTES:].decode(errors="ignore")
    return "…\n" + (end.partition("\n")[2] or end)


def _find_end(snapshot: Snapshot) -> datetime | None:
    """Return when the attempt of a task ended: with the task, or when it was handed back for the next one."""
    return snapshot.updated_at if snapshot.state is State.QUEUED else snapshot.finished_at


def _describe_stages(stages: Iterable[Stage]) -> Iterable[dict[str, Any]]:
    for stage in stages:
        yield {
            "name": stage.name,
            "state": stage.state,
            "started_at": format_time(stage.started_at),
            "finished_at": format_time(stage.finished_at),
        }
