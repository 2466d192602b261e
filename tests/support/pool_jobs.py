"""What the tests of pools have other processes do."""

import os
import signal

from tasks_app import progress


def advance(steps: int) -> int:
    for _ in range(steps):
        progress.advance()
    return os.getpid()


def track(steps: int) -> None:
    for _ in progress.track(range(steps), unit="rows"):
        pass


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


def fail(item: int) -> int:
    return 6 // item


def die(item: int) -> int:
    progress.advance(5)
    if item:
        os.kill(os.getpid(), signal.SIGKILL)
    return item
