"""The side of a handle in another process than the job's."""

import os
from typing import Any

from .counts import Count
from .exchange import Place, get_exchange
from .handle import Home
from .link import find_link
from .loops import Loop
from .part import Part
from .remote_sink import RemoteSink
from .unbound import Unbound

#: Where nobody listens.
NOWHERE = Place(0, b"", 0, 1.0, False)


class RemoteHome:
    """The way to the home of a task in another process of the machine; pickled, it is that of a handle.

    Args:
        place: where the process of the job listens.
        stages: the names of the declared stages.
        counts: whether what is counted here adds to the task; if not, it is a share of what is counted elsewhere.
    """

    def __init__(self, task_id: str, place: Place, stages: tuple[str, ...], counts: bool = True) -> None:
        self.task_id, self.place = task_id, place
        self._stages, self._counts = stages, counts

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteHome, (self.task_id, self.place, self._stages, self._counts)

    def hand_out(self) -> None:
        """Do nothing: a forked child finds the same way."""

    def inside(self, loop: Loop) -> "InnerHome":
        """Return a home whose parts fill steps of this loop, of a part in this process."""
        return InnerHome(RemoteHome(self.task_id, self.place, self._stages, counts=False), loop)

    def open(self, weight: float | None) -> Part | Unbound:
        """Return a new part; back in the process of the job, one without detour."""
        weight = weight if self._counts else 0.0
        exchange = get_exchange.peek()
        if exchange is None or exchange.secret != self.place.secret:
            return self.open_for(self, weight, None)
        home = exchange.find(self.place.number)
        return Unbound(self.task_id) if home is None else home.open(weight)

    def open_for(self, home: Home, weight: float | None, share: Count | None) -> Part:
        """Return a new part of a home, whose count is that of `share` as well."""
        sink = RemoteSink(self.task_id, find_link(self.place), self.place, weight, self._stages, share)
        return Part(self.task_id, home, sink, captures=self.place.captures)


class InnerHome:
    """The home of parts that are steps of a loop in another process than the job's.

    What they count stays in that process, as a share of the loop's steps; the rest of their reports goes to the job.

    Args:
        outside: the way to the job, on which nothing is counted.
    """

    def __init__(self, outside: RemoteHome, loop: Loop) -> None:
        self.task_id = outside.task_id
        self._outside, self._loop = outside, loop
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._outside.__reduce__()

    def hand_out(self) -> None:
        """Do nothing: a forked child finds the way to the job."""

    def inside(self, loop: Loop) -> "InnerHome":
        """Return a home whose parts fill steps of this loop."""
        return InnerHome(self._outside, loop)

    def open(self, weight: float | None) -> Part | Unbound:
        """Return a new part, with `weight` steps of the loop; in a forked child, one that counts for nothing."""
        if self._process != os.getpid():
            return self._outside.open(weight)
        return self._outside.open_for(self, 0.0, self._loop.put_inside(None, weight=weight))
