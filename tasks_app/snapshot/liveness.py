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
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from .snapshot import Snapshot

K = TypeVar("K")


class Spell(NamedTuple):
    """How long a task has been silent, in seconds; 0 where silence means nothing.

    Attributes:
        length: since its last sign of life.
        counted: the part of it in which the store is known to have taken writes, so that the task could be heard.
    """

    length: float
    counted: float


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
        """Record the text now in the store, and return whether it is a new version.

        Args:
            text: the stored text; None if there is none, perhaps only for a while.
            monotonic: the time, in seconds.
            snapshot: the snapshot in `text`, if it is decoded already.
        """
        if text is None and not self._is_gone and not (self.snapshot is not None and self.snapshot.has_heartbeats):
            self.forget(monotonic=monotonic)  # until now silence meant nothing: count from here
        self._is_gone = text is None
        if text is None or text == self._text:
            return False
        self._text = text
        self.forget(monotonic=monotonic)
        found = snapshot or self._decode(text)
        self.is_garbled = found is None
        self.snapshot = found or self.snapshot
        return not self.is_garbled

    def measure(self, *, monotonic: float) -> Spell:
        """Return how long the task has been silent."""
        if self.snapshot is None or self.snapshot.is_terminal or not (self._is_gone or self.snapshot.has_heartbeats):
            return Spell(0.0, 0.0)
        return Spell(monotonic - self._since, monotonic - self._counted_since)

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


def judge(spells: Mapping[K, Spell], *, stalled_after: float, lost_after: float) -> tuple[list[K], list[K]]:
    """Return the stalled tasks and the lost tasks.

    Args:
        spells: the silence of each task.
        stalled_after: the seconds of silence after which a task is stalled.
        lost_after: the seconds of counted silence after which it is lost.
    """
    lost = [key for key, spell in spells.items() if spell.counted > lost_after]
    stalled = [key for key, spell in spells.items() if spell.length > stalled_after and spell.counted <= lost_after]
    return stalled, lost
