"""A Celery app, and tasks that wait for a word of their test: `celery -A tests.support.celery_app worker`."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from celery import Celery, chord, group, shared_task, signature
from celery.exceptions import Ignore, Reject
from redis import Redis

from tasks_app import progress, start

app = Celery("tests")
app.conf.update(
    broker_url=os.environ.get("BROKER_URL"),
    result_backend=os.environ.get("BROKER_URL"),
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=True,
    worker_prefetch_multiplier=1,
)

#: How long a job waits for its test at the most.
DEADLINE = 300


def hear(task_id: str, timeout: float = DEADLINE) -> str | None:
    """Wait for the next word of the test."""
    # redis-py 8 gives up any answer after 5 s by default.
    with Redis.from_url(os.environ["BROKER_URL"], socket_timeout=None) as client:
        heard = client.blpop([f"word:{task_id}"], timeout=timeout)
    return None if heard is None else heard[1].decode()


@app.task(bind=True)
def count(self: Any, n: int = 4, *, wait: bool = False) -> dict[str, int]:
    progress.update(current=1, total=n, status="Waiting")
    if wait:
        hear(self.request.id)
    for _ in progress.track(range(n), status="Counting", unit="steps"):
        pass
    return {"counted": n}


@shared_task
def add(a: int, b: int = 1) -> int:
    return a + b


@app.task
def add_all(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def hear_of(name: str) -> str | None:
    """Wait until the test says anything of this name."""
    return hear(name)


@app.task(ignore_result=True)
def add_silently(a: int, b: int = 1) -> int:
    return a + b


@app.task
def fail(message: str = "it broke") -> None:
    progress.update(current=37, total=100)
    raise RuntimeError(message)


@app.task
def fail_with_own_status() -> None:
    progress.update(status="Reading")
    raise RuntimeError("secret")


@app.task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
def fail_once(self: Any) -> None:
    if not self.request.retries:
        raise ConnectionError("the first time")


@app.task(bind=True, max_retries=5)
def retry(self: Any, times: int = 1, *, countdown: float = 0) -> int:
    progress.update(current=self.request.retries + 1, total=10, status="Trying")
    progress.meta(**{f"attempt{self.request.retries}": True})
    if self.request.retries < times:
        raise self.retry(countdown=countdown)
    return int(self.request.retries)


@app.task(bind=True, autoretry_for=(Exception,), default_retry_delay=0, max_retries=2)
def run_until_cancelled(self: Any) -> None:
    progress.update(status="Working")
    while True:
        hear(self.request.id, timeout=0.05)
        progress.raise_if_cancelled()


@app.task(bind=True)
def ignore_cancel(self: Any) -> str:
    progress.update(current=1, total=2, status="Deaf")
    return str(hear(self.request.id))


@app.task
def wait_for_file(path: str) -> str:
    """Wait without the broker, which may be away."""
    progress.update(current=1, total=2, status="Waiting")
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.05)
    return "found"


@app.task(acks_late=True)
def wait_for_file_or_anew(path: str) -> str:
    """Do the same; what kills it has it begun anew."""
    return wait_for_file(path)


@app.task(bind=True)
def chatter(self: Any) -> None:
    """Report as much as it can, until it is killed."""
    step = 0
    while hear(self.request.id, timeout=0.01) is None:
        step += 1
        progress.update(current=step, total=1_000_000, status="Chattering")


@app.task
def ignore() -> None:
    progress.update(current=1, total=2)
    raise Ignore


@app.task(bind=True, acks_late=True)
def reject(self: Any, *, requeue: bool) -> str:
    if requeue and hear(self.request.id) == "again":
        raise Reject("once more", requeue=True)
    if requeue:
        return "done"
    raise Reject("not for me", requeue=False)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def die_once(self: Any) -> str:
    progress.update(current=1, total=4, status="Dying")
    word = hear(self.request.id)
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(bind=True)
def die(self: Any) -> None:
    progress.update(current=1, total=4, status="Dying")
    hear(self.request.id)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def start_another() -> list[str]:
    return [start(add, 1, owner=7), add.delay(1).id]


@app.task
def send(canvas: dict[str, Any]) -> str:
    """Send a canvas from where Celery has a result backend, and return the id of its result."""
    return str(signature(canvas, app=app).apply_async().id)


@app.task
def send_and_name(canvas: dict[str, Any]) -> list[str]:
    """Send a canvas, and return the ids of all its results, the last one first."""
    return find_ids(signature(canvas, app=app).apply_async())


@app.task
def start_canvas(canvas: dict[str, Any]) -> str:
    return start(signature(canvas, app=app))


def find_ids(result: Any) -> list[str]:
    """Return the ids of a result and of those before it, with the members of groups."""
    if result is None:
        return []
    return [item.id for item in getattr(result, "results", None) or [result]] + find_ids(result.parent)


@app.task(bind=True)
def stop_chain(self: Any) -> None:
    """Leave out the later steps of its chain."""
    self.request.chain = None


@app.task
def apply_another() -> list[Any]:
    progress.update(current=1, total=2, status="Before")
    inner = add.apply((1,))
    progress.update(current=1, total=2, status="After")
    return [inner.id, inner.result]


@app.task(bind=True)
def replace_self(self: Any, *, by: str) -> None:
    progress.update(current=1, total=2, status="About to be replaced")
    successors = {
        "task": add.s(2, 3),
        "chain": add.s(1, 1) | add.s(3),
        "group": group(add.s(1, 1), add.s(1, 2)),
        "failing-task": fail.si(),
        "failing-chain": fail.si() | add.si(1) | add.s(3),
        "chain-that-fails-last": add.s(1, 1) | fail.si(),
        "failing-group": group(add.s(1, 1), fail.si()),
        "failing-chord": chord([add.s(1, 1), fail.si()], add_all.s()),
        "chord-that-fails-last": chord([add.s(1, 1), add.s(1, 2)], fail.si()),
        "chord-of-failing-chains": chord([fail.si() | add.si(1), add.s(1)], add_all.s()),
    }
    raise self.replace(successors[by])
