"""A task as single answers show it, which no hop holds back: what its stream is to show as well."""

import contextlib
import re
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from .address import ANSWER_SECONDS, UNREACHABLE, Address
from .shown import Shown
from .time_limit import NotInTime

#: The seconds between two requests.
PAUSE = 1.0

#: The `seq` in the JSON of a snapshot, which may be read only in part.
_SEQ = re.compile(rb'"seq":(\d+),')


class Polling:
    """A task that is asked for again and again, in a thread of its own.

    Args:
        headers: those of each request.
    """

    def __init__(self, address: Address, shown: Shown, headers: Mapping[str, str]) -> None:
        self._address, self._path, self._headers = address, shown.make_path("task"), headers
        self._seen: dict[int, float] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="tasks_app-doctor-polling", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join(ANSWER_SECONDS)

    def list_changes(self) -> dict[int, float]:
        """Return when each `seq` of the task was first seen, the first one first."""
        return dict(self._seen)

    def _ask(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(*UNREACHABLE, NotInTime):  # the examination of the site tells of it
                answer = self._address.fetch(self._path, headers=self._headers)
                if answer.status == 200 and (found := _SEQ.search(answer.body)):
                    self._seen.setdefault(int(found[1]), time.monotonic())
            self._is_over.wait(PAUSE)
