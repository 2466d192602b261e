"""What the silence of a task means. Pure; no clock is asked but that of whoever looks on.

The clocks of two machines may differ, so a time that a task carries says nothing: what counts is for how long the one
who looks has seen no change, not even a new sign of life.
"""

from .snapshot import Snapshot
from .state import State


class Silence:
    """What someone has seen of a task, and since when nothing new."""

    def __init__(self) -> None:
        #: The latest version; None as long as no such task was seen.
        self.snapshot: Snapshot | None = None
        self._text: str | None = None
        self._is_gone = False
        self._since = 0.0

    def hear(self, text: str | None, *, monotonic: float, snapshot: Snapshot | None = None) -> bool:
        """Take in what the store holds; is it another version? One that vanished (None) may come back.

        Args:
            snapshot: that of the text, where whoever tells has it at hand.

        Raises:
            ValueError: the text is not that of a snapshot; it is not looked at again.
        """
        if text is None and not self._is_gone and not self._gives_signs_of_life():
            self._since = monotonic  # silence meant nothing so far
        self._is_gone = text is None
        if text is None or text == self._text:
            return False
        self._text = text
        self._since = monotonic
        self.snapshot = snapshot or Snapshot.from_json(text)
        return True

    def measure(self, *, monotonic: float) -> float:
        """Return for how many seconds the task has been silent; 0 where that means nothing."""
        if self.snapshot is None or self.snapshot.is_terminal:
            return 0.0
        return monotonic - self._since if self._is_gone or self._gives_signs_of_life() else 0.0

    def forgive(self, seconds: float) -> None:
        """Leave some of the silence out: time in which nobody looked."""
        self._since += seconds

    def forget(self, *, monotonic: float) -> None:
        """Begin to count anew."""
        self._since = monotonic

    def _gives_signs_of_life(self) -> bool:
        """Does someone give signs of life of this task, so that silence means something?"""
        if self.snapshot is None:
            return False
        return self.snapshot.state is State.RUNNING or self.snapshot.beat is not None
