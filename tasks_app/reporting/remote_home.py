"""The side of a handle in another process than the job's."""

from typing import Any

from .exchange import Place, get_exchange
from .link import RemoteSink, get_links
from .loops import Loop
from .part import Part
from .unbound import Unbound

#: Where nobody listens.
NOWHERE = Place(0, b"", 0, 1.0, False)


class RemoteHome:
    """The way to the home of a task in another process of the machine; pickled, it is that of a handle.

    Args:
        place: where the process of the job listens.
        stages: the names of the declared stages.
    """

    def __init__(self, task_id: str, place: Place, stages: tuple[str, ...]) -> None:
        self.task_id, self.place = task_id, place
        self._stages = stages

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteHome, (self.task_id, self.place, self._stages)

    def hand_out(self) -> None:
        """Do nothing: a forked child finds the same way."""

    def inside(self, loop: Loop) -> "RemoteHome":
        """Return the same: the loop is known here alone."""
        return self

    def open(self, weight: float | None) -> Part | Unbound:
        """Return a new part; back in the process of the job, one without detour."""
        exchange = get_exchange.peek()
        if exchange is None or exchange.secret != self.place.secret:
            link = get_links().find(self.place)
            sink = RemoteSink(link, self.place, weight, self._stages)
            return Part(self.task_id, self, sink, captures=self.place.captures)
        home = exchange.find(self.place.number)
        return Unbound(self.task_id) if home is None else home.open(weight)
