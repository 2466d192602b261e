"""How the store calls its cache: what is promised over each backend, from many threads at once."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from tasks_app.exceptions import StoreUnavailable
from tasks_app.store.client import Client
from tasks_app.store.connections import MAX_CONNECTIONS
from tasks_app.store.latency import Latency
from tasks_app.store.store import get_store
from tests.support.backends import BACKENDS, BareCache, make_params, run_memcached
from tests.support.servers import find_free_port
from tests.support.viewers import make_running
from tests.support.waiting import DEADLINE, wait_until

THREADS, TURNS = 30, 20


def make_client(connect: Any = None) -> Client:
    return Client(connect or (lambda: BareCache("client", {})), Latency())


# A database gives each thread a connection of its own, which nothing here closes.
@pytest.mark.parametrize("store", ["locmem", "file", *make_params()], indirect=True)
def test_threads_that_use_the_store_at_once_get_what_is_theirs(store):
    def use(number: int) -> list[Any]:
        snapshot, found = make_running(f"t{number}"), []
        for _ in range(TURNS):
            assert store.save([snapshot]).refused == set()
            found.append(store.get(snapshot.task_id))
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(use, range(THREADS)))
    assert results == [[make_running(f"t{number}")] * TURNS for number in range(THREADS)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("store", ["bare", "file", "database"], indirect=True)
def test_counter_of_a_backend_that_only_sets_it_outlives_the_default_timeout(store):
    assert store.cache.count("counter", 2) == 2
    assert store.cache.count("counter", 1) == 3
    caches["default"].set("set_at_the_same_time", 1)
    wait_until(lambda: caches["default"].get("set_at_the_same_time") is None, "the default timeout has passed")
    assert store.cache.count("counter", 1) == 4


def test_counter_counts_on_every_backend(store):
    assert [store.cache.count("counter", number) for number in (1, 5, 1)] == [1, 6, 7]


def test_delete_of_a_missing_key_is_harmless(store):
    store.cache.delete("nothing")
    assert store.cache.get("nothing") is None


# --- values that are held ---


class Value:
    """A value that counts how often it was made."""

    made = 0

    def __call__(self) -> str:
        self.made += 1
        return "held"


@pytest.fixture
def local() -> Iterator[Client]:
    """A client of a cache in the memory of this process."""
    client = make_client(lambda: LocMemCache("held", {}))
    yield client
    client.clear()


READS = {
    "get": lambda client: client.get("key"),
    "get_many": lambda client: client.get_many(["key"])["key"],
    "add": lambda client: client.add("key", "other", 60) or client.get("key"),
    "touch": lambda client: client.touch("key", 60) and client.get("key"),
}


@pytest.mark.parametrize("name", READS)
def test_held_value_is_there_for_each_way_to_read_it(name: str, local: Client):
    local.hold("key", lambda: "held", 60)
    assert READS[name](local) == "held"


def test_held_value_is_made_once(local: Client):
    local.hold("key", value := Value(), 60)
    assert [local.get("key") for _ in range(3)] == ["held"] * 3
    assert value.made == 1


WRITES = {
    "set": lambda client: client.set("key", "new", 60),
    "set_many": lambda client: client.set_many({"key": "new"}, 60),
    "delete": lambda client: client.delete("key"),
    "clear": lambda client: client.clear(),
}


@pytest.mark.parametrize(("name", "left"), [("set", "new"), ("set_many", "new"), ("delete", None), ("clear", None)])
def test_held_value_is_never_made_after_a_write(name: str, left: object, local: Client):
    local.hold("key", value := Value(), 60)
    WRITES[name](local)
    assert (local.get("key"), value.made) == (left, 0)


def test_held_value_that_is_read_while_it_is_replaced_replaces_nothing(local: Client):
    def replace() -> str:
        local.set("key", "new", 60)
        return "held"

    local.hold("key", replace, 60)
    assert local.get("key") == "new"


def test_held_value_that_is_read_while_it_is_deleted_stays_deleted(local: Client):
    deletion = threading.Thread(target=local.delete, args=["key"])

    def make() -> str:
        deletion.start()
        deletion.join(0.2)  # in vain, since it waits for this value to be stored
        return "held"

    local.hold("key", make, 60)
    local.get("key")
    deletion.join(DEADLINE)
    assert local.get("key") is None


def test_held_value_lasts_for_its_time_to_live(local: Client):
    local.hold("key", lambda: "held", 1)
    assert local.get("key") == "held"
    wait_until(lambda: local.get("key") is None, "its time is over")


class AloneCache(BareCache):
    """A backend that fails if two threads use one of its connections at once; it counts the open ones."""

    open = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._turn = threading.Lock()
        AloneCache.open += 1

    def get(self, *args: Any, **kwargs: Any) -> Any:
        assert self._turn.acquire(blocking=False), "two threads use one connection"
        try:
            gate.wait(DEADLINE)
            return super().get(*args, **kwargs)
        finally:
            self._turn.release()

    def close(self, **kwargs: Any) -> None:
        AloneCache.open -= 1


gate = threading.Event()


def test_connections_of_a_client_that_is_not_known_to_be_safe_are_bounded():
    AloneCache.open = 0
    client = make_client(lambda: AloneCache("alone", {}))
    gate.clear()
    with ThreadPoolExecutor(2 * MAX_CONNECTIONS) as pool:
        calls = [pool.submit(client.get, "key") for _ in range(2 * MAX_CONNECTIONS)]
        wait_until(lambda: AloneCache.open == MAX_CONNECTIONS, "as many connections are in use as there may be")
        gate.set()
        assert [call.result(DEADLINE) for call in calls] == [None] * len(calls)
    assert AloneCache.open == MAX_CONNECTIONS
    client.close()
    assert AloneCache.open == 0


def test_connection_that_failed_is_closed_and_replaced():
    class Failing(AloneCache):
        def set(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("its server is gone")

    AloneCache.open = 0
    gate.set()
    client = make_client(lambda: Failing("failing", {}))
    with pytest.raises(OSError, match="its server is gone"):
        client.set("key", 1, None)
    assert AloneCache.open == 0
    assert client.get("key") is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("django-redis", {"IGNORE_EXCEPTIONS": True}),
        ("django-valkey", {"IGNORE_EXCEPTIONS": True}),
        ("pymemcache", {"ignore_exc": True}),
    ],
)
def test_cache_that_is_told_to_ignore_its_errors_is_not_taken_for_empty(settings, name, options):
    backend = BACKENDS[name]
    backend.load()
    location = f"{backend.scheme}127.0.0.1:{find_free_port()}"
    settings.CACHES = {"default": {"BACKEND": backend.path, "LOCATION": location, "OPTIONS": options}}
    client = make_client(partial(caches.create_connection, "default"))
    calls = [partial(client.get, "key"), partial(client.get_many, ["key"]), partial(client.set, "key", 1, None)]
    calls += [partial(client.set_many, {"key": 1}, None), partial(client.count, "key", 1)]
    assert [call.func.__name__ for call in calls if not _fails(call)] == []


def _fails(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # each package has its own
        return True
    return False


def test_call_that_the_backend_cancels_is_one_that_failed():
    class AsyncInside(BareCache):
        def get(self, *args: Any, **kwargs: Any) -> Any:
            raise asyncio.CancelledError

    with pytest.raises(StoreUnavailable, match="'get' of the cache was cancelled"):
        make_client(lambda: AsyncInside("async", {})).get("key")


def test_one_connection_serves_all_threads_where_that_is_safe():
    made = []

    def connect() -> LocMemCache:
        made.append(LocMemCache("safe", {}))
        return made[-1]

    client = make_client(connect)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client.get, "abcd"))
    assert len(made) == 1


def can_save() -> bool:
    try:
        return not get_store().save([make_running()]).refused
    except Exception:
        return False


@pytest.mark.parametrize("name", [item for item in make_params() if "memcache" in item.values[0]])
def test_memcached_that_was_away_is_used_as_soon_as_it_is_back(settings, name):
    port = find_free_port()
    settings.CACHES = {"default": {"BACKEND": BACKENDS[name].path, "LOCATION": f"127.0.0.1:{port}"}}
    with run_memcached(port):
        assert can_save()
    assert [can_save() for _ in range(5)] == [False] * 5
    with run_memcached(port):
        # Far less than the minute for which the client would avoid its server.
        wait_until(can_save, "it is used again", deadline=20)
        assert get_store().get("t1") == make_running()
    get_store().cache.close()


# The key function of a site

tenant = threading.local()


def make_tenant_key(key: str, prefix: str, version: int) -> str:
    """As that of django-tenants, which asks for the tenant of the thread."""
    return f"{getattr(tenant, 'name', 'public')}:{prefix}:{version}:{key}"


def make_hashed_key(key: str, prefix: str, version: int) -> str:
    return f"{prefix}:{version}:{hash(key)}"


def test_task_is_found_whichever_tenant_the_thread_serves(settings):
    settings.CACHES = {"default": {"BACKEND": f"{BareCache.__module__}.BareCache", "KEY_FUNCTION": make_tenant_key}}
    tenant.name = "acme"
    try:
        get_store().save([make_running()])
    finally:
        del tenant.name
    assert get_store().get("t1") == make_running()
    assert caches["default"].get("tasks_app:task:t1") is not None


def test_key_function_that_hides_the_key_is_called_as_it_is(settings):
    settings.CACHES = {"default": {"BACKEND": f"{BareCache.__module__}.BareCache", "KEY_FUNCTION": make_hashed_key}}
    get_store().save([make_running("t1"), make_running("t2")])
    assert [get_store().get(task_id) for task_id in ("t1", "t2")] == [make_running("t1"), make_running("t2")]
