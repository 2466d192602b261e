"""The thread of a flusher: it runs only while there is work, and a process that can't start it goes on without."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from ..utils.exhaustion import exhaustion_log
from ..utils.threads import ReentrantEvent


class Wake(Protocol):
    """The type of `Flusher.wake`."""

    def __call__(self, task_id: str, *, urgently: bool = False) -> None: ...


class OwnThread:
    """A thread that runs while there is work, and the lock that guards what the work is.

    Args:
        run: what the thread calls; it returns when `goes_on` says so.
        prepare: called before the thread starts, to start what it needs.
        is_busy: tells whether there is work.
    """

    def __init__(self, *, run: Callable[[], None], prepare: Callable[[], None], is_busy: Callable[[], bool]) -> None:
        self.lock = threading.Lock()
        #: Set when there is something new to do.
        self.changed = ReentrantEvent()
        self._run, self._prepare, self._is_busy = run, prepare, is_busy
        self._thread: threading.Thread | None = None
        self._holds = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Have the thread running in this block, so that what is added there will be done.

        Raises:
            Exception: the process can't start the thread; the block is not entered.
        """
        with self.lock:
            self.start()
            self._holds += 1
        try:
            yield
        finally:
            with self.lock:
                self._holds -= 1

    def start(self) -> None:
        """Start the thread unless it runs; the caller holds the lock.

        Raises:
            Exception: the process can't start it.
        """
        self.changed.set()
        if self._thread is None:
            self._prepare()
            thread = threading.Thread(target=self._run, name="tasks_app-flusher", daemon=True)
            thread.start()
            self._thread = thread

    def try_to_start(self) -> None:
        """Start the thread; if the process can't, the next change tries again, since a job must not fail by that."""
        try:
            self.start()
        except Exception as error:
            exhaustion_log.note(error, "what its jobs report is written later")

    def wake(self) -> None:
        """Have the thread look for what there is to do, and start it if that could not be done before."""
        # A signal handler may have interrupted the thread that holds the lock.
        if self._thread is None and self._is_busy() and self.lock.acquire(blocking=False):
            try:
                self.try_to_start()
            finally:
                self.lock.release()
        self.changed.set()

    def goes_on(self) -> bool:
        """Return whether the thread is to go on; if not, it is about to end."""
        with self.lock:
            if self._is_busy() or self._holds:
                return True
            self._thread = None
        if self._is_busy():  # `wake` was called for it while the lock was held, or while this thread was still known
            with self.lock:
                self.try_to_start()
        return False
