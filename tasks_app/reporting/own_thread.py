"""The thread of a flusher: it runs only while there is work, and a process that can't start it goes on without."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..utils.exhaustion import exhaustion_log
from ..utils.threads import ReentrantEvent


class Wake(Protocol):
    """The type of `Flusher.wake`."""

    def __call__(self, task_id: str, *, urgently: bool = False) -> None: ...


class OwnThread:
    """An object with a thread of its own, which calls `_run`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = ReentrantEvent()
        self._thread: threading.Thread | None = None
        self._holds = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Have the thread running in this block, so that what is added there will be written.

        Raises:
            Exception: the process can't start the thread; the block is not entered.
        """
        with self._lock:
            self.start_thread()
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def start_thread(self) -> None:
        """Start the thread unless it runs; the caller holds the lock. A flusher without a thread overrides this.

        Raises:
            Exception: the process can't start it.
        """
        self._changed.set()
        if self._thread is None:
            self._prepare()
            thread = threading.Thread(target=self._run, name="tasks_app-flusher", daemon=True)
            thread.start()
            self._thread = thread

    def _try_to_start(self) -> None:
        """Start the thread; if the process can't, the next change tries again, since a job must not fail by that."""
        try:
            self.start_thread()
        except Exception as error:
            exhaustion_log.note(error, "what its jobs report is written later")

    def _try_again(self) -> None:
        """Start the thread that could not be started before, unless that is being done."""
        if self._lock.acquire(blocking=False):  # a signal handler may have interrupted the thread that holds it
            try:
                self._try_to_start()
            finally:
                self._lock.release()

    def _goes_on(self) -> bool:
        """Return whether the thread is to go on; if not, it is about to end."""
        with self._lock:
            if not (self._is_busy or self._holds):
                self._thread = None
            return self._thread is not None

    @property
    def _is_busy(self) -> bool:
        """Whether there is work."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Start what the thread needs."""
        raise NotImplementedError

    def _run(self) -> None:
        raise NotImplementedError
