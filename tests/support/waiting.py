"""Waiting for something to come true, with a deadline that fails loudly."""

import threading
import time
from collections.abc import Callable

import pytest

#: It passes only where a test fails, so it is one that a busy machine keeps too.
DEADLINE = 120.0

#: Seconds between two looks: short at first, longer for what takes its time, since a look may be a request.
FIRST_PAUSE, LAST_PAUSE = 0.002, 0.03


def wait_until(condition: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """Poll until `condition()` holds; fail, saying `what` did not come true, after `deadline` seconds."""
    end = time.monotonic() + deadline
    never, pause = threading.Event(), FIRST_PAUSE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline} s: {what}")
        never.wait(pause)
        pause = min(pause * 1.2, LAST_PAUSE)
