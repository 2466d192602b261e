"""Tasks in this process, without tasks_app or with it, as the settings say."""

import time

import django

django.setup()

from django.conf import settings  # noqa: E402 - apps must be ready before tasks are imported

from benchmarks.site import backends  # noqa: E402
from benchmarks.site.naps import nap  # noqa: E402
from benchmarks.turns import take_turns  # noqa: E402

#: Seconds between two looks at the tasks.
PAUSE = 0.005


def run_on_pool(count: int) -> None:
    """Call the function on a plain pool of threads."""
    backends.futures.extend(backends.pool.submit(nap.func) for _ in range(count))
    backends.wait_for_all()


def run_as_tasks(count: int) -> None:
    """Enqueue the tasks on a plain backend."""
    for _ in range(count):
        nap.enqueue()
    backends.wait_for_all()


def run_tracked(count: int) -> None:
    """Enqueue the tasks on the backend of tasks_app."""
    from tasks_app.reporting import get_flusher  # what is measured without tasks_app must not load it

    results = [nap.enqueue() for _ in range(count)]
    while not (results[-1].is_finished and all(result.is_finished for result in results)):
        time.sleep(PAUSE)  # `drain` would have the flusher sweep
    if not get_flusher().drain(60):
        raise RuntimeError("the ends of the tasks are not stored")


if __name__ == "__main__":
    is_tracked = "tasks_app" in settings.INSTALLED_APPS
    take_turns({"tracked": run_tracked} if is_tracked else {"pool": run_on_pool, "tasks": run_as_tasks})
