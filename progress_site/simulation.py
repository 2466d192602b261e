"""Simulated work, to show progress."""

import random
import time
from collections.abc import Iterator

from django.conf import settings

from tasks_app import progress

#: The status, by the percentage from which on it is shown.
TEXTS = {
    0: "Processing initial phase...",
    30: "Performing main calculations...",
    60: "Finalizing results...",
    90: "Completing task...",
    100: "Task completed!",
}


def simulate_work(duration: float) -> dict[str, float]:
    """Sleep for `duration` seconds, in steps of random size.

    Returns:
        The number of "steps", and the "seconds" that they took.

    Raises:
        ValueError: `duration` is not between 0 and SIMULATION_MAX_SECONDS.
        TaskCancelled: the task was asked to stop.
    """
    check_duration(duration)
    begun, steps, done = time.monotonic(), 0, 0
    progress.update(current=0, total=100, status=describe(0))
    while done < 100:
        steps, done = steps + 1, min(done + random.randint(1, 5), 100)
        pause_until(begun + duration * done / 100)
        progress.update(current=done)
        progress.update(status=describe(done))  # after the last step it is how the task ended
    return {"steps": steps, "seconds": round(time.monotonic() - begun, 3)}


def spread(count: int, duration: float) -> Iterator[int]:
    """Yield the numbers from 1 to `count`, evenly over `duration` seconds.

    Raises:
        ValueError: `duration` is not between 0 and SIMULATION_MAX_SECONDS.
        TaskCancelled: the task was asked to stop.
    """
    check_duration(duration)
    begun = time.monotonic()
    for number in range(1, count + 1):
        pause_until(begun + duration * number / count)
        yield number


def check_duration(duration: float) -> None:
    """Check that `duration` is from 0 to SIMULATION_MAX_SECONDS.

    Raises:
        ValueError: it is not.
    """
    maximum = get_maximum()
    if not 0 <= duration <= maximum:
        raise ValueError(f"duration must be between 0 and {maximum} seconds, not {duration!r}")


def get_maximum() -> int:
    """Return how many seconds a simulation may last, in the demo or in another site that uses it."""
    maximum: int = getattr(settings, "SIMULATION_MAX_SECONDS", 3600)
    return maximum


def describe(percent: float) -> str:
    """Return the text of the last threshold that `percent` has passed."""
    return TEXTS[max(threshold for threshold in TEXTS if threshold <= percent)]


def pause_until(monotonic: float) -> None:
    """Sleep until this time, but look for a cancel request every 0.2 s.

    Raises:
        TaskCancelled: the task was asked to stop.
    """
    progress.raise_if_cancelled()
    while (left := monotonic - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        progress.raise_if_cancelled()
