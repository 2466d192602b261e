"""The results of `progress.map()`, whose calls a pool makes."""

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from functools import partial
from itertools import islice
from typing import Any, TypeVar, cast

from .binding import Bound, bound
from .draft import Draft
from .handle import Handle, Home, check_picklable, makes_generator
from .loops import Loop, Update
from .track import is_iterable

S = TypeVar("S")
R = TypeVar("R")

#: Seconds between two looks for a cancel, while a result is awaited.
PAUSE = 0.1

#: The pools to which functions and items are sent in pickled form; Python has the second from 3.14 on.
_NAMES = ("ProcessPoolExecutor", "InterpreterPoolExecutor")
ELSEWHERE: tuple[type, ...] = tuple(getattr(futures, name) for name in _NAMES if hasattr(futures, name))


class Mapped(Iterator[R]):
    """An iterator over the results, in order; each counts as a step as soon as it is there.

    All calls are submitted at once. As with `Executor.map`, they are made also if nobody reads the results, but if
    somebody stops to read them, those that have not begun never do.
    """

    def __init__(self, draft: Draft, loop: Loop, submitted: Iterable["futures.Future[list[R]]"]) -> None:
        self._draft = draft
        self._loop = loop
        self._waiting = deque(submitted)
        self._ready: deque[R] = deque()
        self._is_read = False

    def __next__(self) -> R:
        self._is_read = True
        try:
            self._draft.raise_if_cancelled()
            while not self._ready:
                self._ready.extend(self._take())
        except BaseException:
            self.close()
            raise
        return self._ready.popleft()

    def __del__(self) -> None:
        if self._is_read:
            self.close()
        else:
            _end_with(self._loop, self._waiting)

    def close(self) -> None:
        """Cancel the calls that have not begun, and end the loop."""
        cancel_all(self._waiting)
        self._waiting.clear()
        self._loop.end()

    def _take(self) -> list[R]:
        """Return the next results."""
        if not self._waiting:
            raise StopIteration
        while not self._waiting[0].done():
            self._draft.raise_if_cancelled()
            futures.wait([self._waiting[0]], PAUSE)
        return self._waiting.popleft().result()


def map_in_pool(
    draft: Draft,
    update: Update,
    home: Home,
    executor: futures.Executor,
    function: Callable[[S], R],
    items: Iterable[S],
    *,
    chunksize: int,
    total: float | None,
    **values: Any,
) -> Mapped[R]:
    """Submit a call for each item, or chunk of items; return their results. The arguments are those of `map`."""
    _check(executor, function, items)
    if isinstance(executor, ELSEWHERE):
        check_picklable(function)
    else:
        chunksize = 1
    chunks = list(_cut(items, chunksize))
    draft.raise_if_cancelled()
    loop = Loop(draft, update, total=sum(map(len, chunks)) if total is None else total, **values)
    inside = home.inside(loop)
    submitted: list[futures.Future[list[R]]] = []
    try:
        for chunk in chunks:
            bound = Handle(inside, weight=len(chunk)).bind(partial(_call_each, function))
            future = executor.submit(bound, chunk)
            submitted.append(future)
            future.add_done_callback(partial(_count, draft, loop, len(chunk)))
    except BaseException:
        cancel_all(submitted)
        loop.end()
        raise
    return Mapped(draft, loop, submitted)


def cancel_all(pending: Iterable["futures.Future[Any]"]) -> None:
    """Cancel the calls that have not begun, the last one first, so that none begins meanwhile."""
    for future in reversed(list(pending)):
        future.cancel()


def check_chunksize(chunksize: int) -> None:
    """Check the number of items of a call.

    Raises:
        TypeError, ValueError: it is not a whole number above 0.
    """
    if type(chunksize) is not int:
        raise TypeError(f"chunksize must be a whole number, not {chunksize!r}")
    if chunksize < 1:
        raise ValueError(f"chunksize must be at least 1, not {chunksize!r}")


def _check(executor: object, function: object, items: object) -> None:
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(
            f"map() takes a pool of concurrent.futures, not {executor!r}; others call progress.handle().bind(function)"
        )
    if not callable(function):
        raise TypeError(f"map() takes a function, not {function!r}")
    if makes_generator(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"map() takes a function that does its work when it is called, not {function!r}")
    if not is_iterable(items):
        raise TypeError(f"map() takes an iterable of items, not {items!r}")


def _cut(items: Iterable[S], size: int) -> Iterator[list[S]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _call_each(function: Callable[[S], R], items: Sequence[S]) -> list[R]:
    """Call a function with each item, in the part that the task has bound; stop at a cancel."""
    results = []
    for item in items:
        cast(Bound, bound.get()).progress.raise_if_cancelled()
        results.append(function(item))
    return results


def _end_with(loop: Loop, submitted: Iterable["futures.Future[Any]"]) -> None:
    """End a loop with the last of its calls, without lock, since the garbage collector may call this at any point."""
    left = deque(submitted)

    def leave(future: "futures.Future[Any]") -> None:
        left.pop()
        if not left:
            loop.end()

    loop.step_aside()
    for future in list(left):
        future.add_done_callback(leave)
    if not left:
        loop.end()


def _count(draft: Draft, loop: Loop, steps: int, future: "futures.Future[Any]") -> None:
    if not future.cancelled() and future.exception() is None:
        with draft.lock:
            loop.counter.current = (loop.counter.current or 0) + steps
        draft.touch()
