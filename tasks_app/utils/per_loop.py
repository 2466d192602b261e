"""Values that exist once per event loop."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """A function that is called once per event loop, at the first use there; later uses return the same value."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def __call__(self) -> T:
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            # A weak reference would not do: most values refer to their loop.
            self._values = {other: value for other, value in self._values.items() if not other.is_closed()}
            self._values[loop] = self._make()
        return self._values[loop]
