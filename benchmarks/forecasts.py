"""How wrong the time left is, by the speed, by earlier runs and by both, in runs that are always the same.

Each run has 60 steps. It is drawn by a seed made of its shape, its usual length, how much runs differ, and its number;
so are the durations of 20 earlier runs. The error at each step is the distance to the time that was really left, as a
part of the run's whole duration.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, product
from statistics import fmean
from typing import NamedTuple

from tasks_app.snapshot.eta import Pace
from tasks_app.snapshot.forecast import SPEED_VARIANCE, blend
from tasks_app.snapshot.history import History, Run, Usual

from .figures import Figure

STEPS = 60
EARLIER = 20
RUNS, QUICK_RUNS = 40, 2

#: The usual duration of a task in seconds, and the standard deviation of the logarithms of those of its runs.
LENGTHS = (20.0, 120.0, 900.0)
SPREADS = (0.05, 0.2, 0.5)

VARIANCES = (0.05, 0.1, 0.2, 0.4, 0.8)

#: Returns how long a step takes beside others, from its place in the run, 0 to 1.
Shape = Callable[[float, random.Random], float]

SHAPES: dict[str, Shape] = {
    "even": lambda place, chance: 1.0,
    "slowing": lambda place, chance: 0.3 + 2 * place,
    "speeding": lambda place, chance: 2.3 - 2 * place,
    "bursty": lambda place, chance: chance.choice((0.1, 0.1, 0.1, 1.0, 6.0)),
}


class Moment(NamedTuple):
    """A step of a run, at which the speed says something.

    Attributes:
        left: the seconds that are left in truth.
        by_speed, by_history: what is left by either.
        share: the part that is done, 0 to 1.
        duration: that of the whole run.
    """

    left: float
    by_speed: float
    by_history: float
    usual: Usual
    share: float
    duration: float


Forecaster = Callable[[Moment], float]


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the errors of the blend beside those of either alone, then those with other constants."""
    moments = {shape: list(record(shape, QUICK_RUNS if is_quick else RUNS)) for shape in SHAPES}
    for shape, found in [*moments.items(), ("all", list(chain.from_iterable(moments.values())))]:
        error = find_error(found, forecast_by_both(SPEED_VARIANCE))
        what = f"mean error of the time left, {shape} runs"
        yield Figure(what, error, "%", "by the speed alone", find_error(found, lambda moment: moment.by_speed))
        yield Figure(what, error, "%", "by earlier runs alone", find_error(found, lambda moment: moment.by_history))
    best = find_error(found, forecast_by_both(SPEED_VARIANCE))
    for variance in VARIANCES:
        error = find_error(found, forecast_by_both(variance))
        yield Figure(f"the same with a variance of {variance}", error, "%", f"of {SPEED_VARIANCE}", best)


def find_error(moments: Sequence[Moment], forecast: Forecaster) -> float:
    """Return the mean error in percent of the durations."""
    return 100 * fmean(abs(forecast(moment) - moment.left) / moment.duration for moment in moments)


def forecast_by_both(variance: float) -> Forecaster:
    """Return the forecaster of tasks_app, with this constant."""

    def forecast(moment: Moment) -> float:
        _, by_speed, by_history, usual, share, _ = moment
        return blend(by_speed, by_history or None, usual, share=share, speed_variance=variance) or 0.0

    return forecast


def record(shape: str, runs: int) -> Iterator[Moment]:
    """Yield the moments of the runs of one shape, of each length and spread."""
    for length, spread, number in product(LENGTHS, SPREADS, range(runs)):
        chance = random.Random(f"{shape} {length} {spread} {number}")
        durations = [length * chance.lognormvariate(0, spread) for _ in range(EARLIER + 1)]
        history = History(tuple(map(Run, durations[:-1])))
        yield from observe(draw_steps(SHAPES[shape], durations[-1], chance), history)


def draw_steps(shape: Shape, duration: float, chance: random.Random) -> list[float]:
    """Return the seconds of each step, which differ by chance as well; together they take `duration`."""
    parts = [shape(step / STEPS, chance) * chance.lognormvariate(0, 0.3) for step in range(STEPS)]
    return [part / sum(parts) * duration for part in parts]


def observe(steps: Sequence[float], history: History) -> Iterator[Moment]:
    """Yield the moments of a run as the reporter of a job sees it."""
    usual, duration, time = history.find_usual(), sum(steps), 0.0
    assert usual is not None
    pace = Pace().observed(0.0, time=0.0)
    for done, seconds in enumerate(steps[:-1], 1):
        time += seconds
        pace = pace.observed(100 * done / STEPS, time=time)
        if (by_speed := pace.seconds_until(100.0)) is not None:
            by_history = max(usual.seconds - time, 0.0)
            yield Moment(duration - time, by_speed, by_history, usual, done / STEPS, duration)
