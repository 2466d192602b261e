"""The jobs of the demo site; this is all that a job has to know of progress."""

import random
import time

from tasks_app import progress

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

SIMULATION_TEXTS = {
    0: "Processing initial phase...",
    30: "Performing main calculations...",
    60: "Finalizing results...",
    90: "Completing task...",
    100: "Task completed!",
}


@task
def simulate(duration: float = 10) -> dict[str, float]:
    """Do nothing for `duration` seconds, in steps of random size."""
    if not 0 <= duration <= 3600:
        raise ValueError(f"duration must be between 0 and 3600 seconds, not {duration!r}")
    done, steps, begun = 0, 0, time.monotonic()
    while done < 100:
        progress.raise_if_cancelled()
        progress.update(current=done, total=100, status=describe_simulation(done))
        step = min(random.randint(1, 5), 100 - done)
        time.sleep(duration * step / 100)
        done, steps = done + step, steps + 1
    progress.update(current=done, status=describe_simulation(done))
    return {"steps": steps, "seconds": round(time.monotonic() - begun, 3)}


def describe_simulation(percent: int) -> str:
    """Return the text of the last threshold that `percent` has passed."""
    return SIMULATION_TEXTS[max(threshold for threshold in SIMULATION_TEXTS if threshold <= percent)]
