"""What the tests of pools have other processes do."""

import logging
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import django

from tasks_app import progress, task_run


def advance(steps: int) -> int:
    for _ in range(steps):
        progress.advance()
    return os.getpid()


def track(steps: int) -> None:
    for _ in progress.track(range(steps), unit="rows"):
        pass


def hear(calls: int) -> list[str]:
    """Call `progress` so often, and return what is logged of it."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("tasks_app").addHandler(handler)
    for _ in range(calls):
        progress.advance()
    logging.getLogger("tasks_app").removeHandler(handler)
    return heard


def hear_in_child(calls: int) -> list[str]:
    """Do the same in a process that this one starts."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
        return pool.submit(hear, calls).result()


def hear_in_child_of_a_task(calls: int) -> list[str]:
    """Do the same in a process that this one starts while it runs a task."""
    django.setup()
    with task_run("own"):
        return hear_in_child(calls)


def tell(name: str) -> None:
    progress.update(status=f"Doing {name}")
    progress.meta(name=name)
    progress.log(f"did {name}", "warning")


def enter(stage: str) -> None:
    with progress.stage(stage):
        progress.update(current=1, total=1)


def spin(path: str) -> None:
    """Work until the task is cancelled."""
    with open(path, "w"):  # noqa: PTH123 - the test waits for the file
        pass
    for _ in progress.track(iter(int, 1)):
        pass


def wait_for_cancel(path: str) -> None:
    Path(path).touch()
    while not progress.cancelled:
        time.sleep(0.01)


def tell_much(size: int) -> None:
    progress.meta(text="a" * size)


def fail(item: int) -> int:
    return 6 // item


def die(item: int) -> int:
    progress.advance(5)
    if item:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def map_half(path: str) -> None:
    """Make two calls in threads; each does half of its steps, and the rest once a file is there."""
    with ThreadPoolExecutor(2) as pool:
        list(progress.map(pool, do_half, [path, path]))


def do_half(path: str) -> None:
    for step in progress.track(range(4)):
        while step == 2 and not Path(path).exists():
            time.sleep(0.01)


def map_in_processes(steps: int) -> None:
    """Make two calls in processes of the process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        list(progress.map(pool, track, [steps, steps]))
