"""Tasks for the tests; those that wait do so for an event that the test sets."""

import asyncio
import threading
from typing import Any

from tasks_app import progress, start, start_batch

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

#: Set by a test to let `wait` go on; `conftest.py` clears it around each test.
gate = threading.Event()


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
def count(n: int = 3) -> dict[str, int]:
    for _ in progress.track(range(n), status="Counting", unit="steps"):
        pass
    return {"counted": n}


@task
async def greet(name: str = "you") -> str:
    progress.update(current=1, total=2, status=f"Greeting {name}")
    await asyncio.sleep(0)
    return f"Hello, {name}!"


@task
def fail(message: str = "it broke") -> None:
    progress.update(current=37, total=100)
    raise RuntimeError(message)


@task
def wait() -> str:
    progress.update(current=1, total=4, status="Waiting")
    while not gate.wait(0.01):
        progress.raise_if_cancelled()
    return "done"


@task
async def await_forever() -> None:
    progress.update(current=1, total=4, status="Waiting")
    await asyncio.Event().wait()


@task
def echo(value: Any = None) -> Any:
    return value


@task(takes_context=True)
def tell_attempt(context: Any, extra: int = 0) -> int:
    return int(context.attempt) + extra


@task
def return_object() -> object:
    return object()


@task
def start_children(number: int = 2) -> list[str]:
    """Start children that wait for the gate."""
    return [start(wait) for _ in range(number)]


@task
def start_for(owner: int) -> str:
    """Start a task for a user, and return its id."""
    return start(add, 1, owner=owner)


@task
def start_below(parent: str) -> str:
    """Start a child of another task than this one, and return its id."""
    return start(add, 1, parent=parent)


@task
def start_batch_for(owner: int) -> str:
    """Start a batch for a user, and return its id."""
    return start_batch(add, [(1,)], owner=owner)


@task
def start_a_stranger() -> str:
    return start(wait, parent=None)


@task
def start_until_cancelled() -> None:
    """Start a child once this task was cancelled, then go on to its end."""
    while not progress.cancelled:
        gate.wait(0.01)
    start(wait)
