"""Backends, and wrappers of them, whose methods answer something else than Django documents."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import pytest
from django.core.cache.backends.base import DEFAULT_TIMEOUT

from tasks_app.store.client import Client
from tasks_app.store.latency import Latency
from tests.support.backends import BareCache


class OtherCache(BareCache):
    """A cache whose `set_many` and `get_many` answer as a test says."""

    after_set_many: ClassVar[Any] = None

    def set_many(self, data: Mapping[str, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> Any:
        super().set_many(data, timeout, version)
        return self.after_set_many

    def get_many(self, keys: Iterable[str], version: Any = None) -> Any:
        found: dict[str, Any] = super().get_many(keys, version)
        return READS[self.read](self, list(keys), found)

    read: ClassVar[str] = "pairs"


READS: Mapping[str, Callable[[OtherCache, list[str], dict[str, Any]], Any]] = {
    "pairs": lambda _, __, found: list(found.items()),
    "nothing": lambda _, __, found: found or None,
    "None for what is missing": lambda _, keys, found: dict.fromkeys(keys) | found,
    "further keys": lambda _, __, found: {"other": 1} | found,
    "keys of the server": lambda cache, _, found: {cache.make_key(key): found[key] for key in found},
    "keys as bytes": lambda _, __, found: {key.encode(): found[key] for key in found},
}


class SilentCache(BareCache):
    """A wrapper that forgets to return what `add` and `incr` answer."""

    def add(self, *args: Any, **kwargs: Any) -> Any:
        super().add(*args, **kwargs)

    def incr(self, key: str, delta: int = 1, version: Any = None) -> Any:
        super().incr(key, delta, version)


class AsyncCache(BareCache):
    """A backend for async code alone, as django-valkey's AsyncValkeyCache."""

    async def add(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().add(*args, **kwargs)


class NoIncrCache(BareCache):
    """A backend whose `incr` is not implemented, as of django-redis' HerdClient."""

    def incr(self, key: str, delta: int = 1, version: Any = None) -> int:
        raise NotImplementedError


class Wrapper:
    """A cache that is none by its class, as of a library that measures calls."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        self._cache = BareCache(name, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


def make_client(cache: Any) -> Client:
    cache.clear()
    return Client(lambda: cache, Latency())


@pytest.mark.parametrize("read", READS)
def test_get_many_finds_what_is_there_and_nothing_else(read, monkeypatch):
    monkeypatch.setattr(OtherCache, "read", read)
    client = make_client(OtherCache("answers", {"KEY_PREFIX": "shop"}))
    client.set("a", "1", None)
    assert client.get_many(["a", "b"]) == {"a": "1"}
    assert client.get_many(["b"]) == {}


@pytest.mark.parametrize("answer", [None, True, "OK", b"OK", 2, {}, [], [True, True], ["OK"], [None]], ids=repr)
def test_set_many_refuses_no_key_that_it_does_not_name(answer, monkeypatch):
    monkeypatch.setattr(OtherCache, "after_set_many", answer)
    assert make_client(OtherCache("answers", {})).set_many({"a": 1, "b": 2}, None) == []


@pytest.mark.parametrize("answer", [["b"], {"b"}, ("shop:3:b",)], ids=repr)
def test_set_many_refuses_the_keys_that_it_names(answer, monkeypatch):
    monkeypatch.setattr(OtherCache, "after_set_many", answer)
    assert make_client(OtherCache("answers", {})).set_many({"a": 1, "b": 2}, None) == ["b"]


def test_add_that_answers_nothing_is_judged_by_what_is_stored():
    client = make_client(SilentCache("answers", {}))
    assert [client.add("a", "first", None), client.add("a", "second", None)] == [True, False]


@pytest.mark.parametrize("kind", [SilentCache, NoIncrCache, Wrapper])
def test_counter_counts_whatever_incr_answers(kind):
    client = make_client(kind("answers", {}))
    assert [client.count("counter", number) for number in (1, 5, -2)] == [1, 6, 4]


def test_add_of_an_async_backend_is_not_taken_for_a_yes():
    with pytest.raises(TypeError, match="'add' of the cache is async"):
        make_client(AsyncCache("answers", {})).add("a", 1, None)
