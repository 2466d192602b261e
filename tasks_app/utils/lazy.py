"""What is made from the settings when it is first asked for."""

import os
import threading
from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """A decorator: the function is called once, and once more after `cache_clear()`.

    As `functools.lru_cache` does, but for this: a thread that is in the function while another clears can't leave
    behind what it has made of the settings before.
    """

    _value: T | None

    def __init__(self, make: Callable[[], T]) -> None:
        update_wrapper(self, make)
        self._make = make
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # a lock may be held, and no two processes share a connection

    def __call__(self) -> T:
        value = self._value
        return self._find() if value is None else value

    def cache_clear(self) -> None:
        """Have the function called anew."""
        with self._lock:
            self._value = None

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._value = None

    def _find(self) -> T:
        with self._lock:
            value = self._make() if self._value is None else self._value
            self._value = value
            return value
