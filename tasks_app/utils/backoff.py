"""Failures in a row: how long to wait before the next try, and which of them to log. Pure."""

import math


class Failures:
    """Counts what fails until something succeeds; an outage of an hour is a few lines in the log, not thousands."""

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def note(self) -> bool:
        """Take note of one more; is it one to log? The first, second, fourth, eighth… in a row are."""
        self.count += 1
        return self.count & (self.count - 1) == 0

    def clear(self) -> None:
        """Take note of a success."""
        self.count = 0

    def get_pause(self, first: float, longest: float) -> float:
        """Return the seconds until the next try: `first`, doubled for each failure, at most `longest`."""
        return min(math.ldexp(first, min(self.count, 16)), longest)
