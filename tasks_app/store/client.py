"""The calls of the store to its cache: they use only what every backend of Django promises."""

import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

from ..exceptions import StoreUnavailable
from ..metering import get_meter
from .answers import find_refused, find_values, refuse_coroutine
from .connections import Connections
from .latency import Latency

#: Caches that drop entries beyond MAX_ENTRIES.
CULLING_CACHES = (LocMemCache, FileBasedCache, BaseDatabaseCache)


class Client:
    """A cache as the store uses it, from any thread.

    Backends differ in what `set_many` returns and `get_many` takes, and `BaseCache.incr` forgets the time to live.

    Args:
        connect: opens a connection of its own.
        latency: measures each call, unless the cache is local or a database.
    """

    def __init__(self, connect: Callable[[], BaseCache], latency: Latency) -> None:
        self._connections = Connections(connect)
        cache = self._connections.example
        #: Whether the cache is in this process' memory. It then answers in microseconds: a thread would cost more.
        self.is_local = isinstance(cache, LocMemCache | DummyCache)
        #: Whether calls are measured. Those of a database cache stay in the calling thread, and so are not: no other
        #: thread sees what its transaction has stored.
        self.is_timed = not self.is_local and not isinstance(cache, BaseDatabaseCache)
        #: Whether of several processes that add a key at once only one does.
        self.has_atomic_add = not isinstance(cache, FileBasedCache)
        #: The entries beyond which the cache drops some; None if it drops none by their number.
        self.max_entries: int | None = cache._max_entries if isinstance(cache, CULLING_CACHES) else None
        self._has_incr = _has_own(cache, "incr")
        self._has_touch = _has_own(cache, "touch")
        self._latency = latency
        #: What is held of a local cache: values that nobody has read, with their times to live.
        self._held: dict[str, tuple[Callable[[], Any], int | None]] = {}
        #: Held while one of them is stored, so that none is after it was deleted.
        self._lock = threading.RLock()

    def hold(self, key: str, make: Callable[[], Any], ttl: int | None) -> None:
        """Have a local cache store a new value for `ttl` seconds, or without end, once somebody reads it.

        Only this process reads a local cache, and most values of a burst are replaced before anybody has.

        Args:
            make: makes the value.
        """
        self._held[key] = make, ttl

    def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        self._store_held((key,))
        return self._call("get", key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that the cache holds."""
        keys = list(keys)
        self._store_held(keys)
        if (values := find_values(keys, self._call("get_many", keys))) is None:
            return {key: value for key in keys if (value := self.get(key)) is not None}
        return values

    def set(self, key: str, value: Any, ttl: int | None) -> None:
        """Store a value for `ttl` seconds, or without end."""
        self._call("set", key, value, ttl)
        self._drop_held((key,))

    def set_many(self, values: Mapping[str, Any], ttl: int | None) -> list[str]:
        """Store values for `ttl` seconds, or without end, and return the keys that the cache refused."""
        if refused := find_refused(values, self._call("set_many", dict(values), ttl)):
            get_meter().note_store_failure("set_many")
        self._drop_held(values)
        return refused

    def add(self, key: str, value: Any, ttl: int | None) -> bool:
        """Store a value unless the key exists, and return whether it was stored."""
        self._store_held((key,))
        answer = self._call("add", key, value, ttl)
        return self.get(key) == value if answer is None else bool(answer)  # a wrapper may forget to return it

    def touch(self, key: str, ttl: int | None) -> bool:
        """Keep a value for `ttl` seconds from now on, if the backend can, and return whether the key exists."""
        self._store_held((key,))
        return bool(self._call("touch", key, ttl)) if self._has_touch else self.get(key) is not None

    def delete(self, key: str) -> None:
        """Delete a key, if it exists."""
        self._drop_held((key,))
        self._call("delete", key)

    def clear(self) -> None:
        """Delete everything in the cache."""
        self._held.clear()
        self._call("clear")

    def count(self, key: str, number: int, ttl: int | None = None) -> int:
        """Add `number` to a counter, and return its value; a missing one begins at 0 and is kept for `ttl` seconds.

        Two processes that count at the same moment may get the same value, unless the backend has its own `incr`.
        """
        try:
            return self._count_at_once(key, number, ttl) if self._has_incr else self._count(key, number, ttl)
        except NotImplementedError:  # by `incr`, as of a client that keeps more than the value
            self._has_incr = False
            return self._count(key, number, ttl)

    def close(self) -> None:
        """Close the connections that no call uses at this moment."""
        self._connections.close()

    def _count(self, key: str, number: int, ttl: int | None) -> int:
        value = (_read_count(self.get(key)) or 0) + number
        self.set(key, value, ttl)
        return value

    def _count_at_once(self, key: str, number: int, ttl: int | None) -> int:
        try:
            return self._incr(key, number)
        except NotImplementedError:
            raise
        except Exception:  # the key does not exist yet, or holds what is no number: backends differ in what they raise
            if (found := self.get(key)) is None:
                self.add(key, 0, ttl)
            elif _read_count(found) is None:
                self.set(key, 0, ttl)
            return self._incr(key, number)

    def _incr(self, key: str, number: int) -> int:
        answer = self._call("incr", key, number)
        return int(self.get(key) if answer is None else answer)

    def _store_held(self, keys: Iterable[str]) -> None:
        for key in keys if self._held else ():
            with self._lock:
                if (held := self._held.get(key)) is not None:
                    make, ttl = held
                    self._call("add", key, make(), ttl)  # unless another thread has replaced it
                    self._held.pop(key, None)

    def _drop_held(self, keys: Iterable[str]) -> None:
        if self._held:
            with self._lock:
                for key in keys:
                    self._held.pop(key, None)

    def _call(self, name: str, *args: Any) -> Any:
        try:
            if self.is_timed:
                return refuse_coroutine(name, self._latency.measure(self._connections.call, name, *args))
            return refuse_coroutine(name, self._connections.call(name, *args))
        except CancelledError as error:  # of a backend that is async inside: here is no coroutine that could be meant
            get_meter().note_store_failure(name)
            raise StoreUnavailable(f"{name!r} of the cache was cancelled") from error
        except Exception:
            if name != "incr":  # which raises for a missing key; what follows then meets a cache that fails
                get_meter().note_store_failure(name)
            raise


def _has_own(cache: BaseCache, name: str) -> bool:
    """Return whether a backend has a method of its own, which may be that of a cache which it wraps."""
    return getattr(type(cache), name, None) is not getattr(BaseCache, name)


def _read_count(value: object) -> int | None:
    """Return the number that a counter holds; None if it holds none."""
    return value if isinstance(value, int) else None
