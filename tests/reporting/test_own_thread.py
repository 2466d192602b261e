"""The thread of a flusher, and the moments at which it ends and begins."""

import threading

from tasks_app.reporting.own_thread import OwnThread
from tests.support.waiting import DEADLINE


class Work:
    """Work that is added, with a call of `wake`, right after the thread has found that there is none."""

    def __init__(self) -> None:
        self.is_there = self.was_asked_for = False
        self.is_done = threading.Event()
        self.thread = OwnThread(run=self.run, prepare=lambda: None, is_busy=self.is_busy)

    def is_busy(self) -> bool:
        found, is_first = self.is_there, not self.was_asked_for
        self.was_asked_for = True
        if is_first:
            self.is_there = True
            self.thread.wake()
        return found

    def run(self) -> None:
        while self.thread.goes_on():
            self.is_there = False
            self.is_done.set()


def test_work_that_is_added_while_the_thread_ends_is_done():
    work = Work()
    with work.thread.lock:
        work.thread.start()
    assert work.is_done.wait(DEADLINE)
