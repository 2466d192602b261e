"""Calls that are made in another thread, so that their callers need not wait for them longer than they want to."""

import threading
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import connections

from .threads import IDLE_SECONDS, start_thread

T = TypeVar("T")


class NotInTime(Exception):
    """A call has not returned in time; a `TimeoutError` may come from the call itself."""


class Handover:
    """At most `max_threads` daemon threads, each of which ends after IDLE_SECONDS without a call.

    A future of a `ThreadPool` would take several times as long as what a cache on the same machine does.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._lock = threading.RLock()  # reentrant: a signal handler may interrupt a thread that holds it
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._threads = self._open = 0

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """Call a function in another thread, in an empty context, and return what it returns.

        Raises:
            NotInTime: it has not returned within `timeout` seconds; it goes on, unless it has not begun.
            Exception: raised by the function, or there is no thread and none can be started.
        """
        call = _Call(function)
        with self._lock:
            self._add_thread()
            self._open += 1
        self._calls.put(call)
        if not call.done.acquire(timeout=timeout):
            call.is_abandoned = True
            raise NotInTime
        try:
            result: T = call.get_result()
            return result
        finally:
            del call  # an error holds this frame by its traceback

    def _add_thread(self) -> None:
        if self._open < self._threads or self._threads == self._max_threads:
            return
        if start_thread(self._work, self._name, pool=self._name, has_others=self._threads > 0):
            self._threads += 1

    def _work(self) -> None:
        while (call := self._take()) is not None:
            call.run()
            with self._lock:
                self._open -= 1
            call.done.release()
        connections.close_all()

    def _take(self) -> "_Call | None":
        try:
            return self._calls.get(timeout=IDLE_SECONDS)
        except Empty:
            with self._lock:
                if self._calls.empty() and self._open < self._threads:
                    self._threads -= 1
                    return None
            return self._calls.get()  # a call that counts on this thread is about to come


class _Call:
    """A call, and what came of it once `done` can be acquired."""

    __slots__ = ("done", "error", "function", "is_abandoned", "result")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = threading.Lock()
        self.done.acquire()
        self.is_abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None

    def get_result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result

    def run(self) -> None:
        if not self.is_abandoned:
            try:
                self.result = Context().run(self.function)
            except BaseException as error:
                self.error = error
