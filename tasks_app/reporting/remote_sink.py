"""The receiver of a part's reports in another process than the job's, which sends them by the link of that process."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ..snapshot import State
from .counts import Count
from .exchange import Place
from .link import Link
from .part import Counted
from .remote_cancel import CancelError
from .values import find_stage
from .wire_frames import MAX_BYTES, encode, fits

logger = logging.getLogger("tasks_app")

#: The calls of a job that send the messages without a limit of their own.
CALLS = {"say": "update", "count_in": "update", "merge": "meta", "log": "log"}

#: The count of a part that has done nothing.
NOTHING: Counted = (0, None, 0.0)


class RemoteSink:
    """The keeper of a part's reports in another process than the job's, until they are sent.

    Args:
        share: the count of the part in a loop of this process, if it is in one.
    """

    def __init__(
        self,
        task_id: str,
        link: Link,
        place: Place,
        weight: float | None,
        stages: tuple[str, ...],
        share: Count | None = None,
    ) -> None:
        self.task_id = task_id
        self._link, self._stages, self._share = link, stages, share
        self._home, self.cancel_error = place.number, CancelError(place)
        self._opening: tuple[int, float | None] | None = (place.number, weight)
        #: That of all that the part reports.
        self.lock = threading.RLock()
        self._queue: deque[list[Any]] = deque()
        #: The last of each of these messages, of which an earlier one says nothing any longer.
        self._latest: dict[str, str] = {}
        self._stage: str | None = None
        self._counted = NOTHING
        self.is_cancelled = place.number in link.cancelled
        self.number = -1

    def begin(self, read: Callable[[], Counted], heed: Callable[[], None]) -> None:
        """Have the counts of the part sent at intervals, and tell it of a cancel."""
        self._read, self._heed = read, heed
        self._link.add(self)

    def say(self, status: str) -> None:
        """Set the status of the task."""
        self._latest["say"] = status

    def count_in(self, unit: str) -> None:
        """Set the unit of the task, if the part adds up to its count."""
        self._latest["count_in"] = unit

    def merge(self, values: Mapping[str, Any]) -> None:
        """Merge values into the `meta` of the task."""
        self._queue.append(["merge", values])

    def log(self, text: str, level: str) -> None:
        """Append lines to the log of the task."""
        self._queue.append(["log", text, level])

    def enter(self, name: str, read: Callable[[], Counted]) -> None:
        """Begin a stage of the task, in which others may be."""
        name = find_stage(name, self._stages)
        if self._stage is not None:
            raise ValueError(f"stage {name!r} can't begin inside stage {self._stage!r}")
        self._stage = name
        self._move(["enter", name], read)

    def leave(self, state: State, read: Callable[[], Counted]) -> None:
        """Leave the stage."""
        self._stage = None
        self._move(["leave", state], read)

    def end(self) -> None:
        """Have what was reported last reach the job, and let go of the part, since it has this object."""
        self._link.remove(self)
        self._read, self._heed = (lambda: NOTHING), (lambda: None)

    def cancel(self) -> None:
        """Tell the part that the task was asked to stop, and those that begin later."""
        self._link.cancelled.add(self._home)
        self.is_cancelled = True
        self._heed()

    def collect(self, *, is_last: bool = False, opens: bool = False) -> list[bytes]:
        """Return the messages to send, as JSON; none without news, unless it `opens` to hear of a cancel."""
        with self.lock:
            self._count()
            news = [self._queue.popleft() for _ in range(len(self._queue))]
            news += [[kind, self._latest.pop(kind)] for kind in list(self._latest)]
            if self._opening is not None and (news or (opens and not is_last)):
                news.insert(0, ["open", *self._opening])
                self._opening = None
            if is_last and self._opening is None:
                news.append(["end"])
            if is_last and self._share is not None:
                self._share.is_over = True
        messages = [(kind, encode([self.number, kind, *arguments])) for kind, *arguments in news]
        return [message for kind, message in messages if self._admits(kind, message)]

    def _admits(self, kind: str, message: bytes) -> bool:
        """Return whether a message can be sent; log one that is too large, since reporting never fails a job."""
        if not (is_admitted := fits(message)):
            logger.warning(
                "task %s: what progress.%s() reports to the process of its job is ignored: it has %r bytes; a frame "
                "has at most %r",
                self.task_id,
                CALLS.get(kind, kind),
                len(message),
                MAX_BYTES,
                extra={"task_id": self.task_id},
            )
        return is_admitted

    def _move(self, message: list[Any], read: Callable[[], Counted]) -> None:
        with self.lock:
            self._count()
            self._queue.append(message)
            self._read, self._counted = read, (-1, None, 0.0)

    def _count(self) -> None:
        if (counted := self._read()) != self._counted:
            self._counted = counted
            self._queue.append(["count", counted])
            if self._share is not None and self._stage is None:
                self._share.current, self._share.total, self._share.extra = counted
