"""What a job pays for reporting: `python -m benchmarks.reporting` prints a table of costs per step.

Each figure is the least of several rounds, taken in turns in one run, and stands beside its ratio to the bare loop.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from io import StringIO

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")
django.setup()

from rich.console import Console  # noqa: E402 - apps must be ready before tasks_app is used
from rich.progress import track as rich_track  # noqa: E402

from tasks_app import progress, task_run  # noqa: E402

STEPS = 200_000
ROUNDS = 7


def main() -> None:
    """Measure everything and print the table."""
    best = dict.fromkeys(CONTENDERS, float("inf"))
    with task_run("benchmark"):
        for _ in range(ROUNDS):
            for name, run in CONTENDERS.items():
                best[name] = min(best[name], measure(run))
    print_table(best)


def measure(run: Callable[[], None]) -> float:
    """Return the nanoseconds per step."""
    begun = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - begun) / STEPS


def print_table(costs: dict[str, float]) -> None:
    """Print the costs with their ratio to the first of them, as a Markdown table."""
    bare = next(iter(costs.values()))
    print(f"{platform.python_implementation()} {platform.python_version()}, rich {version('rich')}, {STEPS:,} steps\n")
    print("| | ns per step | ratio |\n|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:.0f} | {cost / bare:.1f} |")


def exhaust(iterable: Iterable[int]) -> None:
    for _ in iterable:
        pass


def loop_bare() -> None:
    exhaust(range(STEPS))


def loop_tracked() -> None:
    exhaust(progress.track(range(STEPS)))


def loop_rich() -> None:
    exhaust(rich_track(range(STEPS), console=Console(file=StringIO())))


def call_update() -> None:
    for step in range(STEPS):
        progress.update(current=step)


CONTENDERS: dict[str, Callable[[], None]] = {
    "a bare loop": loop_bare,
    "`progress.track()`": loop_tracked,
    "`rich.progress.track()`": loop_rich,
    "`progress.update(current=…)`": call_update,
}

if __name__ == "__main__":
    main()
