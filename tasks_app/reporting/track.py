"""The loop behind `progress.track()`."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized
from typing import Any, Generic, Protocol, TypeVar

from .draft import Draft

T = TypeVar("T")


class Tracker(Protocol):
    """What a loop must know of the task that it reports to."""

    draft: Draft
    is_cancelled: bool

    def begin_tracking(self, **values: Any) -> bool:
        """Make a loop the progress of this task, unless one around it is that already."""

    def end_tracking(self) -> None:
        """The loop has ended."""

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if someone asked this task to stop."""


class Tracked(Generic[T]):
    """An iterable that reports its steps; made by `Progress.track`.

    The loop pays for memory alone, without clock or lock: the flusher looks at `current` when it is due.
    """

    def __init__(
        self,
        progress: Tracker,
        iterable: Iterable[T] | AsyncIterable[T],
        total: float | None,
        status: object,
        unit: str | None,
    ) -> None:
        self._progress = progress
        self._iterable = iterable
        self._values = {"total": total, "status": status, "unit": unit}

    def __iter__(self) -> Iterator[T]:
        if not isinstance(self._iterable, Iterable):
            raise TypeError(f"{self._iterable!r} is not iterable; use 'async for'")
        if self._values["total"] is None and isinstance(self._iterable, Sized):
            self._values["total"] = len(self._iterable)
        progress, steps = self._progress, 0
        is_outer = progress.begin_tracking(**self._values)
        counter = progress.draft if is_outer else Draft({})
        try:
            for item in self._iterable:
                if progress.is_cancelled:
                    progress.raise_if_cancelled()
                yield item
                counter.current = steps = steps + 1
        finally:
            if is_outer:
                progress.end_tracking()

    def __aiter__(self) -> AsyncIterator[T]:
        if not isinstance(self._iterable, AsyncIterable):
            raise TypeError(f"{self._iterable!r} is not an async iterable; use 'for'")
        return _AsyncLoop(self._progress, self._iterable, self._values)


class _AsyncLoop(AsyncIterator[T]):
    """Not a generator: `break` leaves an async one to the event loop, and until that ends it, it would hide the next.

    `_steps` is how many were done when the next item is asked for.
    """

    def __init__(self, progress: Tracker, iterable: AsyncIterable[T], values: Mapping[str, Any]) -> None:
        self._is_outer = False
        self._iterator = aiter(iterable)
        self._progress = progress
        self._steps = 0
        self._is_outer = progress.begin_tracking(**values)
        self._counter = progress.draft if self._is_outer else Draft({})

    async def __anext__(self) -> T:
        try:
            self._counter.current = self._steps
            item = await anext(self._iterator)
            if self._progress.is_cancelled:
                self._progress.raise_if_cancelled()
        except BaseException:
            self._end()
            raise
        self._steps += 1
        return item

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._is_outer:
            self._is_outer = False
            self._counter = Draft({})
            self._progress.end_tracking()
