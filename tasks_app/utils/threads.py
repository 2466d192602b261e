"""Background threads: a bounded pool for sync calls, an event loop for coroutines, and an event to wait for.

All are daemon threads, because servers wait for other threads when they shut down. Each call and each coroutine runs
in an empty context, so nothing of the request that submitted it leaks into it.
"""

import asyncio
import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent import futures
from contextvars import Context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from django.db import connections

from .exhaustion import exhaustion_log

logger = logging.getLogger("tasks_app")

T = TypeVar("T")

#: How long a thread stays for the next job.
IDLE_SECONDS = 5.0


class PendingCall(NamedTuple):
    """A call that waits for a thread; ordered by priority, highest first, then by age, oldest first."""

    rank: int
    number: int
    task_id: str
    run: Callable[[], None]


class ThreadPool:
    """A pool of at most `max_workers` threads; a thread ends after IDLE_SECONDS without a call."""

    def __init__(self, max_workers: int, name: str) -> None:
        self._max_workers = max_workers
        self.name = name
        self._numbers = itertools.count()
        self._condition = threading.Condition()
        self._waiting: list[PendingCall] = []
        self._threads = 0
        self._idle = 0

    def submit(self, task_id: str, run: Callable[[], None], *, priority: int = 0) -> None:
        """Queue a call of `run` for the next free thread.

        Args:
            task_id: the id of the call for `withdraw`, `get_line` and the log.
            priority: calls with a higher one run first.

        Raises:
            Exception: there is no thread, and none can be started; nothing is queued.
        """
        with self._condition:
            self._add_thread()
            heapq.heappush(self._waiting, PendingCall(-priority, next(self._numbers), task_id, run))
            self._condition.notify()

    def prepare(self) -> None:
        """Have at least one thread, which stays for IDLE_SECONDS.

        Raises:
            Exception: there is no thread, and none can be started.
        """
        with self._condition:
            if not self._threads:
                self._add_thread()

    def withdraw(self, task_id: str) -> bool:
        """Remove the calls of a task that have not begun, and return whether there were any."""
        with self._condition:
            remaining = [call for call in self._waiting if call.task_id != task_id]
            found = len(remaining) < len(self._waiting)
            if found:
                heapq.heapify(remaining)
                self._waiting = remaining
            return found

    def find_place(self) -> int | None:
        """Return the place in the line that a call would have which is submitted now; None if it need not wait."""
        waiting = len(self._waiting)
        return None if self._idle > waiting or self._threads < self._max_workers else waiting + 1

    def count_waiting(self) -> int:
        """Return the number of waiting calls."""
        return len(self._waiting)

    def get_line(self) -> list[str]:
        """Return the task ids of the waiting calls, the next one first."""
        with self._condition:
            return [call.task_id for call in sorted(self._waiting)]

    def _add_thread(self) -> None:
        """Start a thread for one more call, if it would have to wait; where there are some, it may wait for these."""
        if self._idle > len(self._waiting) or self._threads >= self._max_workers:
            return
        name = f"{self.name}-{next(self._numbers)}"
        if start_thread(self._work, name, pool=self.name, has_others=self._threads > 0):
            self._threads += 1

    def _work(self) -> None:
        while (call := self._take()) is not None:
            try:
                Context().run(call.run)
            except BaseException:
                logger.exception("task %s: its executor failed", call.task_id, extra={"task_id": call.task_id})
        connections.close_all()

    def _take(self) -> PendingCall | None:
        with self._condition:
            self._idle += 1
            has_call = self._condition.wait_for(lambda: self._waiting, IDLE_SECONDS)
            self._idle -= 1
            if has_call:
                return heapq.heappop(self._waiting)
            self._threads -= 1
            return None


def start_thread(work: Callable[[], None], name: str, *, pool: str, has_others: bool) -> bool:
    """Start one more daemon thread for the calls of a pool, and return whether it was started.

    Raises:
        Exception: it can't be started, and there are no others to make the calls.
    """
    try:
        threading.Thread(target=work, name=name, daemon=True).start()
    except Exception as error:
        if not has_others:
            raise
        exhaustion_log.note(error, f"the calls of {pool!r} wait for the threads that it has")
        return False
    return True


class DaemonExecutor(futures.Executor):
    """An executor of `concurrent.futures` whose threads do not delay the end of the process."""

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
    """An event loop in its own thread, for coroutines and timers."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; the first use starts it."""
        self.start()
        assert self._loop is not None
        return self._loop

    def start(self) -> None:
        """Start the loop, unless it is running.

        Raises:
            Exception: the process can't start it.
        """
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                try:
                    threading.Thread(target=_run_forever, args=(loop,), name=self._name, daemon=True).start()
                except BaseException:
                    loop.close()
                    raise
                self._loop = loop

    def call_later(self, delay: float, function: Callable[[], None]) -> None:
        """Call `function` in the loop after `delay` seconds."""
        self.loop.call_soon_threadsafe(self.loop.call_later, delay, function)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the loop, without waiting for it; an exception is logged."""
        self.loop.call_soon_threadsafe(self._start, coroutine, context=Context())

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)  # the loop holds only weak references to tasks
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: a coroutine failed", self._name, exc_info=error)


class ReentrantEvent:
    """A `threading.Event` for one waiting thread; a signal handler may set it while its own thread is setting it.

    `threading.Event.set` would deadlock there, on a lock that the interrupted code holds. `SimpleQueue.put` is
    reentrant: https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Return whether it was set since it was cleared."""
        return not self._tokens.empty()

    def set(self) -> None:
        """Set the event, so that `wait` returns, now or at its next call."""
        if self._tokens.empty():
            self._tokens.put(None)

    def clear(self) -> None:
        """Undo `set`; only the waiting thread may call this."""
        while not self._tokens.empty():
            self._tokens.get()

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, for at most `timeout` seconds (0 or more), and return whether it is set."""
        try:
            self._tokens.get(timeout=timeout)
        except Empty:
            return False
        self._tokens.put(None)
        return True


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except BaseException:
            # A SystemExit in an asyncio task is raised here; the other coroutines must go on.
            logger.exception("an exception stopped the event loop; it is started again")
        else:
            return
