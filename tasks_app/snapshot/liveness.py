"""The silence of a task, from which it is stalled or lost. Pure: the time is passed in.

A task is silent while the observing process sees no change of it in the store, heartbeats included. This watch of its
own can't be wrong, but a process that looks once has not watched. For it, the age of what is stored counts as silence:
the time by its own clock, less the time of the last write by the clock of the writer. Clocks may differ, so:

- Age counts only beyond a slack. Clocks that are kept by NTP differ by far less.
- Age alone makes a task stalled, which its next sign of life undoes. It never makes a task lost: it counts for at most
  `lost_after` less `stalled_after`, and the rest must be watched. In that time a living task is heard, several times
  over, however wrong the clocks are.
- A version that came since the last look is no older than that look.
- If the clock of the writer is ahead, the age is too small or negative. Then only the watch counts, as also where the
  age is greater than the store keeps a task without any write.

Nobody gives signs of life of a task that waits for an executor elsewhere. It is silent once the store has lost it, as
a cache does that is restarted empty. An executor may begin it for `queued_lost_after` yet, but neither before its time
nor after it has expired.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from .copying import replace
from .snapshot import Snapshot
from .state import UNKNOWN, State

K = TypeVar("K")


class Spell(NamedTuple):
    """The silence of a task, in seconds; 0 where silence means nothing.

    Attributes:
        length: since its last sign of life.
        counted: the part of it in which the store is known to have taken writes, so that the task could be heard.
        may_begin: whether the store has lost the task while it waited for an executor, which may begin it yet.
    """

    length: float
    counted: float
    may_begin: bool = False


class Silence:
    """The latest version seen of a task, and the time since then.

    Args:
        decode: returns the snapshot in a stored text, or None if the text is not a snapshot.
    """

    def __init__(self, decode: Callable[[str], Snapshot | None]) -> None:
        #: The latest version; None until one is seen.
        self.snapshot: Snapshot | None = None
        #: Whether the text now in the store can't be decoded.
        self.is_garbled = False
        self._decode = decode
        self._text: str | None = None
        self._is_gone = False
        self._since = 0.0
        self._counted_since = 0.0

    def hear(self, text: str | None, *, monotonic: float, snapshot: Snapshot | None = None) -> bool:
        """Record the text now in the store, and return whether it is a new version, or one without beats is back.

        Args:
            text: the stored text; None if there is none, perhaps only for a while.
            monotonic: the time, in seconds.
            snapshot: the snapshot in `text`, if it is decoded already.
        """
        has_heartbeats = self.snapshot is not None and self.snapshot.has_heartbeats
        if text is None and not self._is_gone and not has_heartbeats:
            self.forget(monotonic=monotonic)  # until now silence meant nothing: count from here
        is_back = self._is_gone and text is not None and not has_heartbeats
        self._is_gone = text is None
        if text is None or text == self._text:
            return is_back
        self._text = text
        self.forget(monotonic=monotonic)
        found = snapshot or self._decode(text)
        self.is_garbled = found is None
        self.snapshot = found or self.snapshot
        return not self.is_garbled

    def measure(self, *, monotonic: float, now: datetime) -> Spell:
        """Return how long the task has been silent, at the time `monotonic` in seconds, and `now` of the clock."""
        snapshot = self.snapshot
        if snapshot is None or snapshot.is_terminal or not (self._is_gone or snapshot.has_heartbeats):
            return Spell(0.0, 0.0)
        length, counted = monotonic - self._since, monotonic - self._counted_since
        if not waits_elsewhere(snapshot):
            return Spell(length, counted)
        has_expired = is_expired(snapshot, now)
        turn = snapshot.expires_at if has_expired else snapshot.not_before
        overdue = math.inf if turn is None else max((now - turn).total_seconds(), 0.0)
        return Spell(length, min(counted, overdue), may_begin=not has_expired)

    def get_age(self, *, now: datetime) -> float:
        """Return the seconds since the last write by the clocks of writer and observer; 0 where that is unknown."""
        if self.snapshot is None or self.snapshot.written_at is None:
            return 0.0
        return (now - self.snapshot.written_at).total_seconds()

    def backdate(self, seconds: float, *, counted: float, monotonic: float) -> None:
        """Have the silence begin at least `seconds` before `monotonic`, of which at most `counted` are counted."""
        self._since = min(self._since, monotonic - seconds)
        self._counted_since = min(self._counted_since, monotonic - min(seconds, counted))

    def forgive(self, seconds: float) -> None:
        """Subtract `seconds` in which the store was not read."""
        self._since += seconds
        self._counted_since += seconds

    def forget(self, *, monotonic: float) -> None:
        """Restart the silence at `monotonic`."""
        self._since = self._counted_since = monotonic

    def excuse(self, *, monotonic: float) -> None:
        """Count silence only from `monotonic`: the store took no writes. A task that stalled is stalled still."""
        self._counted_since = monotonic


def waits_elsewhere(snapshot: Snapshot) -> bool:
    """Return whether a task waits for an executor that gives no sign of life of it."""
    return snapshot.state is State.QUEUED and not snapshot.has_heartbeats


def is_expired(snapshot: Snapshot, time: datetime) -> bool:
    """Return whether a task waited, at `time`, although no executor may begin it any more."""
    return snapshot.state is State.QUEUED and snapshot.expires_at is not None and snapshot.expires_at < time


def as_silent(snapshot: Snapshot) -> Snapshot:
    """Return a task as viewers see it after STALLED_AFTER seconds of silence.

    One that waits elsewhere is silent only if the store has lost it, so what has become of it is unknown.
    """
    stalled = snapshot.as_stalled()
    return replace(stalled, status=UNKNOWN) if waits_elsewhere(snapshot) else stalled


def judge(
    spells: Mapping[K, Spell], *, stalled_after: float, lost_after: float, queued_lost_after: float
) -> tuple[list[K], list[K]]:
    """Return the stalled tasks and the lost tasks.

    Args:
        spells: the silence of each task.
        stalled_after: the seconds of silence after which a task is stalled.
        lost_after: the seconds of counted silence after which it is lost.
        queued_lost_after: the same for a task that an executor may begin yet.
    """
    limits = {key: queued_lost_after if spell.may_begin else lost_after for key, spell in spells.items()}
    lost = [key for key, spell in spells.items() if spell.counted > limits[key]]
    stalled = [key for key, spell in spells.items() if spell.length > stalled_after and spell.counted <= limits[key]]
    return stalled, lost
