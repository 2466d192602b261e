"""Work that is none, for a look at how progress is shown."""

import random
import time
from collections.abc import Iterator

from tasks_app import progress

#: What is said from which percentage on.
TEXTS = {
    0: "Processing initial phase...",
    30: "Performing main calculations...",
    60: "Finalizing results...",
    90: "Completing task...",
    100: "Task completed!",
}

MAX_DURATION = 3600


def simulate_work(duration: float) -> dict[str, float]:
    """Do nothing for `duration` seconds, in steps of random size; return how many, and how long it took.

    Raises:
        ValueError: `duration` is not between 0 and MAX_DURATION.
        TaskCancelled: someone asked to stop.
    """
    check_duration(duration)
    begun, steps, done = time.monotonic(), 0, 0
    progress.update(current=0, total=100, status=describe(0))
    while done < 100:
        steps, done = steps + 1, min(done + random.randint(1, 5), 100)
        pause_until(begun + duration * done / 100)
        progress.update(current=done, status=describe(done))
    return {"steps": steps, "seconds": round(time.monotonic() - begun, 3)}


def spread(count: int, duration: float) -> Iterator[int]:
    """Yield the numbers from 1 to `count`, evenly over `duration` seconds.

    Raises:
        ValueError: `duration` is not between 0 and MAX_DURATION.
        TaskCancelled: someone asked to stop.
    """
    check_duration(duration)
    begun = time.monotonic()
    for number in range(1, count + 1):
        pause_until(begun + duration * number / count)
        yield number


def check_duration(duration: float) -> None:
    """Raise ValueError unless it is one that a visitor may ask for."""
    if not 0 <= duration <= MAX_DURATION:
        raise ValueError(f"duration must be between 0 and {MAX_DURATION} seconds, not {duration!r}")


def describe(percent: float) -> str:
    """Return the text of the last threshold that `percent` has passed."""
    return TEXTS[max(threshold for threshold in TEXTS if threshold <= percent)]


def pause_until(monotonic: float) -> None:
    """Sleep, but look a few times a second whether someone asked to cancel."""
    progress.raise_if_cancelled()
    while (left := monotonic - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        progress.raise_if_cancelled()
