"""The doctor finds servers of caches that drop tasks once they are full, by what these say of themselves."""

import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.cache import caches
from pymemcache import Client

from tasks_app.doctor import cache_server
from tasks_app.doctor.cache_server import examine_cache_server
from tests.support.backends import BACKENDS, MEMCACHED, run_memcached
from tests.support.doctor import find_figures, find_ids
from tests.support.servers import find_free_port
from tests.support.valkey import ValkeyServer

needs_memcached = pytest.mark.skipif(MEMCACHED is None, reason="no memcached on PATH ('apt-get install memcached')")

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    """A Valkey server whose limits a test sets."""
    with ValkeyServer() as running, redis.Redis.from_url(running.connection_url) as client:
        yield client


@pytest.fixture
def limit(server: redis.Redis, settings) -> Iterator[Any]:
    """Set a limit of the server, until the end of the test."""
    place = server.connection_pool.connection_kwargs
    url = f"redis://{place['host']}:{place['port']}"
    settings.CACHES = {"default": {"BACKEND": BACKENDS["redis"].path, "LOCATION": url}}

    def change(**values: Any) -> None:
        for name, value in values.items():
            server.config_set(name.replace("_", "-"), value)

    yield change
    change(maxmemory=0, maxmemory_policy="noeviction")
    caches["default"].close()


def test_sound_server_has_nothing_but_its_name(limit):
    results = list(examine_cache_server())
    assert (find_ids(results), find_figures(results)["server"].split()[0]) == ([], "valkey")


def test_server_that_evicts_is_found(limit):
    limit(maxmemory=64 * MEGABYTE, maxmemory_policy="allkeys-lru")
    assert find_ids(examine_cache_server()) == ["cache-evicts"]


def test_server_that_evicts_what_has_a_time_to_live_is_found(limit):
    limit(maxmemory=64 * MEGABYTE, maxmemory_policy="volatile-ttl")
    assert find_ids(examine_cache_server()) == ["cache-evicts"]


def test_policy_without_a_limit_evicts_nothing(limit):
    limit(maxmemory_policy="allkeys-lru")
    assert find_ids(examine_cache_server()) == []


def test_server_that_refuses_soon_is_found(limit, server):
    used = int(server.info("memory")["used_memory"])
    limit(maxmemory=max(used + used // 50, 1))
    assert find_ids(examine_cache_server()) == ["cache-nearly-full", "cache-too-small"]


def test_clock_that_is_apart_is_found(limit, monkeypatch):
    monkeypatch.setattr(cache_server, "time", SimpleNamespace(time=lambda: time.time() + 60))
    assert find_ids(examine_cache_server()) == ["clocks-apart"]


@pytest.mark.parametrize("name", ["django-redis", "django-valkey"])
def test_other_packages_are_asked_as_well(limit, settings, name):
    backend = BACKENDS[name]
    backend.load()
    if find_spec(backend.package) is None:
        pytest.skip(backend.find_lack())
    url = settings.CACHES["default"]["LOCATION"].replace("redis", backend.scheme.removesuffix("://"))
    settings.CACHES = {"default": {"BACKEND": backend.path, "LOCATION": url}}
    limit(maxmemory=64 * MEGABYTE, maxmemory_policy="allkeys-lru")
    assert find_ids(examine_cache_server()) == ["cache-evicts"]


@needs_memcached
@pytest.mark.parametrize(("megabytes", "ids"), [(8, ["cache-too-small"]), (64, [])])
def test_memcached_that_is_too_small_is_found(settings, megabytes, ids):
    with run_memcached(options=["-m", str(megabytes)]) as address:
        settings.CACHES = {"default": {"BACKEND": BACKENDS["pymemcache"].path, "LOCATION": address}}
        assert find_ids(examine_cache_server()) == ids


@needs_memcached
def test_memcached_that_has_evicted_is_found(settings):
    with run_memcached(options=["-m", "16"]) as address, closing(Client(address)) as client:
        for number in range(60):
            client.set(f"filling:{number}", b"x" * 500_000)
        settings.CACHES = {"default": {"BACKEND": BACKENDS["pymemcache"].path, "LOCATION": address}}
        assert find_ids(examine_cache_server()) == ["cache-evicts"]


def test_cache_in_memory_has_no_server():
    assert find_figures(examine_cache_server()) == {"server": "none of its own"}


def test_server_that_does_not_tell_is_no_fault(settings):
    url = f"redis://127.0.0.1:{find_free_port()}"
    settings.CACHES = {"default": {"BACKEND": BACKENDS["redis"].path, "LOCATION": url}}
    (finding,) = examine_cache_server()
    assert (finding.id, finding.level, "Connection refused" in finding.what) == ("cache-server-silent", "note", True)
