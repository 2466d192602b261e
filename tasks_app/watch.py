"""What is known of a task that someone of this process looks at, and by whom."""

import logging
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet, ref

from .log import Log
from .outlets import HIGH_WATER, Write
from .snapshot import Silence, Snapshot, Version
from .utils.clock import format_time
from .view import View

logger = logging.getLogger("tasks_app")


class Viewer(Protocol):
    """What the hub must know of an open stream."""

    def notify(self, watch: "Watch") -> None:
        """Take note that a task changed, or that there is more of its log."""

    def tick(self) -> None:
        """Take note that half a KEEPALIVE has passed."""

    def expire(self) -> None:
        """End at the next step; the client comes back."""

    def find_way(self) -> Write | None:
        """Return what writes the next chunks to this viewer, until its audience is to `forget_ways`; None: ask it."""


#: After so many changes that find the viewers as they were, their ways are learned: that costs what it saves in about
#: four changes, measured with 300 streams.
CALM_CHANGES = 4


class Audience:
    """The viewers of one task; weak, as those of the hub are.

    Most changes find the viewers as the one before has left them: each waits for the next frame. Then the frame is
    written to one after the other by the ways that they told, and none of them is looked at. With hundreds of viewers
    each object more is one that the processor has to fetch from far away: this saves a tenth of what a frame costs.
    """

    def __init__(self) -> None:
        self._viewers: WeakSet[Viewer] = WeakSet()
        self._ways: _Ways | None = None
        self._calm_changes = 0

    def __bool__(self) -> bool:
        return bool(self._viewers)

    def add(self, viewer: Viewer) -> None:
        """Tell a viewer, too."""
        self._viewers.add(viewer)
        self.forget_ways()

    def discard(self, viewer: Viewer) -> None:
        """Tell a viewer no more; harmless if it was not told."""
        self._viewers.discard(viewer)
        self.forget_ways()

    def forget_ways(self, *_: object) -> None:
        """Take note that a way may have changed: the viewers are asked until they have stayed as they are for a while.

        This comes from any thread, and in the midst of anything: the garbage collector may find a stream.
        """
        self._ways, self._calm_changes = None, 0

    def notify(self, watch: "Watch") -> None:
        """Tell all viewers of a change."""
        ways, view = self._ways, watch.view
        if ways is not None and view is not None and ways.fits(view):
            notify_each(self._write(ways, view), watch)
        else:
            notify_each(self._viewers, watch)
            self._learn_ways()

    def _write(self, ways: "_Ways", view: View) -> list[Viewer]:
        asked = ways.write(view)
        if ways.has_failed:
            self.forget_ways()
        return asked

    def _learn_ways(self) -> None:
        self._calm_changes += 1
        if self._calm_changes >= CALM_CHANGES:
            ways = _Ways(self._viewers)
            if self._calm_changes:  # else one of them has changed meanwhile
                self._ways = ways


class _Ways:
    """The ways to the viewers of a task, as they are in one moment.

    What waits in a transport is looked at by the viewers alone, so they are asked again after HIGH_WATER bytes.
    """

    def __init__(self, viewers: Iterable[Viewer]) -> None:
        self._writes: list[Write] = []
        self._owners: list[ref[Viewer]] = []
        self._asked: WeakSet[Viewer] = WeakSet()
        self._left = HIGH_WATER
        self.has_failed = False
        for viewer in list(viewers):
            self._add(viewer)

    def fits(self, view: View) -> bool:
        """May this be written without a look at the viewers?"""
        return not view.is_terminal and (not self._writes or len(view.chunk) <= self._left)

    def write(self, view: View) -> list[Viewer]:
        """Write a frame to all who have a way, and return the viewers who must be asked."""
        asked = list(self._asked)
        if self._writes:
            chunk = view.chunk
            self._left -= len(chunk)
            for number, write in enumerate(self._writes):
                try:
                    write(chunk)
                except Exception:  # most likely its connection is gone; if not, the viewer logs what is wrong
                    self.has_failed = True
                    if (viewer := self._owners[number]()) is not None:
                        asked.append(viewer)
        return asked

    def _add(self, viewer: Viewer) -> None:
        if (write := _find_way(viewer)) is None:
            self._asked.add(viewer)
        else:
            self._writes.append(write)
            self._owners.append(ref(viewer))


def _find_way(viewer: Viewer) -> Write | None:
    try:
        return viewer.find_way()
    except Exception:
        logger.exception("%r can't tell its way; it is asked at each change", viewer)
        return None


def notify_each(viewers: Iterable[Viewer], watch: "Watch") -> None:
    """Tell some viewers of a change."""
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
        self.viewers = Audience()
        self.view: View | None = None
        self.silence = Silence()
        #: Those who look at the log, too; as long as there are some, `log` is not None.
        self.log_viewers: WeakSet[Viewer] = WeakSet()
        self.log: Log | None = None

    @property
    def logged(self) -> int:
        """The offset after the last line that the task has logged."""
        return self.silence.snapshot.logged if self.silence.snapshot is not None else 0

    def apply(self, text: str | None, *, monotonic: float) -> bool:
        """Take in what the store holds; is there anything new to show?"""
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
