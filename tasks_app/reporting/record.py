"""The record of one attempt for staff, from its beginning in this process until it is stored."""

import logging
import math
import os
import socket
from collections.abc import Callable
from dataclasses import replace

from ..conf import get_settings
from ..snapshot import MAX_NAME_LENGTH, Argument, Details, Snapshot, cut_traceback
from ..utils.clock import Clock
from ..utils.lazy import per_process
from ..utils.release import VERSION
from .arguments import Call, describe_call

logger = logging.getLogger("tasks_app")

#: Finds out how a job is called; only asked where arguments are recorded.
GetCall = Callable[[], Call | None]


class Record:
    """The details of one attempt, which the job's thread begins and the flusher's follows, under the draft's lock.

    A process that only ends a task, which another one ran, has none: it would write over those of the attempt.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._error: str | None = None
        self._traceback: str | None = None
        self._details: Details | None = None
        self._taken: Details | None = None
        self._stored: Details | None = None
        #: Those of the attempt before, if this process has not stored them yet.
        self._earlier: tuple[Details, ...] = ()
        self._renew_at = math.inf

    @property
    def news(self) -> tuple[Details, ...]:
        """The details to store now."""
        is_due = self._taken is not self._stored or self._clock.monotonic() > self._renew_at
        return (*self._earlier, *((self._taken,) if self._taken is not None and is_due else ()))

    def begin(self, snapshot: Snapshot, arguments: tuple[Argument, ...] | None) -> None:
        """Begin the record of the attempt that `snapshot` begins."""
        worker = {"host": get_host(), "process": os.getpid(), "version": VERSION}
        self._details = Details.of(snapshot, **worker, arguments=arguments)

    def follow(self, snapshot: Snapshot) -> None:
        """Add what a snapshot tells of the attempt, before that is stored."""
        if self._details is None and snapshot.attempt == 0 and (self._error or self._traceback):  # it never began
            self._details = Details.of(snapshot)
        if self._details is not None:
            if (self._details.error, self._details.traceback) != (self._error, self._traceback):
                self._details = replace(self._details, error=self._error, traceback=self._traceback)
            self._details = self._taken = self._details.following(snapshot)

    def note_error(self, kind: str) -> None:
        """Keep the type of what the job raised; any thread may call this."""
        self._error = kind[:MAX_NAME_LENGTH]

    def note_traceback(self, text: str) -> None:
        """Keep the end of the traceback of what the job raised; any thread may call this."""
        self._traceback = cut_traceback(text)

    def mark_stored(self) -> None:
        """Record that `news` is stored; it is stored once more before the cache drops it."""
        if self.news:
            self._renew_at = self._clock.monotonic() + get_settings().ACTIVE_TTL / 2
        self._stored = self._taken
        self._earlier = ()

    def inherit(self, before: "Record") -> None:
        """Store what the record of the attempt before has not stored."""
        self._earlier = before.news


def find_arguments(task_id: str, get_call: GetCall | None) -> tuple[Argument, ...] | None:
    """Return the arguments of a job as staff may see them, or None if they are not recorded or can't be read."""
    if get_call is None or not get_settings().records_arguments:
        return None
    try:
        call = get_call()
        return None if call is None else describe_call(call)
    except Exception:
        logger.exception("task %s: its arguments can't be shown", task_id, extra={"task_id": task_id})
        return None


@per_process()
def get_host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
