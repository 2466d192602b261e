"""The clocks, and the text format of times."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `now` for times that people read, `monotonic` (s) for durations."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic


@lru_cache(1024)  # most times of a snapshot are those of the previous one
def format_time(time: datetime | None) -> str | None:
    """Return `time` as RFC 3339 in UTC, to the millisecond."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(1024)
def parse_time(text: str | None) -> datetime | None:
    """Return the time in a text made by `format_time`.

    Raises:
        TypeError, ValueError, OverflowError: it is none.
    """
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
