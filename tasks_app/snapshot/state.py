"""The states of a task, its stages, and the reports of its job. Pure."""

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from ..utils.json import mend_text

MAX_STATUS_LENGTH = 500
MAX_MESSAGE_LENGTH = 2000
MAX_NAME_LENGTH = 100
MAX_TASK_LENGTH = 200
MAX_LABEL_LENGTH = 200

#: The owner of a task that a visitor has started: all who know its id may see it. No user may have this key.
ANYONE = "*"

#: The owner of a task whose owner was deleted: nobody has this key.
GONE = ""

#: https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings and the two sections after it
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def cut(text: str, length: int) -> str:
    """Return the beginning of a job's text, at most `length` characters, as pages and logs can carry it."""
    return mend_text(text[:length])


def make_label(label: object) -> str | None:
    """Return a label as it is stored: at most MAX_LABEL_LENGTH characters; None for None and for blanks.

    Characters that turn the direction of a text are left out: names of files could pass for others by them.
    """
    return None if label is None else cut(TURNING.sub("", str(label)).strip(), MAX_LABEL_LENGTH) or None


class State(StrEnum):
    """The state of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_terminal(self) -> bool:
        """Whether a task in this state has ended."""
        return self in TERMINAL


#: The states of a task that has ended; task-progress-states.js has the same list.
TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST})


DEFAULT_STATUS: Mapping[State, str] = {
    State.QUEUED: "Queued",
    State.RUNNING: "Running",
    State.SUCCEEDED: "Completed",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
    State.LOST: "Lost: the worker stopped responding",
}


#: The message of an error that viewers may not see.
GENERIC_MESSAGE = "The task failed."
GENERIC_TYPE = Exception.__name__

#: The status of a task that no executor began in time.
EXPIRED = "Expired before it began"

#: The status of a task that waited for an executor elsewhere when the cache lost it.
UNKNOWN = "Unknown: the cache has lost it, but it may still begin"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One weighted part of a task; `percent` is 0 to 100 of this stage alone.

    Its times are those of the last time that the job entered and left it; only `Details` has them, not the wire.
    """

    name: str
    weight: float = 1
    percent: float = 0.0
    state: State = State.QUEUED
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def to_wire(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "weight": self.weight,
            "progress": floor_percent(self.percent),
            "state": self.state,
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """Return the stage of a stored snapshot.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: it is none.
        """
        name, weight, percent = data["name"], float(data["weight"]), float(data["progress"])
        if not (isinstance(name, str) and 0 < weight < math.inf and 0 <= percent <= 100):
            raise ValueError(f"not a stored stage: {str(data)[:80]!r}")
        return cls(name=name, weight=data["weight"], percent=percent, state=State(data["state"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The values that a job has reported so far; `stages` is empty unless the job declared some.

    `extra` is what is done of the steps that run, in units: it counts in `percent`.
    """

    current: float | None = None
    total: float | None = None
    extra: float = 0.0
    unit: str | None = None
    status: str | None = None
    stages: tuple[Stage, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    cancel_requested: bool = False

    @property
    def percent(self) -> float | None:
        """The progress of the whole task, 0 to 100; None while the total is unknown."""
        if self.stages:
            scale = math.frexp(max(stage.weight for stage in self.stages))[1]
            weights = [math.ldexp(stage.weight, -scale) for stage in self.stages]  # exact, and the sum can't overflow
            done = math.fsum(weight * stage.percent for weight, stage in zip(weights, self.stages, strict=True))
            return min(done / math.fsum(weights), 100.0)
        return percent_of(self.current if self.current is None else self.current + self.extra, self.total)


#: The largest float that can be multiplied by 100.
_HUGE = sys.float_info.max / 100


def percent_of(current: float | None, total: float | None) -> float | None:
    """Return the percentage of `current` in `total`, 0 to 100; None if either is None or `total` is not above 0."""
    if current is None or total is None or total <= 0:
        return None
    if current <= 0:
        return 0.0
    if current >= total:
        return 100.0
    # The first formula rounds better (28.0, not 28.000000000000004); the second can't overflow.
    return min(current * 100 / total if current < _HUGE else current / total * 100, 100.0)


def floor_percent(percent: float) -> int:
    """Return `percent` rounded down, except that a rounding error such as 28.999999999999996 gives 29."""
    return math.floor(round(percent, 9))
