"""The durations of the latest runs of a task, and what they say of the next one. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple, Self

from .family import awaits_children, runs_nothing
from .snapshot import Snapshot
from .state import State

#: The most runs that are kept of a task, the latest ones.
MAX_RUNS = 50

#: The fewest runs that say how long the next one takes.
ENOUGH = 3

#: Totals are similar if one is at most so many times the other.
SIMILAR = 1.5

#: The longest duration and the largest total that can be a run's; the cache may hold anything.
MAX_SECONDS, MAX_TOTAL = 1e9, 1e300

#: The least spread of durations: of few runs, all may have taken the same time by chance.
MIN_SPREAD = 0.1


class Run(NamedTuple):
    """A run that succeeded: the seconds that its attempt took, and its total, None if it had none."""

    seconds: float
    total: float | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self | None:
        """Return the run that has ended with a snapshot; None if that is no end of one, or no success."""
        if snapshot.state is not State.SUCCEEDED or awaits_children(snapshot):
            return None
        if snapshot.started_at is None or snapshot.finished_at is None:
            return None
        seconds = (snapshot.finished_at - snapshot.started_at).total_seconds()
        return cls(round(seconds, 3), find_total(snapshot)) if seconds >= 0 else None  # a clock may be set back


class Usual(NamedTuple):
    """The usual time of a run: the median in seconds, and the standard deviation of the logarithm, its spread."""

    seconds: float
    spread: float


@dataclass(frozen=True, slots=True)
class History:
    """The latest runs of a task, the oldest first."""

    runs: tuple[Run, ...] = ()
    _usual: Usual | None = field(init=False, repr=False, compare=False)
    _has_totals: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Found once: it is asked for at each report, and a history is made of many of them.
        object.__setattr__(self, "_usual", _find_usual(self.runs))
        object.__setattr__(self, "_has_totals", any(run.total is not None for run in self.runs))

    @classmethod
    def from_note(cls, note: object) -> Self:
        """Return the history that `to_note` described; what has another shape is left out."""
        return cls(tuple(filter(None, map(_read_run, note)))[-MAX_RUNS:] if isinstance(note, list) else ())

    def to_note(self) -> list[list[Any]]:
        """Return what is kept of the history."""
        return [list(run) for run in self.runs]

    @property
    def is_enough(self) -> bool:
        """Whether there are as many runs as say something."""
        return len(self.runs) >= ENOUGH

    def having(self, runs: Iterable[Run]) -> Self:
        """Return the history with further runs; the oldest beyond MAX_RUNS are dropped."""
        return type(self)((*self.runs, *runs)[-MAX_RUNS:])

    def find_usual(self, total: float | None = None) -> Usual | None:
        """Return how long a run usually takes; None while fewer than ENOUGH runs say that.

        Args:
            total: the total of the run in question; then only runs of similar totals count, if any has one.
        """
        if total is None or not self._has_totals:
            return self._usual
        return _find_usual_of(self.runs, total)


def name_runs(snapshot: Snapshot) -> str:
    """Return the name by which the runs of a task are kept; a batch has the name of the task that it starts."""
    return f"batch of {snapshot.task}" if runs_nothing(snapshot) else snapshot.task


def find_total(snapshot: Snapshot) -> float | None:
    """Return how much a task has to do as a whole; None if that is unknown. Each stage has a total of its own."""
    if runs_nothing(snapshot):
        return (snapshot.children or {}).get("total")
    return None if snapshot.stages else snapshot.total


@lru_cache(maxsize=1024)
def _find_usual_of(runs: Sequence[Run], total: float) -> Usual | None:
    return _find_usual([run for run in runs if run.total is not None and _is_similar(run.total, total)])


def _find_usual(runs: Sequence[Run]) -> Usual | None:
    if len(runs) < ENOUGH:
        return None
    seconds = median(run.seconds for run in runs)
    return Usual(seconds, max(_find_spread([run.seconds for run in runs], seconds), MIN_SPREAD))


def _find_spread(durations: Sequence[float], middle: float) -> float:
    """Return the standard deviation of the logarithms, by the median of their distances, which strays do not change.

    Of a normal distribution, that median is 1 / 1.4826 of the standard deviation (Hampel 1974, "The influence curve
    and its role in robust estimation").
    """
    return 1.4826 * median(abs(_log(duration) - _log(middle)) for duration in durations)


def _log(seconds: float) -> float:
    return math.log(max(seconds, 0.001))


def _is_similar(total: float, other: float) -> bool:
    return min(total, other) * SIMILAR >= max(total, other)


def _read_run(item: object) -> Run | None:
    match item:
        case [int() | float() as seconds, None | int() | float() as total]:
            is_sane = 0 <= seconds <= MAX_SECONDS and (total is None or abs(total) <= MAX_TOTAL)
            return Run(seconds, total) if is_sane else None
    return None
