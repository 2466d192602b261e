"""The payload that every contender sends: a fixed size, with the moment it was made, from a job in a thread."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

#: As a snapshot on the wire, but for `status`.
FIELDS = {
    "task_id": "a" * 32,
    "task": "benchmarks.site.tasks.pulse",
    "state": "running",
    "progress": 42,
    "percent": 42.123,
    "current": 42123,
    "total": 100000,
    "unit": None,
    "rate": 20.012345678,
    "eta": 2893.123456789,
    "stages": [],
    "attempt": 1,
    "queue_position": None,
    "created_at": "2026-01-31T12:00:00.000000+00:00",
    "started_at": "2026-01-31T12:00:00.000000+00:00",
    "updated_at": "2026-01-31T12:00:00.000000+00:00",
    "finished_at": None,
    "cancel_requested": False,
    "stalled": False,
    "meta": {},
    "result": None,
    "error": None,
    "seq": 4242,
}


def tell_moment() -> str:
    """Return the time of this machine's monotonic clock (ns), which all its processes share."""
    return str(time.monotonic_ns())


def make_payload(meta_bytes: int = 0) -> str:
    """Return the JSON of a change that happens now, with so many bytes of `meta`."""
    meta = {"filler": "0" * meta_bytes} if meta_bytes else {}
    return json.dumps({**FIELDS, "status": tell_moment(), "meta": meta}, separators=(",", ":"))


def run_job(put: Callable[[Any], None], *, interval: float, make: Callable[[], Any] = make_payload) -> None:
    """Have `put` called in the running event loop with what `make` returns in a thread, every `interval` seconds.

    In a thread, because the work that people want to see the progress of is seldom a coroutine.
    """
    loop = asyncio.get_running_loop()

    def work() -> None:
        while True:
            loop.call_soon_threadsafe(put, make())
            time.sleep(interval)

    threading.Thread(target=work, daemon=True).start()
