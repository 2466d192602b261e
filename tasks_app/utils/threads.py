"""Threads that run jobs: a bounded pool for sync code, one event loop for coroutines, and an event to wait for.

All are daemon threads, because servers wait for the others when they shut down. Each job runs in a fresh context:
nothing of the request that enqueued it leaks into it.
"""

import asyncio
import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import connections

logger = logging.getLogger("tasks_app")

T = TypeVar("T")

#: How long a thread stays for the next job.
IDLE_SECONDS = 5.0


@dataclass(order=True, slots=True)
class Job:
    """A call that waits for a thread; the highest priority first, then the oldest."""

    rank: tuple[int, int]
    task_id: str = field(compare=False)
    run: Callable[[], None] = field(compare=False)


class ThreadPool:
    """Runs jobs on at most `max_workers` threads; a thread ends when it was idle for some seconds."""

    def __init__(self, max_workers: int, name: str) -> None:
        self._max_workers = max_workers
        self.name = name
        self._numbers = itertools.count()
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._threads = 0
        self._idle = 0

    def submit(self, task_id: str, run: Callable[[], None], *, priority: int = 0) -> None:
        """Have `run` called by the next free thread."""
        with self._condition:
            heapq.heappush(self._waiting, Job((-priority, next(self._numbers)), task_id, run))
            if self._idle >= len(self._waiting):
                self._condition.notify()
            elif self._threads < self._max_workers:
                name = f"{self.name}-{next(self._numbers)}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
                self._threads += 1

    def withdraw(self, task_id: str) -> bool:
        """Remove a job that has not begun; was there one?"""
        with self._condition:
            remaining = [job for job in self._waiting if job.task_id != task_id]
            found = len(remaining) < len(self._waiting)
            if found:
                heapq.heapify(remaining)
                self._waiting = remaining
            return found

    def count_waiting(self) -> int:
        """Return how many jobs wait."""
        return len(self._waiting)

    def get_line(self) -> list[str]:
        """Return the ids of the jobs that wait, the next one first."""
        with self._condition:
            return [job.task_id for job in sorted(self._waiting)]

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                Context().run(job.run)
            except BaseException:
                logger.exception("task %s: its executor failed", job.task_id)
        connections.close_all()

    def _take(self) -> Job | None:
        with self._condition:
            self._idle += 1
            has_job = self._condition.wait_for(lambda: self._waiting, IDLE_SECONDS)
            self._idle -= 1
            if has_job:
                return heapq.heappop(self._waiting)
            self._threads -= 1
            return None


class DaemonExecutor(futures.Executor):
    """A standard executor whose threads a process does not wait for when it ends."""

    def __init__(self, max_workers: int, name: str) -> None:
        self._pool = ThreadPool(max_workers, name)

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> futures.Future[T]:
        future: futures.Future[T] = futures.Future()
        self._pool.submit(self._pool.name, partial(_fulfil, future, partial(function, *args, **kwargs)))
        return future


def _fulfil(future: futures.Future[T], call: Callable[[], T]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)


class LoopThread:
    """An event loop in a thread of its own, for coroutines and timers."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; it is started when it is first asked for."""
        self.start()
        assert self._loop is not None
        return self._loop

    def start(self) -> None:
        """Start the loop, unless it runs already."""
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=_run_forever, args=(loop,), name=self._name, daemon=True).start()
                self._loop = loop

    def call_later(self, delay: float, function: Callable[[], None]) -> None:
        """Call `function` in the loop after `delay` seconds."""
        self.loop.call_soon_threadsafe(self.loop.call_later, delay, function)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end."""
        self.loop.call_soon_threadsafe(self._start, coroutine, context=Context())

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: a coroutine failed", self._name, exc_info=error)


class ReentrantEvent:
    """A `threading.Event` for one waiting thread, which a signal handler may set while the same thread sets it.

    `threading.Event.set` would wait there for ever, for a lock that the code below the handler holds. `put` of a
    SimpleQueue is atomic: https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self) -> None:
        self._words: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Was it set since it was cleared?"""
        return not self._words.empty()

    def set(self) -> None:
        """Let whoever waits go on, now or later."""
        if self._words.empty():
            self._words.put(None)

    def clear(self) -> None:
        """Undo `set`; only the thread that waits may do so."""
        while not self._words.empty():
            self._words.get()

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, for `timeout` seconds at most (0 or more); is it?"""
        try:
            self._words.get(timeout=timeout)
        except Empty:
            return False
        self._words.put(None)
        return True


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except BaseException:
            # A SystemExit in any asyncio task comes out here; the other coroutines of the process go on.
            logger.exception("the event loop was left by an exception; it goes on")
        else:
            return
