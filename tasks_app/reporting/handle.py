"""The handle of a task: what makes `progress` stand for it in another thread or process."""

import inspect
import pickle
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from .binding import Bound, release, swap
from .loops import Loop

P = ParamSpec("P")
R = TypeVar("R")

#: The type of `Progress`.
T = TypeVar("T", covariant=True)


class OpenPart(Bound, Protocol):
    """The interface of a part of a task that a handle has opened."""

    def end(self) -> None: ...


class Home(Protocol):
    """The interface of the place to which a handle's parts report."""

    @property
    def task_id(self) -> str: ...

    def open(self, weight: float | None) -> OpenPart:
        """Return a new part; `weight` is how many steps of the loop it is in, if it is in one."""

    def hand_out(self) -> None:
        """Be ready for a child that is forked with a handle of this home."""

    def inside(self, loop: Loop) -> "Home":
        """Return a home whose parts fill steps of this loop."""


class Handle(Generic[T]):
    """A small picklable object that stands for a running task; made by `progress.handle()`.

    In a `with` block, and in functions of `bind`, `progress` reports to the task, in whatever thread or process of
    the machine these run. What several of them report is added up. It may be used by many at once.
    """

    def __init__(self, home: Home, weight: float | None = None) -> None:
        self._home = home
        self._weight = weight

    def __repr__(self) -> str:
        return f"<handle of task {self._home.task_id!r}>"

    def __enter__(self) -> T:
        part = self._home.open(self._weight)
        part.opener, part.outer = self, swap(part)
        return cast(T, part.progress)

    def __exit__(self, *error: object) -> None:
        part = cast("OpenPart | None", release(self))
        if part is not None:  # else this is a child that was forked in the block, or a generator left it elsewhere
            part.end()

    def bind(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return a function that does what `function` does, in a `with` block of this handle.

        It can be sent to another process if `function` can.

        Raises:
            TypeError: `function` can't be called, or makes a generator, whose body would run outside the block.
        """
        if not callable(function):
            raise TypeError(f"bind() takes a function, not {function!r}")
        if makes_generator(function):
            raise TypeError(f"bind() takes a function that does its work when it is called, not {function!r}")
        if inspect.iscoroutinefunction(function):
            return cast(Callable[P, R], _bind_coroutine(self, function))
        return BoundFunction(self, function)


class BoundFunction(Generic[P, R]):
    """A function in whose calls `progress` stands for a task; made by `Handle.bind`."""

    def __init__(self, handle: Handle[Any], function: Callable[P, R]) -> None:
        self._handle = handle
        self._function = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._handle:
            return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._function!r} bound to {self._handle!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundFunction, (self._handle, self._function)


def makes_generator(function: Callable[..., Any]) -> bool:
    """Return whether the body of a function runs only after the call."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def check_picklable(function: Callable[..., Any]) -> None:
    """Check that a function can be sent to another process.

    Raises:
        TypeError: it can't be pickled.
    """
    try:
        pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            f"{function!r} can't be sent to another process; define it at the top of a module ({error})"
        ) from error


def _bind_coroutine(handle: Handle[Any], function: Callable[..., Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    async def call(*args: Any, **kwargs: Any) -> R:
        with handle:
            return await function(*args, **kwargs)

    return update_wrapper(call, function)
