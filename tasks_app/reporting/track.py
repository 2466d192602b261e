"""The loop behind `progress.track()`."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sized
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

from .draft import Draft

T = TypeVar("T")

#: The type of `Progress.update`.
Update = Callable[..., None]


class Tracked(Generic[T]):
    """An iterable that reports its steps; made by `Progress.track`.

    A step only sets `current` in memory, without clock or lock; the flusher reads it when a write is due.
    """

    def __init__(
        self,
        draft: Draft,
        update: Update,
        iterable: Iterable[T] | AsyncIterable[T],
        total: float | None,
        status: object,
        unit: str | None,
    ) -> None:
        self._draft = draft
        self._update = update
        self._iterable = iterable
        self._values = {"total": total, "status": status, "unit": unit}

    def __iter__(self) -> Iterator[T]:
        if not isinstance(self._iterable, Iterable):
            raise TypeError(f"{self._iterable!r} is not iterable; use 'async for'")
        if self._values["total"] is None and isinstance(self._iterable, Sized):
            self._values["total"] = len(self._iterable)
        draft, steps = self._draft, 0
        is_outer, counter = _begin(draft, self._update, self._values)
        try:
            for item in self._iterable:
                if draft.is_cancelled:
                    draft.raise_if_cancelled()
                yield item
                counter.current = steps = steps + 1
        finally:
            if is_outer:
                draft.end_loop()

    def __aiter__(self) -> AsyncIterator[T]:
        if not isinstance(self._iterable, AsyncIterable):
            raise TypeError(f"{self._iterable!r} is not an async iterable; use 'for'")
        return _AsyncLoop(self._draft, self._update, self._iterable, self._values)


class _AsyncLoop(AsyncIterator[T]):
    """The iterator behind `async for`.

    It is not a generator: after `break`, the event loop closes an async generator only later, and until then the next
    loop would count as an inner one.
    """

    def __init__(self, draft: Draft, update: Update, iterable: AsyncIterable[T], values: Mapping[str, Any]) -> None:
        self._is_outer = False
        self._iterator = aiter(iterable)
        self._draft = draft
        self._steps = 0  # the steps done when the next item is requested
        self._is_outer, self._counter = _begin(draft, update, values)

    async def __anext__(self) -> T:
        try:
            self._counter.current = self._steps
            item = await anext(self._iterator)
            if self._draft.is_cancelled:
                self._draft.raise_if_cancelled()
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
            self._counter = SimpleNamespace()
            self._draft.end_loop()


def _begin(draft: Draft, update: Update, values: Mapping[str, Any]) -> tuple[bool, Draft | SimpleNamespace]:
    """Begin a loop; return whether it sets the progress of the task, and the object that counts its steps."""
    if not draft.begin_loop(values["total"]):
        return False, SimpleNamespace()
    update(current=0, **values)
    return True, draft
