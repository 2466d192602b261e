"""Times in an event loop: a timer that keeps neither its object nor a request alive, and a wait with an end."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TypeVar
from weakref import ref

T = TypeVar("T")


class Deadline:
    """The one timer of an object: of several calls that are planned, the first is made."""

    __slots__ = ("_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def plan(self, method: Callable[[T], None], owner: T, seconds: float) -> None:
        """Call a method of `owner` after so many seconds, unless another call comes first."""
        if self._timer is not None:
            if self._timer.when() <= self._loop.time() + seconds:
                return
            self._timer.cancel()
        # A context of its own, so that it keeps nothing of the request that runs.
        self._timer = self._loop.call_later(seconds, _call_if_alive, method, ref(owner), context=Context())

    def cancel(self) -> None:
        """Make no call."""
        if self._timer is not None:
            self._timer.cancel()


def _call_if_alive(method: Callable[[T], None], owner: "ref[T]") -> None:
    if (living := owner()) is not None:
        method(living)


async def wait_for(event: asyncio.Event, *, until: float) -> None:
    """Wait until an event is set, or until this time of the running event loop."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        pass
