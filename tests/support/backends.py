"""The cache backends that the store is tested over, with their servers."""

import importlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.signals import request_finished

from tests.support.servers import find_free_port, is_listening, run_command
from tests.support.waiting import wait_until

MEMCACHED = shutil.which("memcached")


class BareCache(BaseCache):
    """A backend that has nothing but the methods that Django asks of one, and is not known to be safe in threads."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._cache = LocMemCache(name, {**params, "KEY_FUNCTION": lambda key, prefix, version: key})

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        return self._cache.add(self.make_key(key, version), value, timeout)

    def get(self, key: str, default: Any = None, version: Any = None) -> Any:
        return self._cache.get(self.make_key(key, version), default)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        self._cache.set(self.make_key(key, version), value, timeout)

    def delete(self, key: str, version: Any = None) -> bool:
        return self._cache.delete(self.make_key(key, version))

    def clear(self) -> None:
        self._cache.clear()


@dataclass(frozen=True, slots=True)
class Backend:
    """A cache backend.

    Attributes:
        package: what must be installed for it.
        server: the name of the fixture that gives the address of its server.
    """

    path: str
    package: str = "django"
    server: str = ""
    scheme: str = ""

    def find_lack(self) -> str:
        """Return what this machine lacks for it, or nothing."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.server == "memcached" and MEMCACHED is None:
            return "there is no memcached on PATH ('apt-get install memcached')"
        return ""

    def load(self) -> None:
        """Import it without the receivers that it connects: async ones keep tests from closing a response."""
        before = list(request_finished.receivers)
        importlib.import_module(self.path.rpartition(".")[0])
        request_finished.receivers[:] = before
        request_finished.sender_receivers_cache.clear()

    def configure(self, request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
        """Return its entry in CACHES."""
        self.load()
        location = f"{self.scheme}{request.getfixturevalue(self.server)}" if self.server else str(folder)
        return {"BACKEND": self.path, "LOCATION": location, "KEY_PREFIX": "shop", "VERSION": 3, "TIMEOUT": 1}


_DJANGO = "django.core.cache.backends"

BACKENDS = {
    "bare": Backend(f"{__name__}.BareCache"),
    "redis": Backend(f"{_DJANGO}.redis.RedisCache", "redis", "valkey", "redis://"),
    "django-redis": Backend("django_redis.cache.RedisCache", "django_redis", "valkey", "redis://"),
    "django-valkey": Backend("django_valkey.cache.ValkeyCache", "django_valkey", "valkey", "valkey://"),
    "pymemcache": Backend(f"{_DJANGO}.memcached.PyMemcacheCache", "pymemcache", "memcached"),
    "pylibmc": Backend(f"{_DJANGO}.memcached.PyLibMCCache", "pylibmc", "memcached"),
}


def make_params() -> list[Any]:
    """Return the backends as parameters of a fixture; those that this machine lacks something for are skipped."""
    lacks = {name: backend.find_lack() for name, backend in BACKENDS.items()}
    return [
        pytest.param(name, marks=[pytest.mark.skipif(bool(lack), reason=lack), *_MARKS.get(name, [])])
        for name, lack in lacks.items()
    ]


#: pylibmc's C code leaves an exception behind that it handles, which Python 3.13 reports.
_MARKS = {"pylibmc": [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]}


@contextmanager
def run_memcached(port: int = 0, *, options: Sequence[str] = ()) -> Iterator[str]:
    """Run a memcached with these options, and return its address."""
    port = port or find_free_port()
    command = [str(MEMCACHED), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody", *options]
    with run_command(command):
        wait_until(lambda: is_listening(port), "memcached listens")
        yield f"127.0.0.1:{port}"
