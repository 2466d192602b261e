"""Values that exist once per process: created at the first use, and again after a fork or a change of settings."""

import itertools
import os
import threading
from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any, Generic, TypeVar
from weakref import WeakMethod, WeakValueDictionary

from django.core.signals import setting_changed

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A function that is called once per process, and its value; see `per_process`."""

    _value: T | None

    def __init__(self, make: Callable[[], T], settings: tuple[str, ...] = ()) -> None:
        update_wrapper(self, make)
        self.settings = settings
        self._make = make
        self.renew()
        _all[next(_numbers)] = self

    def __call__(self) -> T:
        value = self._value
        return self._find() if value is None else value

    def peek(self) -> T | None:
        """Return the value if this process has one, without calling the function."""
        return self._value

    def cache_clear(self) -> None:
        """Forget the value, so that the next use calls the function again.

        Unlike that of `functools.lru_cache`, it waits for a thread that is running the function, so that a value made
        with the old settings is not kept.
        """
        with self._lock:
            self._value = None

    def renew(self) -> None:
        """Reset the value and the lock; at a fork, another thread may have held the lock."""
        self._lock = threading.RLock()  # a signal handler may interrupt the first use and call this again
        self._value = None

    def _find(self) -> T:
        with self._lock:
            made = self._make() if self._value is None else self._value
            if self._value is None:
                self._value = made
            return self._value


def per_process(*settings: str) -> Callable[[Callable[[], T]], PerProcess[T]]:
    """Decorate a function to be called once per process, at the first use; later uses return the same value.

    Args:
        settings: names of Django settings; after a change of one of them, the function is called again.
    """
    return lambda make: PerProcess(make, settings)


def call_after_fork(function: Callable[[], object]) -> None:
    """Call `function` in each forked child; a bound method only while its object exists."""
    _after_fork.append(WeakMethod(function) if isinstance(function, MethodType) else lambda: function)


def _renew_all() -> None:
    for item in list(_all.values()):
        item.renew()
    for reference in list(_after_fork):
        if (function := reference()) is None:
            _after_fork.remove(reference)
        else:
            function()


def _clear_changed(*, setting: str, **kwargs: object) -> None:
    for item in list(_all.values()):
        if setting in item.settings:
            item.cache_clear()


#: In the order in which they were made: what a value is made of is cleared before it.
_all: WeakValueDictionary[int, PerProcess[Any]] = WeakValueDictionary()
_numbers = itertools.count()
_after_fork: list[Callable[[], Callable[[], object] | None]] = []

os.register_at_fork(after_in_child=_renew_all)
setting_changed.connect(_clear_changed, dispatch_uid="tasks_app")
