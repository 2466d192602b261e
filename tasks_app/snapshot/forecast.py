"""The time that a task takes, by its speed and by earlier runs. Pure: the time is passed in."""

import math
from datetime import datetime
from typing import NamedTuple

from .copying import replace
from .history import History, Usual, find_total
from .snapshot import Snapshot
from .state import Report, State

#: The variance of the logarithm of what the speed says is left, when half of a task is done: that with the least error
#: in `python -m benchmarks forecasts`, which measures others beside it.
SPEED_VARIANCE = 0.2


class Forecast(NamedTuple):
    """The time that a task takes, in seconds; None where it is unknown.

    Attributes:
        expected: how long its run usually takes.
        eta: what is left of it.
    """

    expected: float | None
    eta: float | None


def foresee(
    snapshot: Snapshot, report: Report, history: History | None, *, by_speed: float | None, now: datetime
) -> Forecast:
    """Return the forecast of a task that runs.

    Args:
        snapshot: the task before the report.
        report: what its job has reported.
        history: its earlier runs; None while they are unknown.
        by_speed: the seconds that are left by its speed; None while that says nothing.
        now: the time.
    """
    if history is None:
        left = by_speed if by_speed is not None else _count_left(snapshot.expected, snapshot, now)
        return Forecast(snapshot.expected, left)
    usual = history.find_usual(None if report.stages else report.total)
    if usual is None:
        return Forecast(None, by_speed)
    left = _count_left(usual.seconds, snapshot, now)
    return Forecast(usual.seconds, blend(by_speed, left, usual, share=(report.percent or 0.0) / 100))


def blend(
    by_speed: float | None,
    by_history: float | None,
    usual: Usual,
    *,
    share: float,
    speed_variance: float = SPEED_VARIANCE,
) -> float | None:
    """Return the seconds that are left, from what the speed and what earlier runs say.

    It is their mean by inverse-variance weighting (Cochran 1954, "The Combination of Estimates from Different
    Experiments"), of logarithms, since either may be wrong by a factor. What the speed says has the variance
    `speed_variance` times what is left for each part that is done; what earlier runs say, that of their durations,
    which is the more the less of the usual time is left. So history counts at first, and the speed towards the end.

    Args:
        by_speed: the seconds by the speed; None while that says nothing.
        by_history: the seconds by earlier runs; None if the task takes longer than these.
        usual: what the second is reckoned from.
        share: the part of the task that is done, 0 to 1.
        speed_variance: of the logarithm of `by_speed`, when half of the task is done.
    """
    if not by_speed or not by_history:
        return by_history if by_speed is None else by_speed
    if share <= 0:
        return by_history
    of_speed = speed_variance * (1 - share) / share
    of_history = (usual.spread * usual.seconds / by_history) ** 2
    weight = of_history / (of_speed + of_history)
    return math.exp(weight * math.log(by_speed) + (1 - weight) * math.log(by_history))


def foretell(snapshot: Snapshot, history: History) -> Snapshot:
    """Return the first snapshot of a task with what earlier runs say of it."""
    expected = _find_expected(snapshot, history)
    return snapshot if expected is None else replace(snapshot, expected=expected)


def expecting(snapshot: Snapshot, history: History, *, now: datetime) -> Snapshot:
    """Return a task that has not ended with what earlier runs say of it, or `snapshot` if that is nothing new."""
    expected = _find_expected(snapshot, history)
    if snapshot.is_terminal or expected == snapshot.expected:
        return snapshot
    eta = _count_left(expected, snapshot, now) if snapshot.rate is None else snapshot.eta
    return replace(snapshot, expected=expected, eta=eta, seq=snapshot.seq + 1, updated_at=now)


def _find_expected(snapshot: Snapshot, history: History) -> float | None:
    usual = history.find_usual(find_total(snapshot))
    return None if usual is None else usual.seconds


def _count_left(expected: float | None, snapshot: Snapshot, now: datetime) -> float | None:
    """Return what is left of the usual time; None if a task does not run, or takes longer."""
    if expected is None or snapshot.state is not State.RUNNING or snapshot.started_at is None:
        return None
    left = expected - max((now - snapshot.started_at).total_seconds(), 0.0)
    return left if left > 0 else None
