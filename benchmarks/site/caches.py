"""A cache that counts what is asked of it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

#: Calls by method, since the process started.
calls: Counter[str] = Counter()

METHODS = ("add", "delete", "delete_many", "get", "get_many", "has_key", "incr", "set", "set_many", "touch")


class CountingCache(LocMemCache):
    """Django's in-memory cache; each call that would be a round trip elsewhere counts as one."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        self.inner = LocMemCache(name, params)  # it has the same entries; what it calls of itself does not count


def _count(method: str) -> Callable[..., Any]:
    def counted(self: CountingCache, *args: Any, **options: Any) -> Any:
        calls[method] += 1
        return getattr(self.inner, method)(*args, **options)

    return counted


for _method in METHODS:
    setattr(CountingCache, _method, _count(_method))
