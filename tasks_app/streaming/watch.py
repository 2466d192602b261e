"""A task watched in this process: what is known of it, and its viewers."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol
from weakref import WeakSet, ref

from ..conf import get_settings
from ..metering import get_meter
from ..reporting import recall
from ..snapshot import Silence, Snapshot, Spell, State, Version, as_silent, awaits_children
from ..store import decode
from ..utils.clock import format_time
from .age import count_age
from .frames import View
from .judgement import measure
from .log import Log
from .outlet import Outlet

logger = logging.getLogger("tasks_app")


class Viewer(Protocol):
    """The part of an open stream that the hub uses."""

    #: Takes frames instead of `notify` once the viewer is connected to it.
    outlet: Outlet | None

    def notify(self, watch: "Watch") -> None:
        """Send the new snapshot of a task, or new lines of its log."""

    def tick(self) -> None:
        """Send a keep-alive if nothing was sent since the last call; called every half KEEPALIVE."""

    def expire(self) -> None:
        """End the stream; its client reconnects."""


def notify_each(viewers: Sequence[Viewer], watch: "Watch") -> None:
    """Notify these viewers of a change of a task."""
    for viewer in viewers:
        try:
            viewer.notify(watch)
        except Exception:
            # The failure of one viewer must not keep the others from being notified.
            logger.exception(
                "task %s: a viewer could not be notified", watch.task_id, extra={"task_id": watch.task_id}
            )


def expire_each(viewers: Iterable[Viewer]) -> None:
    """End the streams of these viewers, for which a server that stops waits; their clients reconnect elsewhere."""
    for viewer in list(viewers):
        viewer.expire()


class Watch:
    """A task watched in this process; `view` is None until a snapshot of it is known."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.audience = Audience()
        self.view: View | None = None
        self.silence = Silence(partial(decode, task_id))
        #: The viewers that also want the log, weak as in the audience; `log` is not None while there are any.
        self.log_viewers: WeakSet[Viewer] = WeakSet()
        self.log: Log | None = None

    @property
    def is_parent(self) -> bool:
        """Whether the task is shown with its children, since it or some of these have not ended."""
        return self.silence.snapshot is not None and awaits_children(self.silence.snapshot)

    @property
    def logged(self) -> int:
        """The offset after the last line that the latest snapshot counts."""
        return self.silence.snapshot.logged if self.silence.snapshot is not None else 0

    def notify(self) -> None:
        """Notify all viewers of a change of the task."""
        if self.view is not None:
            get_meter().note_frames(len(self.audience))
            notify_each(self.audience.write(self.view), self)

    def apply(self, text: str | None, *, monotonic: float) -> bool:
        """Take in the stored text, and return whether there is anything new to show."""
        is_first = self.silence.snapshot is None
        if is_first and text is None and (sent := recall(self.task_id)) is not None:
            text = sent.to_json()
        if not self.silence.hear(text, monotonic=monotonic):
            return False
        snapshot = self.silence.snapshot
        assert snapshot is not None
        if is_first:
            count_age(self.silence, monotonic=monotonic)
            if self.measure(monotonic=monotonic).length > get_settings().STALLED_AFTER:
                return self._show(as_silent(snapshot))
        return not self._has_shown_later(snapshot) and self._show(snapshot)

    def is_behind(self, version: Version) -> bool:
        """Return whether `version` is newer than what is known of the task."""
        known = self.silence.snapshot
        return known is None or _order_key(known) < _order_key(version.snapshot)

    def take_over(self, version: Version, *, monotonic: float) -> bool:
        """Take in a version stored by this process, and return whether there is anything new to show."""
        self.silence.hear(version.text, monotonic=monotonic, snapshot=version.snapshot)
        return self._show(version.snapshot, version.wire)

    def measure(self, *, monotonic: float) -> Spell:
        """Return how long the task has been silent."""
        return measure(self.silence, monotonic=monotonic)

    def show_sum(self, total: Snapshot) -> bool:
        """Show a parent with all its children, and return whether that is new."""
        return self._show(total)

    def stall(self) -> bool:
        """Show the task as stalled, and return whether that is new; a parent stalls by its children alone."""
        return self.view is not None and not self.is_parent and self._show(as_silent(self.view.snapshot))

    def _has_shown_later(self, snapshot: Snapshot) -> bool:
        """Return whether a newer version of the same attempt is shown; a lagging cache replica returns older ones."""
        if self.view is None or snapshot.is_terminal or self.view.snapshot.state is State.LOST:
            return False  # a living job may take its task back from lost
        shown = self.view.snapshot
        return snapshot.seq < shown.seq and _identify_attempt(snapshot) == _identify_attempt(shown)

    def _show(self, snapshot: Snapshot, wire: str | None = None) -> bool:
        if awaits_children(snapshot):  # its family shows it
            return False
        if self.view is not None and _identify(self.view.snapshot) == _identify(snapshot):
            return False
        self.view = View(snapshot, wire)
        return True


