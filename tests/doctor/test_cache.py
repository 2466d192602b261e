"""The doctor finds what is wrong with a cache, as one process sees it, and leaves nothing in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import connection, connections, transaction

from tasks_app.doctor import cache as examined
from tasks_app.doctor.cache import examine_cache
from tasks_app.doctor.time_limit import call
from tasks_app.store import get_store
from tests.support.caches import HANGING_CACHES, REFUSING_CACHES, Controls, gate
from tests.support.doctor import find_figures, find_ids

DJANGO = "django.core.cache.backends"
PYMEMCACHE = f"{DJANGO}.memcached.PyMemcacheCache"


class MixingCache(LocMemCache):
    """What a client with one place for replies does to threads that share it."""

    reply: Any = None

    def get(self, *args: Any, **kwargs: Any) -> Any:
        MixingCache.reply = super().get(*args, **kwargs)
        threading.Event().wait(0.001)  # it is under way
        return MixingCache.reply


class LaggingCache(LocMemCache):
    """A cache that reads from a replica."""

    asked = 0

    def get_many(self, keys: Any, version: Any = None) -> Any:
        LaggingCache.asked += 1
        return super().get_many(keys, version) if LaggingCache.asked > 3 else {}


class SlowCache(LocMemCache):
    """A cache far away."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        threading.Event().wait(0.01)
        return super().get(*args, **kwargs)


def use(settings: Any, backend: str, **config: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": backend, **config}}


def test_sound_cache_has_nothing_but_figures():
    results = list(examine_cache())
    assert (find_ids(results), find_figures(results)["backend"]) == ([], "LocMemCache")


def test_nothing_is_left_in_the_cache():
    list(examine_cache())
    assert list(caches["default"]._cache) == []


def test_dummy_cache_keeps_nothing(settings):
    use(settings, f"{DJANGO}.dummy.DummyCache")
    assert find_ids(examine_cache()) == ["cache-keeps-nothing"]


def test_cache_that_refuses_writes_keeps_nothing(settings):
    settings.CACHES = REFUSING_CACHES
    assert find_ids(examine_cache()) == ["cache-keeps-nothing"]


def test_cache_that_fails_is_told_of_with_its_error(cache: Controls):
    cache.break_down()
    (finding,) = [item for item in examine_cache() if hasattr(item, "id")]
    assert (finding.id, "CacheDown" in finding.what) == ("cache-fails", True)


def test_cache_that_culls_drops_what_was_written(settings):
    use(settings, f"{DJANGO}.locmem.LocMemCache", LOCATION="small", OPTIONS={"MAX_ENTRIES": 55})
    assert find_ids(examine_cache()) == ["cache-drops"]


@pytest.mark.django_db(transaction=True)
def test_database_cache_without_its_table_is_told_of_with_the_command_that_makes_it(settings):
    use(settings, f"{DJANGO}.db.DatabaseCache", LOCATION="no_such_table")
    (finding,) = [item for item in examine_cache() if hasattr(item, "id")]
    assert (finding.id, "createcachetable" in finding.cure) == ("cache-fails", True)


@pytest.fixture
def hanging(settings, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(examined, "call", partial(call, seconds=0.05))
    settings.CACHES = HANGING_CACHES
    gate.shut()
    yield
    gate.open()


def test_cache_that_hangs_does_not_hold_up_the_doctor(hanging):
    assert find_ids(examine_cache()) == ["cache-hangs"]


def test_cache_that_mixes_the_replies_to_threads_is_found(settings):
    use(settings, f"{__name__}.MixingCache")
    assert "cache-mixes-threads" in find_ids(examine_cache())


class LosingCache(LocMemCache):
    """A cache that passes over a write that it can't make."""

    def set(self, key: str, *args: Any, **kwargs: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.delete(key)


def test_cache_that_loses_what_threads_write_is_not_said_to_mix_them(settings):
    use(settings, f"{__name__}.LosingCache")
    assert find_ids(examined._examine_threads("default")) == ["cache-loses-writes"]


@pytest.fixture
def locked(settings, monkeypatch) -> Iterator[Callable[..., None]]:
    """Have SQLite keep the cache, with these options, while another connection holds its lock."""
    if connection.vendor != "sqlite":
        pytest.skip("another database keeps its rows apart")
    with ExitStack() as stack:

        def lock(**options: Any) -> None:
            use(settings, f"{DJANGO}.db.DatabaseCache", LOCATION="doctor_cache")
            call_command("createcachetable", verbosity=0)
            monkeypatch.setitem(connections.settings["default"], "OPTIONS", {"timeout": 0.01, **options})
            stack.enter_context(transaction.atomic())
            caches["default"].set("held", 1)

        yield lock
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE doctor_cache")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({}, 'DATABASES[\'default\'] "OPTIONS": {"transaction_mode": "IMMEDIATE"'),
        ({"transaction_mode": "IMMEDIATE"}, "a longer 'timeout'"),
    ],
    ids=["default", "immediate"],
)
def test_lock_of_sqlite_is_named_with_the_option_that_waits_for_it(locked, options, cure):
    locked(**options)
    (finding,) = examined._examine_threads("default")
    assert (finding.id, cure in finding.cure) == ("cache-loses-writes", True)


def test_cache_that_reads_from_a_replica_which_lags_is_found(settings):
    use(settings, f"{__name__}.LaggingCache")
    LaggingCache.asked = 0
    assert find_ids(examine_cache()) == ["cache-lags"]


def test_cache_that_is_far_away_is_slow(settings, monkeypatch):
    use(settings, f"{__name__}.SlowCache")
    monkeypatch.setattr(examined, "SLOW", 0.005)
    assert find_ids(examine_cache()) == ["cache-slow"]


@pytest.fixture
def on_memcached(settings, memcached) -> Iterator[None]:
    use(settings, PYMEMCACHE, LOCATION=memcached)
    yield
    get_store().cache.close()


def test_memcached_that_takes_no_large_values_is_found(settings, on_memcached):
    settings.TASKS_APP = {**settings.TASKS_APP, "RESULT_MAX_BYTES": 600_000}
    assert find_ids(examine_cache()) == ["cache-refuses-large"]


def test_sound_memcached_has_nothing_but_figures(on_memcached):
    assert find_ids(examine_cache()) == []
