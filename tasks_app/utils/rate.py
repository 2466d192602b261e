"""Rates such as "600/m", and when the next one of something is due that may not happen more often. Pure."""

import re
from dataclasses import dataclass
from typing import Self

#: Seconds by which the clocks of two machines may differ.
SKEW = 60

_FORM = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})?([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in so many seconds.

    As many may happen at once after a pause of that length; then they must be evenly apart. It needs one number to be
    remembered, the time at which everything that happened would have happened if evenly apart.
    """

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rate in a text such as "600/m" or "5/10s".

        Raises:
            ValueError: it is none.
        """
        if (match := _FORM.fullmatch(text)) is None:
            raise ValueError(f"{text!r} is no rate such as '600/m' or '5/10s'")
        count, number, unit = match.groups()
        return cls(int(count), int(number or 1) * _SECONDS[unit])

    @property
    def pause(self) -> float:
        """The seconds between two of them that are evenly apart."""
        return self.seconds / self.count

    def find_wait(self, used_until: float, now: float) -> float:
        """Return the seconds until one more may happen; 0 if it may now.

        Args:
            used_until: what `use` returned last; 0 at first.
        """
        return max(0.0, self._heed(used_until, now) + self.pause - self.seconds - now)

    def use(self, used_until: float, now: float) -> float:
        """Return what is to be remembered once one more happens now."""
        return max(self._heed(used_until, now), now) + self.pause

    def _heed(self, used_until: float, now: float) -> float:
        """Return what is remembered, unless it can't be: a clock that was set back must shut nobody out."""
        return used_until if used_until <= now + self.seconds + SKEW else 0.0
