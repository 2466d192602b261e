"""The job's side of a handle: where its parts begin."""

import logging
import os
from typing import Any
from weakref import ref

from ..conf import get_settings
from ..exceptions import TaskCancelled
from ..utils.clock import Clock
from ..utils.exhaustion import exhaustion_log, is_exhaustion
from .counts import Count, add_inner
from .draft import Draft
from .exchange import get_exchange
from .log import Journal
from .loops import Loop
from .part import Part
from .remote_home import NOWHERE, RemoteHome
from .sink import LocalSink
from .unbound import Unbound

logger = logging.getLogger("tasks_app")


class LocalHome:
    """The place in the job's process to which the parts of a task report.

    Args:
        loop: the loop whose steps the parts are; None: they add up to the count of the task, or, while the job is in
            a loop, fill the share of its current step.
    """

    def __init__(self, draft: Draft, journal: Journal, clock: Clock, loop: Loop | None = None) -> None:
        self.task_id = draft.task_id
        self._draft, self._journal, self._clock = draft, journal, clock
        self._loop = loop
        self._is_late = False
        self._process = os.getpid()
        self._elsewhere: RemoteHome | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return self.publish().__reduce__()

    def hand_out(self) -> None:
        """Have a child that is forked from now on find the way here; nothing is pickled for it."""
        key = id(self)
        _handed_out[key] = ref(self, lambda gone: _handed_out.pop(key, None))

    def publish(self) -> RemoteHome:
        """Return a home for other processes, which leads here, or nowhere while this process can't open a door."""
        nowhere = RemoteHome(self.task_id, NOWHERE, ())
        if self._process != os.getpid():  # a forked child has what the job's process had at the fork
            return self._elsewhere or nowhere
        try:
            place = get_exchange().admit(self) if self._elsewhere is None else self._elsewhere.place
        except Exception as error:
            if not is_exhaustion(error):
                raise
            exhaustion_log.note(error, "other processes can't report to its tasks for now")
            return nowhere
        self._elsewhere = RemoteHome(self.task_id, place, tuple(stage.name for stage in self._draft.stages))
        return self._elsewhere

    def inside(self, loop: Loop) -> "LocalHome":
        """Return a home whose parts fill steps of this loop."""
        return LocalHome(self._draft, self._journal, self._clock, loop)

    def open(self, weight: float | None) -> "Part | Unbound":
        """Return a new part in this thread, with `weight` steps of the loop; one that ignores all after the end."""
        if self._process != os.getpid():
            return self.publish().open(weight)
        if (sink := self.open_sink(weight)) is None:
            return Unbound(self.task_id)
        return Part(self.task_id, self, sink, captures=get_settings().CAPTURE_TQDM)

    def open_sink(self, weight: float | None) -> "LocalSink | None":
        """Return the sink of a new part; None after the end of the task, which is logged once."""
        with self._draft.lock:
            if not self._draft.is_closed:
                return LocalSink(self._draft, self._journal, self._clock, self._make_count(weight))
        if not self._is_late:
            self._is_late = True
            logger.warning(
                "task %s has ended: what is reported by its handle is ignored",
                self.task_id,
                extra={"task_id": self.task_id},
            )
        return None

    def make_cancel(self, text: str) -> TaskCancelled:
        """Return the exception that stops the job."""
        return self._draft.cancel_error(text)

    def _make_count(self, weight: float | None) -> Count:
        if weight == 0:  # what it counts is a share of what is counted in another process
            return Count()
        if self._loop is not None:
            return self._loop.put_inside(None, weight=weight)
        if not self._draft.is_tracking:
            return self._draft.add_beside(None)
        count = Count(step=self._draft.current)
        self._draft.inners = add_inner(self._draft.inners, count)
        return count


def _publish_all() -> None:
    for reference in list(_handed_out.values()):
        if (home := reference()) is not None:
            home.publish()


#: By their ids, in a dict, of which another thread may make a list while it changes.
_handed_out: dict[int, ref[LocalHome]] = {}

os.register_at_fork(before=_publish_all)
