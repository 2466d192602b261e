"""The measurements of a flusher, told to the meter of its process."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..metering import get_meter
from ..snapshot import State
from .reporter import Reporter

A = TypeVar("A")


def measure_flush(write: Callable[[A], bool], taken: A) -> bool:
    """Call `write`, tell how long it takes, and return what it does."""
    began = time.perf_counter()
    try:
        return write(taken)
    finally:
        get_meter().note_flush(time.perf_counter() - began)


def tell_running(reporters: Iterable[Reporter]) -> None:
    """Tell how many tasks of each name run in this process."""
    running = (item.snapshot.task for item in reporters if item.snapshot.state is State.RUNNING)
    get_meter().note_running(Counter(running))
