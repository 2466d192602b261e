"""The jobs that are followed."""

import asyncio
import threading
import time

from benchmarks.pulse import tell_moment
from tasks_app import progress

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task


@task
def pulse(interval: float, meta_bytes: int = 0) -> None:
    """Change every `interval` s until cancelled, with so many bytes of `meta`, and say when."""
    step = 0
    while True:
        if meta_bytes:  # one change all the same
            progress.meta(filler=f"{step:0{meta_bytes}}", status=tell_moment())
        else:
            progress.update(current=step, total=1_000_000, status=tell_moment())
        progress.raise_if_cancelled()
        time.sleep(interval)
        step += 1


@task
async def beat(interval: float, offset: float) -> str:
    """Change from `begin` to `finish`, `offset` s after every multiple of `interval` on the machine's clock.

    It is a coroutine, so that thousands can run at once.
    """
    while not begin.is_set():  # noqa: ASYNC110 - it is set in another thread
        await asyncio.sleep(0.1)
    step = 0
    while not finish.is_set():
        await asyncio.sleep(interval - (time.monotonic() - offset) % interval)
        progress.update(current=step, status=tell_moment())
        step += 1
    return "done"


@task
async def nothing() -> None:
    """End at once."""


#: When every `beat` shall begin to change, and when to end.
begin, finish = threading.Event(), threading.Event()
