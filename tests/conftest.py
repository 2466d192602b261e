"""What tests share: a deadline on every wait, and the proof that each test has cleaned up."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import caches

from tasks_app.flusher import get_flusher
from tests import jobs

DEADLINE = 10.0


@pytest.fixture(autouse=True)
def _clean_slate() -> Iterator[None]:
    """Each test begins with an empty cache and leaves no task behind."""
    caches["default"].clear()
    jobs.gate.clear()
    yield
    jobs.gate.set()
    wait_until(lambda: not get_flusher()._reporters, "every task ended and was stored")


@pytest.fixture
def open_gate() -> Callable[[], None]:
    """Let the `wait` task go on."""
    return jobs.gate.set


def wait_until(condition: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """Poll until `condition()` holds; fail, saying `what` did not come true, after `deadline` seconds."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline} s: {what}")
        pause.wait(0.005)
