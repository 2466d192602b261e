"""The loops that the processes of a pool make, and what they cost; imported in those."""

import time
from collections.abc import Callable
from io import StringIO

from tqdm import tqdm

from tasks_app import progress

#: A process takes its steps in so many pieces, since others share its cores.
PIECES = 5


def time_loop(loop: Callable[[int], None], steps: int) -> float:
    """Return the nanoseconds of CPU per step that this process, with all its threads, needs: the least of PIECES."""
    return min(time_piece(loop, steps // PIECES) for _ in range(PIECES))


def time_piece(loop: Callable[[int], None], steps: int) -> float:
    begun = time.process_time_ns()
    loop(steps)
    return (time.process_time_ns() - begun) / steps


def call_advance(steps: int) -> None:
    for _ in range(steps):
        progress.advance()


def call_tqdm(steps: int) -> None:
    with tqdm(total=steps, file=StringIO()) as bar:
        for _ in range(steps):
            bar.update()


def loop_tracked(steps: int) -> None:
    for _ in progress.track(range(steps)):
        pass


def loop_tqdm(steps: int) -> None:
    for _ in tqdm(range(steps), file=StringIO()):
        pass
