"""The ends of tasks whose backend stores their outcome only after it has said that they ended."""

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import close_old_connections

from ..reporting import Reporter, call_before_end
from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import per_process
from ..utils.threads import DaemonExecutor
from .outcome import Outcome, ask

if TYPE_CHECKING:
    from django.tasks import TaskResult

#: Seconds for which a backend is asked, and between two questions.
PATIENCE, PAUSE = 1.0, 0.02


@dataclass(frozen=True, slots=True)
class Owed:
    """An end to report by a time, with what was known of it when it came."""

    task_result: "TaskResult[Any, Any]"
    known: Outcome
    until: float


class LateOutcomes:
    """The ends of one process that wait for their outcome, and the thread that asks for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owed: dict[Reporter, Owed] = {}
        self._is_ending = False
        self._threads = DaemonExecutor(max_workers=1, name="tasks_app-outcomes")

    def add(self, reporter: Reporter, task_result: "TaskResult[Any, Any]", known: Outcome) -> None:
        """Report the end of a task once its backend has stored it, or as `known` if it does not within PATIENCE."""
        with self._changed:
            is_first = not self._owed
            self._owed[reporter] = Owed(task_result, known, time.monotonic() + PATIENCE)
        if is_first:
            self._begin(reporter, known)

    def _begin(self, reporter: Reporter, known: Outcome) -> None:
        try:
            self._threads.submit(self._run)
        except Exception as error:  # the process can start no thread to ask in
            exhaustion_log.note(error, f"task {reporter.task_id} ends as it is known now")
            self._report(reporter, known)

    def finish(self, timeout: float) -> None:
        """Report all ends now, because the process ends; wait at most `timeout` seconds for the backends."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._owed, timeout)
            self._is_ending = False
        for reporter, item in list(self._owed.items()):
            self._report(reporter, item.known)

    def _run(self) -> None:
        while self._owed:
            with self._changed:
                self._changed.wait_for(lambda: self._is_ending, PAUSE)
            for reporter, item in list(self._owed.items()):
                self._settle(reporter, item)
        close_old_connections()

    def _settle(self, reporter: Reporter, item: Owed) -> None:
        found = ask(item.task_result)
        if found is not None and found.is_final:
            self._report(reporter, found)
        elif found is None or self._is_ending or time.monotonic() > item.until:
            self._report(reporter, item.known)

    def _report(self, reporter: Reporter, outcome: Outcome) -> None:
        with self._changed:
            if self._owed.pop(reporter, None) is not None:
                outcome.report_to(reporter)
                self._changed.notify_all()


@per_process()
def get_late_outcomes() -> LateOutcomes:
    """Return the ends of this process that wait for their outcome."""
    return LateOutcomes()


def _finish(timeout: float) -> None:
    if (late := get_late_outcomes.peek()) is not None:
        late.finish(timeout)


call_before_end(_finish)
