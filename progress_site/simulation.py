"""Work that is none, for a look at how progress is shown."""

import random
import time

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
    if not 0 <= duration <= MAX_DURATION:
        raise ValueError(f"duration must be between 0 and {MAX_DURATION} seconds, not {duration!r}")
    done, steps, begun = 0, 0, time.monotonic()
    while done < 100:
        progress.update(current=done, total=100, status=describe(done))
        done, steps = min(done + random.randint(1, 5), 100), steps + 1
        pause_until(begun + duration * done / 100)
    progress.update(current=done, status=describe(done))
    return {"steps": steps, "seconds": round(time.monotonic() - begun, 3)}


def describe(percent: float) -> str:
    """Return the text of the last threshold that `percent` has passed."""
    return TEXTS[max(threshold for threshold in TEXTS if threshold <= percent)]


def pause_until(monotonic: float) -> None:
    """Sleep, but look a few times a second whether someone asked to cancel."""
    progress.raise_if_cancelled()
    while (left := monotonic - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        progress.raise_if_cancelled()
