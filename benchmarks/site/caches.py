"""A cache that counts what is asked of it."""

from collections import Counter
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

#: Calls by method, since the process started.
calls: Counter[str] = Counter()


class CountingCache(LocMemCache):
    """Django's in-memory cache; each call that would be a round trip elsewhere counts as one."""

    def get_many(self, *args: Any, **options: Any) -> Any:
        calls["get_many"] += 1
        return super().get_many(*args, **options)

    def set_many(self, *args: Any, **options: Any) -> Any:
        calls["set_many"] += 1
        return super().set_many(*args, **options)
