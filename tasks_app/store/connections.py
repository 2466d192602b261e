"""The connections of the store to its cache: one for all threads where its client allows that, else one per call."""

import threading
from collections.abc import Callable
from typing import Any

from django.core.cache import BaseCache

from .answers import find_refused
from .ignored_errors import raise_errors
from .key_function import fix_keys

#: The packages whose clients may be used by several threads at once; subclasses of their backends are taken for safe.
SAFE = (
    "django.core.cache.backends.locmem",
    "django.core.cache.backends.dummy",
    "django.core.cache.backends.db",
    "django.core.cache.backends.filebased",
    "django.core.cache.backends.redis",
    "django_redis",
    "django_valkey",
)

#: The most connections of a process to a cache whose clients are not safe; further calls wait for one.
MAX_CONNECTIONS = 16


class Connections:
    """Connections to one cache, none of which two threads use at once unless its client is known to be safe.

    A connection that failed is closed, and the next call opens another: clients of memcached avoid a server for a
    minute after it failed.

    Args:
        connect: opens a connection.
    """

    def __init__(self, connect: Callable[[], BaseCache]) -> None:
        self._connect = connect
        self._free: list[BaseCache] = []
        self._turns = threading.BoundedSemaphore(MAX_CONNECTIONS)
        #: A connection that tells what kind the cache is; do not call it.
        self.example = self._open()
        self._shared = self.example if _is_safe(self.example) else None
        if self._shared is None:
            self._free.append(self.example)

    def call(self, name: str, *args: Any) -> Any:
        """Call a method of the cache."""
        if self._shared is not None:
            return getattr(self._shared, name)(*args)
        with self._turns:
            cache = self._take()
            try:
                answer = getattr(cache, name)(*args)
            except BaseException:
                cache.close()
                raise
            if name == "set_many" and find_refused(args[0], answer):  # perhaps the client avoids their server
                cache.close()
            else:
                self._free.append(cache)
            return answer

    def close(self) -> None:
        """Close the connections that no call uses at this moment; the next call opens another."""
        if self._shared is not None:
            self._shared.close()
        while self._free:
            self._free.pop().close()

    def _take(self) -> BaseCache:
        try:
            return self._free.pop()
        except IndexError:
            return self._open()

    def _open(self) -> BaseCache:
        cache = self._connect()
        raise_errors(cache)
        fix_keys(cache)
        return cache


def _is_safe(cache: BaseCache) -> bool:
    return any(kind.__module__.startswith(SAFE) for kind in type(cache).__mro__)
