"""What is known of a task that someone of this process looks at, with its frames."""

from functools import cached_property
from typing import Protocol
from weakref import WeakSet

from . import sse
from .log import Log
from .silence import Silence
from .state import Snapshot, Version, format_time


class Viewer(Protocol):
    """What the hub must know of an open stream."""

    def notify(self, watch: "Watch") -> None:
        """Take note that a task changed, or that there is more of its log."""

    def tick(self) -> None:
        """Take note that half a KEEPALIVE has passed."""

    def expire(self) -> None:
        """End at the next step; the client comes back."""


class View:
    """One public version of a task, with its frames: made once, and the same bytes for every stream.

    Raises:
        ValueError, RecursionError: the snapshot holds what is not JSON.
    """

    def __init__(self, snapshot: Snapshot, wire: str | None = None) -> None:
        self.snapshot = snapshot
        self._wire = wire
        self.event_id = snapshot.event_id
        self.is_terminal = snapshot.is_terminal
        #: The unnamed event.
        self.frame = sse.encode_snapshot(snapshot, wire)

    @cached_property
    def end_frame(self) -> bytes:
        """The event that ends a stream."""
        return sse.encode_end(self.snapshot, self._wire)

    @cached_property
    def data(self) -> bytes:
        """The unnamed event without its id, for streams that have ids of their own."""
        return _without_id(self.frame)

    @cached_property
    def end_data(self) -> bytes:
        """The event that ends a stream, without its id."""
        return _without_id(self.end_frame)

    @cached_property
    def last_frames(self) -> bytes:
        """Both, for the streams that are told of the end."""
        return self.frame + self.end_frame


class Watch:
    """A task that someone of this process looks at; `view` is None as long as no such task is known."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.viewers: WeakSet[Viewer] = WeakSet()
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


def _without_id(frame: bytes) -> bytes:
    return frame.partition(b"\n")[2]
