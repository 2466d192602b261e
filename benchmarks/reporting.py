"""The cost of reporting to a job, per step of its loop: the least of several rounds, taken in turns."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from io import StringIO

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")
django.setup()

from rich.console import Console  # noqa: E402 - apps must be ready before tasks_app is used
from rich.progress import track as rich_track  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tasks_app import progress, task_run  # noqa: E402

from .figures import Figure  # noqa: E402

STEPS, QUICK_STEPS = 200_000, 10_000
ROUNDS, QUICK_ROUNDS = 7, 1


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the costs of our loop and call, beside those of a bare loop and of others."""
    steps, rounds = (QUICK_STEPS, QUICK_ROUNDS) if is_quick else (STEPS, ROUNDS)
    costs = dict.fromkeys(LOOPS, float("inf"))
    with task_run("benchmark"):
        for _ in range(rounds):
            for name, loop in LOOPS.items():
                costs[name] = min(costs[name], time_loop(loop, steps))
    for mine, other in PAIRS:
        yield Figure(f"{mine}, per step", costs[mine], "ns", other, costs[other])


def time_loop(loop: Callable[[int], None], steps: int) -> float:
    """Return the nanoseconds of CPU per step, those of other threads of the process included."""
    begun = time.process_time_ns()
    loop(steps)
    return (time.process_time_ns() - begun) / steps


def exhaust(iterable: Iterable[int]) -> None:
    for _ in iterable:
        pass


def loop_bare(steps: int) -> None:
    exhaust(range(steps))


def loop_tracked(steps: int) -> None:
    exhaust(progress.track(range(steps)))


def loop_rich(steps: int) -> None:
    exhaust(rich_track(range(steps), console=Console(file=StringIO())))


def loop_tqdm(steps: int) -> None:
    exhaust(tqdm(range(steps), file=StringIO()))


def loop_captured(steps: int) -> None:
    with progress.capture():
        exhaust(tqdm(range(steps), file=StringIO()))


def loop_nested(steps: int) -> None:
    for _ in tqdm(range(10), file=StringIO()):
        exhaust(tqdm(range(steps // 10), file=StringIO()))


def loop_nested_captured(steps: int) -> None:
    with progress.capture():
        loop_nested(steps)


def call_captured(steps: int) -> None:
    with progress.capture():
        call_tqdm(steps)


def call_update(steps: int) -> None:
    for step in range(steps):
        progress.update(current=step)


def call_tqdm(steps: int) -> None:
    with tqdm(total=steps, file=StringIO()) as bar:
        for _ in range(steps):
            bar.update()


LOOPS: dict[str, Callable[[int], None]] = {
    "a bare loop": loop_bare,
    "progress.track()": loop_tracked,
    "tqdm()": loop_tqdm,
    "rich.progress.track()": loop_rich,
    "progress.update(current=…)": call_update,
    "tqdm.update()": call_tqdm,
    "a captured tqdm()": loop_captured,
    "nested tqdm()": loop_nested,
    "captured nested tqdm()": loop_nested_captured,
    "a captured tqdm.update()": call_captured,
}

PAIRS = (
    ("progress.track()", "a bare loop"),
    ("progress.track()", "tqdm()"),
    ("progress.track()", "rich.progress.track()"),
    ("progress.update(current=…)", "tqdm.update()"),
    ("a captured tqdm()", "tqdm()"),
    ("captured nested tqdm()", "nested tqdm()"),
    ("a captured tqdm.update()", "tqdm.update()"),
)
