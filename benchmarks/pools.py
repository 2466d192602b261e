"""What the processes of a pool pay for reporting, per step: CPU, the least of several rounds, taken in turns."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")
django.setup()

from tasks_app import Progress, get_snapshot, task_run  # noqa: E402 - apps must be ready before tasks_app is used

from .figures import Figure  # noqa: E402
from .pool_loops import call_advance, call_tqdm, loop_tqdm, loop_tracked, time_loop  # noqa: E402

PROCESSES = 8
STEPS, QUICK_STEPS = 1_000_000, 10_000
ROUNDS, QUICK_ROUNDS = 5, 1

LOOPS: dict[str, Callable[[int], None]] = {
    "progress.advance() in 8 processes": call_advance,
    "tqdm.update() in 8 processes": call_tqdm,
    "progress.track() in 8 processes": loop_tracked,
    "tqdm() in 8 processes": loop_tqdm,
}

PAIRS = (
    ("progress.advance() in 8 processes", "tqdm.update() in 8 processes"),
    ("progress.track() in 8 processes", "tqdm() in 8 processes"),
)


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the costs of a step beside tqdm's, and the steps that were counted."""
    steps, rounds = (QUICK_STEPS, QUICK_ROUNDS) if is_quick else (STEPS, ROUNDS)
    costs = dict.fromkeys(LOOPS, float("inf"))
    counted = []
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for _ in range(rounds):
            for name, loop in LOOPS.items():
                with task_run("benchmark") as task:
                    costs[name] = min(costs[name], run_loops(pool, task, loop, steps))
                if loop is call_advance:
                    counted.append(get_snapshot(task.task_id).current or 0)
    for mine, other in PAIRS:
        yield Figure(f"{mine}, CPU per step", costs[mine], "ns", other, costs[other])
    yield Figure("steps counted, progress.advance() in 8 processes", min(counted), "", "steps made", steps)


def run_loops(pool: ProcessPoolExecutor, task: Progress, loop: Callable[[int], None], steps: int) -> float:
    """Return the least nanoseconds of CPU per step, of any process."""
    bound = task.handle().bind(partial(time_loop, loop))
    return min(pool.map(bound, [steps // PROCESSES] * PROCESSES))
