"""Successive failures: the pause before the next try, and which of them to log. Pure."""

import math
import random


class Failures:
    """A counter of failures since the last success; it keeps the log of a long outage to a few lines."""

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def note(self) -> bool:
        """Count a failure, and return whether to log it: the first, second, fourth, eighth… in a row."""
        self.count += 1
        return self.count & (self.count - 1) == 0

    def clear(self) -> None:
        """Count from 0 again, after a success."""
        self.count = 0

    def get_pause(self, first: float, longest: float) -> float:
        """Return the seconds until the next try: `first`, doubled for each failure, at most `longest`."""
        return min(math.ldexp(first, min(self.count, 16)), longest)


def draw_around(value: float, spread: float) -> int:
    """Return a random whole number within `value` ± `spread` (0.5 is 50 %)."""
    return round(value * random.uniform(1 - spread, 1 + spread))
