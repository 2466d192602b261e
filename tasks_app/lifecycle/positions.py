"""The positions of tasks in the queue of this process."""

from collections.abc import Iterator, Sequence

from ..utils.rotation import Rotation

#: The tasks at the head of the line whose positions are exact, and how many others are told theirs at a time.
EXACT, IN_TURN = 100, 100


class Positions:
    """Chooses which tasks to tell their positions, because each report is a write."""

    def __init__(self) -> None:
        self._rotation = Rotation()

    def choose(self, line: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the positions, 1 is next, of the first tasks of a line and of some others, in turns."""
        numbered = list(enumerate(line, start=1))
        yield from numbered[:EXACT]
        yield from self._rotation.take(numbered[EXACT:], IN_TURN)
