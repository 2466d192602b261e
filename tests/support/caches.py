"""Caches that count, fail or interrupt: what a real backend does only when nobody looks."""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from tests.support.waiting import DEADLINE

#: What a test sets as CACHES to use `ControlledCache`.
CONTROLLED_CACHES = {
    "default": {"BACKEND": "tests.support.caches.ControlledCache", "OPTIONS": {"MAX_ENTRIES": 100_000}},
}


class CacheDown(Exception):
    """What `ControlledCache` raises while it is down."""


class Controls:
    """What a test sets on, and learns from, every `ControlledCache` of the process."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from zero, and work."""
        self.reads: list[set[str]] = []
        self.failing: set[str] = set()
        self.after_read: Callable[[], None] | None = None
        #: The part of a key that `set_many` refuses.
        self.refused: str | None = None

    def take_reads(self) -> list[set[str]]:
        """Return the keys of each `get_many` since the last call."""
        reads, self.reads = self.reads, []
        return reads

    def break_down(self, *methods: str) -> None:
        """Have these methods fail from now on; all of them, if none is named."""
        self.failing = set(methods or ("get", "get_many", "set", "set_many", "add", "delete"))

    def repair(self) -> None:
        self.failing = set()
        self.refused = None


controls = Controls()


class ControlledCache(LocMemCache):
    """A LocMemCache under the control of `controls`."""

    def get_many(self, keys: Iterable[str], version: int | None = None) -> Any:
        keys = list(keys)
        controls.reads.append(set(keys))
        _check("get_many")
        # Not through `get`, which may be broken alone.
        found = {
            key: value for key in keys if (value := super(ControlledCache, self).get(key, None, version)) is not None
        }
        if threading.current_thread().name != "tasks_app-flusher":  # it may still read of the tests before
            interrupt, controls.after_read = controls.after_read, None
            if interrupt is not None:
                interrupt()
        return found

    def get(self, *args: Any, **kwargs: Any) -> Any:
        _check("get")
        return super().get(*args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        _check("set")
        return super().set(*args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        _check("set_many")
        refused = [key for key in data if controls.refused is not None and controls.refused in key]
        for key in data.keys() - refused:
            super().set(key, data[key], *args, **kwargs)
        return refused

    def add(self, *args: Any, **kwargs: Any) -> Any:
        _check("add")
        return super().add(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        _check("delete")
        return super().delete(*args, **kwargs)


def _check(method: str) -> None:
    if method in controls.failing:
        raise CacheDown(f"{method} failed")


#: What a test sets as CACHES to use `HangingCache`.
HANGING_CACHES = {"default": {"BACKEND": "tests.support.caches.HangingCache", "OPTIONS": {"MAX_ENTRIES": 100_000}}}


class Gate:
    """What a test shuts to have every `HangingCache` of the process hang; `waiting` are the methods that do."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self._methods: tuple[str, ...] = ()
        self.waiting: list[str] = []
        self.open()

    def shut(self, *methods: str) -> None:
        """Have calls wait from now on: of these methods, or of all."""
        self._methods = methods
        self.waiting = []
        self._is_open.clear()

    def open(self) -> None:
        self._is_open.set()

    @property
    def is_open(self) -> bool:
        return self._is_open.is_set()

    def pass_through(self, method: str) -> None:
        if self._methods and method not in self._methods:
            return
        self.waiting.append(method)
        assert self._is_open.wait(DEADLINE), f"nobody opened the gate for {method!r}"


gate = Gate()


class HangingCache(BaseCache):
    """A cache that is not known to be in this process' memory, and answers only while `gate` is open."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._cache = LocMemCache(name, params)

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "get_many", "set", "set_many", "add", "delete", "incr", "clear"):
            return partial(self._call, name)
        return super().__getattribute__(name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        gate.pass_through(name)
        return getattr(self._cache, name)(*args, **kwargs)


class RefusingCache(LocMemCache):
    """What memcached does when a value is too big, or it is gone: it says so, and raises nothing."""

    def set_many(self, data: Any, timeout: Any = None, version: Any = None) -> Any:
        return list(data)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return False


#: What a test sets as CACHES to use `RefusingCache`.
REFUSING_CACHES = {"default": {"BACKEND": "tests.support.caches.RefusingCache", "LOCATION": "refusing"}}