def excuse_each(watches: Iterable["Watch"], *, monotonic: float) -> None:
    """Have the silence of these tasks begin from zero."""
    for watch in watches:
        watch.silence.excuse(monotonic=monotonic)


def stall_each(watches: Iterable[Watch]) -> None:
    """Show these tasks as stalled."""
    for watch in watches:
        if watch.stall():
            get_meter().note_stalled()
            watch.notify()


class Audience:
    """The viewers of one task: those that must be notified, and outlets to which frames are written instead.

    Each object that a frame touches costs a cache miss of the processor per viewer, so a frame that is written touches
    the outlet but not its stream. All references to viewers are weak, for the same reason as in the hub.
    """

    def __init__(self) -> None:
        self._viewers: WeakSet[Viewer] = WeakSet()
        self._outlets: dict[Outlet, ref[Viewer]] = {}

    def __len__(self) -> int:
        return len(self._viewers) + len(self._outlets)

    def __contains__(self, viewer: Viewer) -> bool:
        return viewer in self._viewers or (viewer.outlet is not None and viewer.outlet in self._outlets)

    def add(self, viewer: Viewer) -> None:
        """Have `viewer` notified of each change."""
        self._viewers.add(viewer)

    def connect(self, viewer: Viewer, outlet: Outlet) -> None:
        """Write frames to the `outlet` of a viewer that was added, while it waits, instead of notifying it."""
        if viewer in self._viewers:
            self._viewers.discard(viewer)
            self._outlets[outlet] = ref(viewer)

    def discard(self, viewer: Viewer) -> None:
        """Leave out a viewer."""
        self._viewers.discard(viewer)
        if viewer.outlet is not None:
            self._outlets.pop(viewer.outlet, None)

    def write(self, view: View) -> list[Viewer]:
        """Write a frame to each outlet that waits, and return the viewers to notify of it."""
        outlets = list(self._outlets)
        if not view.is_terminal:  # an end is more than a frame
            outlets = [outlet for outlet in outlets if not self._write(outlet, view)]
        return [*self._viewers, *filter(None, map(self._find, outlets))]

    def _write(self, outlet: Outlet, view: View) -> bool:
        try:
            if not (outlet.is_waiting and outlet.write(view)):
                return False
        except Exception:
            what = "a frame could not be written directly, and the stream goes on by its task"
            logger.exception("task %s: %s", view.snapshot.task_id, what, extra={"task_id": view.snapshot.task_id})
            self._disconnect(outlet)
            return False
        outlet.is_used = True
        return True

    def _disconnect(self, outlet: Outlet) -> None:
        if (viewer := self._find(outlet)) is not None:
            self._viewers.add(viewer)
        self._outlets.pop(outlet, None)

    def _find(self, outlet: Outlet) -> Viewer | None:
        viewer = self._outlets.get(outlet)
        return viewer() if viewer is not None else None


def _order_key(snapshot: Snapshot) -> tuple[int, int]:
    return snapshot.seq, snapshot.logged


def _identify(snapshot: Snapshot) -> tuple[object, ...]:
    """Return a key that differs between versions, even while two processes write the same task for a moment."""
    return snapshot.event_id, snapshot.state, *_identify_attempt(snapshot)


def _identify_attempt(snapshot: Snapshot) -> tuple[int, str | None]:
    return snapshot.attempt, format_time(snapshot.created_at)  # as stored: to the millisecond
