"""The loop behind `progress.track()`."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sized
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .draft import Draft
from .loops import Loop, Update

T = TypeVar("T")


class Tracked(Generic[T]):
    """An iterable that reports its steps; made by `Progress.track`.

    A step only sets `current` in memory, without clock or lock; the flusher reads it when a write is due. For
    everything else it stands for the iterable, which `track` returns as it is outside a task.
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
        self._iterable: Any = iterable
        self._values = {"total": total, "status": status, "unit": unit}
        self._loop: Iterator[T] | None = None  # the one that `next` has begun
        self._async_loop: AsyncIterator[T] | None = None

    def __iter__(self) -> Iterator[T]:
        if not is_iterable(self._iterable):
            raise TypeError(f"{self._iterable!r} is not iterable; use 'async for'")
        return self._loop or _loop(self._draft, self._update, self._iterable, self._values)

    def __next__(self) -> T:
        if not isinstance(self._iterable, Iterator):
            raise TypeError(f"{type(self._iterable).__name__!r} object is not an iterator")
        if self._loop is None:
            self._loop = iter(self)
        return next(self._loop)

    def __aiter__(self) -> AsyncIterator[T]:
        if not isinstance(self._iterable, AsyncIterable):
            raise TypeError(f"{self._iterable!r} is not an async iterable; use 'for'")
        return self._async_loop or _AsyncLoop(self._draft, self._update, self._iterable, self._values)

    def __anext__(self) -> Awaitable[T]:
        if not isinstance(self._iterable, AsyncIterator):
            raise TypeError(f"{type(self._iterable).__name__!r} object is not an async iterator")
        if self._async_loop is None:
            self._async_loop = aiter(self)
        return anext(self._async_loop)

    def __len__(self) -> int:
        return len(self._iterable)

    def __bool__(self) -> bool:
        return bool(self._iterable)

    def __contains__(self, item: object) -> bool:
        return item in self._iterable

    def __getitem__(self, index: Any) -> Any:
        return self._iterable[index]

    def __reversed__(self) -> Any:
        return reversed(self._iterable)

    # An open file and a cursor of a database are iterable, and often given to `with`.
    def __enter__(self) -> Any:
        self._exits = ExitStack()
        return self._stand_for(self._exits.enter_context(self._iterable))

    def __exit__(self, *error: Any) -> bool | None:
        return self._exits.__exit__(*error)

    async def __aenter__(self) -> Any:
        self._async_exits = AsyncExitStack()
        return self._stand_for(await self._async_exits.enter_async_context(self._iterable))

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._async_exits.__aexit__(*error)

    def _stand_for(self, entered: Any) -> Any:
        return self if entered is self._iterable else entered

    if not TYPE_CHECKING:  # type checkers know only what every iterable has

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return getattr(self._iterable, name)


def is_iterable(value: object) -> bool:
    """Whether a `for` loop takes a value; some are iterable by their indices alone."""
    return isinstance(value, Iterable) or hasattr(type(value), "__getitem__")


def _loop(draft: Draft, update: Update, iterable: Iterable[T], values: dict[str, Any]) -> Iterator[T]:
    """Yield the items; it does not know its `Tracked`, so that a `break` ends it at once."""
    if values["total"] is None:
        values["total"] = _find_length(iterable)
    steps = 0
    loop = Loop(draft, update, **values)
    counter = loop.counter
    try:
        for item in iterable:
            if draft.is_cancelled:
                draft.raise_if_cancelled()
            yield item
            counter.current = steps = steps + 1
    finally:
        loop.end()


def _find_length(iterable: object) -> int | None:
    """Return the length of an iterable, or None if it can't tell: a loop works without."""
    try:
        return len(iterable) if isinstance(iterable, Sized) else None
    except (TypeError, AttributeError, NotImplementedError, OverflowError):
        return None


class _AsyncLoop(AsyncIterator[T]):
    """The iterator behind `async for`.

    It is not a generator: after `break`, the event loop closes an async generator only later, and until then the next
    loop would count as an inner one.
    """

    def __init__(self, draft: Draft, update: Update, iterable: AsyncIterable[T], values: Mapping[str, Any]) -> None:
        self._iterator = aiter(iterable)
        self._draft = draft
        self._steps = 0  # the steps done when the next item is requested
        self._loop = Loop(draft, update, **values)

    async def __anext__(self) -> T:
        try:
            self._loop.counter.current = self._steps
            item = await anext(self._iterator)
            if self._draft.is_cancelled:
                self._draft.raise_if_cancelled()
        except BaseException:
            self._loop.end()
            raise
        self._steps += 1
        return item

    def __del__(self) -> None:
        self._loop.end()
