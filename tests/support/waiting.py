"""Waiting for something to come true, with a deadline that fails loudly."""

import threading
import time
from collections.abc import Callable

import pytest

#: It passes only where a test fails, so it is one that a busy machine keeps too.
DEADLINE = 120.0


def wait_until(condition: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """Poll until `condition()` holds; fail, saying `what` did not come true, after `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline} s: {what}")
        pause.wait(0.005)
