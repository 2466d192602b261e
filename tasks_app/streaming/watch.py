"""What is known of a task that someone of this process looks at, and by whom."""

import logging
from collections.abc import Iterable
from functools import partial
from typing import Protocol
from weakref import WeakSet

from ..snapshot import Silence, Snapshot, Version
from ..store import decode
from ..utils.clock import format_time
from .frames import View
from .log import Log

logger = logging.getLogger("tasks_app")


class Viewer(Protocol):
    """What the hub must know of an open stream."""

    def notify(self, watch: "Watch") -> None:
        """Send what is new of a task, its snapshot or lines of its log."""

    def tick(self) -> None:
        """Send a sign of life if one is due; called every half KEEPALIVE."""

    def expire(self) -> None:
        """End at the next step; the client comes back."""


def notify_each(viewers: Iterable[Viewer], watch: "Watch") -> None:
    """Tell these viewers that a task changed."""
    for viewer in list(viewers):
        try:
            viewer.notify(watch)
        except Exception:
            # Whatever is wrong with one viewer: the others are told.
            logger.exception("task %s: a viewer could not be told of it", watch.task_id)


class Watch:
    """A task that someone of this process looks at; `view` is None as long as no such task is known."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        #: Weak, as those of the hub are.
        self.viewers: WeakSet[Viewer] = WeakSet()
        self.view: View | None = None
        self.silence = Silence(partial(decode, task_id))
        #: Those who look at the log, too; as long as there are some, `log` is not None.
        self.log_viewers: WeakSet[Viewer] = WeakSet()
        self.log: Log | None = None

    @property
    def logged(self) -> int:
        """The offset after the last line that the task has logged."""
        return self.silence.snapshot.logged if self.silence.snapshot is not None else 0

    def apply(self, text: str | None, *, monotonic: float) -> bool:
        """Take in what the store holds, and return whether there is anything new to show."""
        if not self.silence.hear(text, monotonic=monotonic):
            return False
        assert self.silence.snapshot is not None
        return not self._has_shown_later(self.silence.snapshot) and self._show(self.silence.snapshot)

    def is_behind(self, version: Version) -> bool:
        """Is this later than what is known of the task?"""
        known = self.silence.snapshot
        return known is None or _age(known) < _age(version.snapshot)

    def take_over(self, version: Version, *, monotonic: float) -> bool:
        """Take in what this process has stored; is there anything new to show?"""
        self.silence.hear(version.text, monotonic=monotonic, snapshot=version.snapshot)
        return self._show(version.snapshot, version.wire)

    def stall(self) -> bool:
        """Show the task as one that gives no sign of life; is that news?"""
        return self.view is not None and self._show(self.view.snapshot.as_stalled())

    def _has_shown_later(self, snapshot: Snapshot) -> bool:
        """Is this from before what is shown of the same attempt, as what a replica tells that lags behind?"""
        if self.view is None or snapshot.is_terminal:
            return False
        shown = self.view.snapshot
        return snapshot.seq < shown.seq and _identify_attempt(snapshot) == _identify_attempt(shown)

    def _show(self, snapshot: Snapshot, wire: str | None = None) -> bool:
        if self.view is not None and _identify(self.view.snapshot) == _identify(snapshot):
            return False
        self.view = View(snapshot, wire)
        return True


def _age(snapshot: Snapshot) -> tuple[int, int]:
    return snapshot.seq, snapshot.logged


def _identify(snapshot: Snapshot) -> tuple[object, ...]:
    """Return what tells this version from others, even where two processes write the same task for a moment."""
    return snapshot.event_id, snapshot.state, *_identify_attempt(snapshot)


def _identify_attempt(snapshot: Snapshot) -> tuple[int, str | None]:
    return snapshot.attempt, format_time(snapshot.created_at)  # which is stored to the millisecond
