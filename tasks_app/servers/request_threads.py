"""The threads that run the sync code of ASGI requests."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.db import close_old_connections

from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import call_after_fork

#: Seconds without sync code after which a request shares its thread with a waiting one: the first may stay open for
#: hours, or wait for the second.
SHARE_AFTER = 0.05


class RequestThreads:
    """A few threads for the sync code of any number of requests.

    They are daemon threads, because a server that stops waits for all others. A thread is made when it is first needed
    and stays, so that its database connections live as long as CONN_MAX_AGE says. While there are enough threads, no
    two requests share one; else see `SHARE_AFTER`.

    Args:
        limit: the maximum number of threads, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()
        call_after_fork(self._begin)

    def lend(self) -> "LentThread":
        """Return an async context manager, in which sync code of one request runs in one of these threads."""
        return LentThread(self)

    def submit(self, lent: "LentThread", call: "Call") -> None:
        """Run a call in the thread that the request has, or lend it one first."""
        with self._lock:
            worker = lent.worker or self._find_unused()
            lent.calls.append(call)
            if worker is not None:
                _hand_over(lent, worker)
            elif lent not in self._waiting:
                self._waiting[lent] = None
                self._set_timer()

    def take_back(self, lent: "LentThread") -> None:
        """Take the thread of a request back, and lend it to one that waits."""
        with self._lock:
            if all(call.future.cancelled() for call in lent.calls):
                self._waiting.pop(lent, None)
            if (worker := lent.worker) is not None:
                lent.worker = None
                worker.requests -= 1
                self._offer(worker)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._waiting: dict[LentThread, None] = {}
        self._timed: asyncio.AbstractEventLoop | None = None

    def _find_unused(self) -> "Worker | None":
        for worker in self._workers:
            if worker.is_idle and not worker.requests:
                return worker
        return self._make_worker() if len(self._workers) < self._limit else None

    def _make_worker(self) -> "Worker | None":
        """Return a new thread; None if the process can start no more than it has, and requests must share these."""
        try:
            worker = Worker(self._finish)
        except Exception as error:
            if not self._workers:
                raise
            exhaustion_log.note(error, "requests wait for the threads that it has")
            return None
        self._workers.append(worker)
        return worker

    def _finish(self, worker: "Worker") -> None:
        with self._lock:
            worker.calls -= 1
            worker.ended_at = time.monotonic()
            self._offer(worker)

    def _offer(self, worker: "Worker", *, to_share: bool = False) -> None:
        first = next(iter(self._waiting), None)
        if first is not None and worker.is_idle and (to_share or not worker.requests):
            del self._waiting[first]
            _hand_over(first, worker)

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timed is not loop:  # the other loop may be closed, and its timer with it
            self._timed = loop
            loop.call_later(SHARE_AFTER, self._share, context=Context())

    def _share(self) -> None:
        with self._lock:
            self._timed = None
            for worker in self._workers:
                if time.monotonic() - worker.ended_at >= SHARE_AFTER:
                    self._offer(worker, to_share=True)
            if self._waiting:
                self._set_timer()


class LentThread:
    """The thread of one request, which is lent to it when its first sync code is to run.

    It is an executor for `run_in_executor`, except that it returns futures of asyncio, which asyncio uses as they are.
    To wrap futures of `concurrent.futures` costs as much as the change of thread. It is not passed to
    `ThreadSensitiveContext(executor=...)`, because asyncio tasks that outlive their request could then run no more
    sync code.
    """

    __slots__ = ("__weakref__", "_context", "_threads", "calls", "has_ended", "worker")

    def __init__(self, threads: RequestThreads) -> None:
        self.worker: Worker | None = None
        self.calls: list[Call] = []
        self.has_ended = False
        self._threads = threads
        self._context = ThreadSensitiveContext()

    async def __aenter__(self) -> None:
        await self._context.__aenter__()  # type: ignore[no-untyped-call]
        SyncToAsync.context_to_thread_executor[self._context] = self  # type: ignore[assignment]  # see above

    async def __aexit__(self, *error: Any) -> None:
        SyncToAsync.context_to_thread_executor.pop(self._context, None)
        self.end()
        await self._context.__aexit__(*error)  # type: ignore[no-untyped-call]

    def submit(self, function: Callable[..., Any], /, *args: Any) -> "asyncio.Future[Any]":
        """Call a function in the thread, and return the future of the running event loop for its result."""
        loop = asyncio.get_running_loop()
        call = Call(partial(function, *args), loop, loop.create_future())
        self._threads.submit(self, call)
        return call.future

    def release(self) -> None:
        """Give the thread back before the request ends, with its old database connections closed as at the end.

        Sync code that runs later gets a thread again.
        """
        if self.worker is not None:
            self.submit(close_old_connections)
            self._threads.take_back(self)

    def end(self) -> None:
        """Give the thread back for good."""
        self.has_ended = True
        self._threads.take_back(self)


@dataclass(slots=True)
class Call:
    """A function to call in a thread, and the future of an event loop for its result."""

    function: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"

    def run(self, on_end: Callable[[], None]) -> None:
        """Call the function unless the future was cancelled, then `on_end`, then set the result."""
        result, error = None, None
        if not self.future.cancelled():
            try:
                result = self.function()
            except BaseException as raised:
                error = raised
        on_end()
        with suppress(RuntimeError):  # the loop is closed, so nothing waits for the result
            self.loop.call_soon_threadsafe(_settle, self.future, result, error)
        del error  # its traceback holds this frame


class Worker:
    """A daemon thread that makes one call at a time, with the number of its calls and of its requests."""

    _numbers = itertools.count(1)

    def __init__(self, on_end: "Callable[[Worker], None]") -> None:
        self.calls = 0
        self.requests = 0
        self.ended_at = 0.0
        self._queue: SimpleQueue[Call] = SimpleQueue()
        self._on_end = partial(on_end, self)
        name = f"tasks_app-request-{next(self._numbers)}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    @property
    def is_idle(self) -> bool:
        """Whether no call runs or waits in it."""
        return not self.calls

    def put(self, call: Call) -> None:
        """Add a call after those that wait already."""
        self.calls += 1
        self._queue.put(call)

    def _work(self) -> None:
        while True:
            self._queue.get().run(self._on_end)


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():  # it was cancelled
        return
    if isinstance(error, StopIteration):  # a future can't raise it
        error = RuntimeError(f"sync code raised {error!r}")
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _hand_over(lent: LentThread, worker: Worker) -> None:
    if lent.worker is None and not lent.has_ended:
        lent.worker = worker
        worker.requests += 1
    for call in lent.calls:
        worker.put(call)
    lent.calls.clear()
