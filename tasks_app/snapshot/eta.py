"""The speed of a task and its remaining time. Pure: the time is passed in."""

import math
import sys
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The speed at which a value grows: a time-weighted moving average, where the last `window` seconds count most.

    Each interval's speed is added with weight 1 - exp(-dt / window). The sum is divided by the weight so far, so that
    the start does not pull it towards zero: the bias correction of Kingma & Ba 2015, section 3, for uneven intervals.
    """

    window: float = 10.0
    value: float | None = None
    time: float = 0.0
    elapsed: float = 0.0
    _average: float = 0.0
    _weight: float = 0.0

    def observed(self, value: float | None, *, time: float) -> Self:
        """Return the pace after `value` was seen at `time` (s); a decrease restarts the average."""
        if value is None or self.value is None or value < self.value:
            return type(self)(window=self.window, value=value, time=time)
        interval = time - self.time
        if interval <= 0:
            return replace(self, value=value)
        keep = math.exp(-interval / self.window)
        speed = min(value - self.value, _LARGEST) / interval
        return type(self)(
            window=self.window,
            value=value,
            time=time,
            elapsed=self.elapsed + interval,
            _average=self._average * keep + speed * (1 - keep),
            _weight=self._weight * keep + (1 - keep),
        )

    @property
    def per_second(self) -> float | None:
        """The speed per second; None until one second was observed, since it is unsteady before."""
        return _finite(self._average / self._weight) if self.elapsed >= 1.0 else None

    def seconds_until(self, target: float) -> float | None:
        """Return the seconds until `target` is reached at this speed, or None where that is unknown."""
        speed = self.per_second
        if not speed or self.value is None:
            return None
        return _finite(min(max(target - self.value, 0.0), _LARGEST) / speed)


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None


#: The largest difference used: an integer beyond it can't be divided by a float.
_LARGEST = sys.float_info.max
