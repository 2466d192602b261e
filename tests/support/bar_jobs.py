"""What the tests of bars have other processes do; it needs tqdm."""

import io
import time
from pathlib import Path

from tqdm import tqdm

from tasks_app import progress


def show_bar(path: str) -> None:
    """Do two of three steps of a bar, and the last one once a file is there."""
    with progress.capture(quiet=True):
        for step in tqdm(range(3), desc="Resizing", unit="pictures"):
            while step == 2 and not Path(path).exists():
                time.sleep(0.01)


def spin_bar(path: str) -> None:
    """Work on a bar until the task is cancelled."""
    with progress.capture(quiet=True):
        for _ in tqdm(iter(int, 1)):
            Path(path).touch()


def is_bar_captured() -> bool:
    with tqdm(file=io.StringIO()) as bar:
        return type(bar) is not tqdm
