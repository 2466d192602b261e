"""The tasks whose requests to cancel a process looks for."""

from collections.abc import Iterable, Iterator

from ..utils.rotation import Rotation
from .reporter import Reporter

#: How many of the tasks that have not begun are asked about at a time.
IN_TURN = 1000


class Asked:
    """Chooses the reporters to ask about: all that run, and of a long line some, in turns."""

    def __init__(self) -> None:
        self._rotation = Rotation()

    def choose(self, reporters: Iterable[Reporter]) -> Iterator[Reporter]:
        """Yield those that a request to cancel would change, and whose turn it is."""
        asked = [item for item in reporters if item.awaits_cancel]
        yield from (item for item in asked if item.attempt)
        yield from self._rotation.take([item for item in asked if not item.attempt], IN_TURN)
