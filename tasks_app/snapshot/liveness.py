"""How long a task has given no sign of life, and what follows from it. Pure: the time is passed in.

The clocks of two machines may differ, so a time that a task carries says nothing: what counts is for how long the
observer has seen no change, not even a new sign of life.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from .snapshot import Snapshot
from .state import State

K = TypeVar("K")


class Silence:
    """What was seen of a task last, and since when nothing new.

    Args:
        decode: returns the snapshot in a stored text, or None if it is not one.
    """

    def __init__(self, decode: Callable[[str], Snapshot | None]) -> None:
        #: The latest version; None as long as no such task was seen.
        self.snapshot: Snapshot | None = None
        #: Whether what the store holds now can't be decoded.
        self.is_garbled = False
        self._decode = decode
        self._text: str | None = None
        self._is_gone = False
        self._since = 0.0

    def hear(self, text: str | None, *, monotonic: float, snapshot: Snapshot | None = None) -> bool:
        """Take in what the store holds, and return whether it is another version.

        Args:
            text: the stored text; None if the task vanished, which may come back.
            monotonic: the time, in seconds.
            snapshot: that of the text, where it is at hand.
        """
        if text is None and not self._is_gone and not self._gives_signs_of_life():
            self._since = monotonic  # silence meant nothing so far
        self._is_gone = text is None
        if text is None or text == self._text:
            return False
        self._text = text
        self._since = monotonic
        found = snapshot or self._decode(text)
        self.is_garbled = found is None
        self.snapshot = found or self.snapshot
        return not self.is_garbled

    def measure(self, *, monotonic: float) -> float:
        """Return for how many seconds the task has been silent; 0 where that means nothing."""
        if self.snapshot is None or self.snapshot.is_terminal:
            return 0.0
        return monotonic - self._since if self._is_gone or self._gives_signs_of_life() else 0.0

    def forgive(self, seconds: float) -> None:
        """Leave some of the silence out: time in which nobody looked."""
        self._since += seconds

    def forget(self, *, monotonic: float) -> None:
        """Count from now."""
        self._since = monotonic

    def _gives_signs_of_life(self) -> bool:
        """Whether a process gives signs of life of this task, so that silence means something."""
        if self.snapshot is None:
            return False
        return self.snapshot.state is State.RUNNING or self.snapshot.beat is not None


def judge(silences: Mapping[K, float], *, stalled_after: float, lost_after: float) -> tuple[list[K], list[K]]:
    """Return which tasks are stalled and which are lost.

    Args:
        silences: the seconds for which each task has been silent.
        stalled_after, lost_after: the seconds from which a task is stalled, and lost.
    """
    lost = [key for key, silence in silences.items() if silence > lost_after]
    stalled = [key for key, silence in silences.items() if stalled_after < silence <= lost_after]
    return stalled, lost
