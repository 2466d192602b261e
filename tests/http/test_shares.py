"""What one client takes of a cache that drops entries beyond a number: never the place of the others."""

from typing import Any

import pytest
from django.core.cache import caches
from django.test import AsyncClient

from tasks_app import get_snapshot
from tasks_app import start as start_task
from tasks_app.http.shares import PART, Shares, get_shares
from tasks_app.permissions import Policy
from tasks_app.reporting import find_reporter
from tasks_app.snapshot.log_page import PAGE_LINES
from tasks_app.store.keys import make_claim_key, make_details_key, make_page_key, make_task_key
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.answers import post_start
from tests.support.doubles import recorded_cache
from tests.support.viewers import NOW, make_running, put, until


class ByHeader(Policy):
    def identify(self, request: Any) -> Any:
        return request.headers["X-Who"]


def make_ended(task_id: str) -> Any:
    return make_running(task_id).succeeded(None, now=NOW)


def is_stored(task_id: str) -> bool:
    return get_store().get(task_id) is not None


def is_there(task_id: str) -> bool:
    """Return whether a task is stored, without a read, after which a cache would keep it for longer."""
    return make_task_key(task_id) in caches["default"]


def start_and_end(shares: Shares, client: str, *task_ids: str) -> None:
    for task_id in task_ids:
        put(make_ended(task_id))
        shares.add(client, task_id)


def test_oldest_ended_tasks_of_a_client_make_room_for_the_next():
    shares = Shares(3, 100)
    start_and_end(shares, "a", *(f"a{number}" for number in range(5)))
    assert [number for number in range(5) if is_stored(f"a{number}")] == [2, 3, 4]


def test_client_that_can_not_take_much_costs_no_read():
    with recorded_cache() as calls:
        shares = Shares(1000, 10_000)
        start_and_end(shares, "a", *(f"a{number}" for number in range(20)))
        assert [keys for method, keys, _ in calls if method == "get_many"] == []


def test_share_holds_for_a_client_that_was_not_looked_at_before():
    shares = Shares(100, 10_000)
    start_and_end(shares, "a", *(f"a{number}" for number in range(130)))
    assert [number for number in range(130) if is_stored(f"a{number}")] == list(range(30, 130))


def test_tasks_of_others_are_left_alone():
    shares = Shares(3, 100)
    start_and_end(shares, "b", "b0")
    start_and_end(shares, "a", *(f"a{number}" for number in range(5)))
    assert is_stored("b0")


def test_task_that_has_not_ended_is_left_alone():
    shares = Shares(3, 100)
    put(make_running("running"))
    shares.add("a", "running")
    start_and_end(shares, "a", *(f"a{number}" for number in range(20)))
    assert is_stored("running")
    assert sum(is_stored(f"a{number}") for number in range(20)) <= 3


def test_log_details_and_claim_go_with_their_task():
    shares = Shares(1, 100)
    keys = [make_page_key("a0", 0), make_details_key("a0", 1), make_claim_key("k"), make_task_key("a0")]
    for key in keys:
        caches["default"].set(key, "x")
    put(make_running("a0").succeeded(None, now=NOW))
    shares.add("a", "a0")
    shares.add_claim("a0", "k")
    start_and_end(shares, "a", "a1")
    kept = [key for key in keys[1:] if caches["default"].get(key) is not None]
    assert kept == []


def test_pages_of_a_log_count_as_tasks_do():
    shares = Shares(10, 100)
    for number in range(8):
        put(make_running(f"a{number}").having_logged(PAGE_LINES * 4).succeeded(None, now=NOW))
        shares.add("a", f"a{number}")
    assert [number for number in range(8) if is_stored(f"a{number}")] == [6, 7]


def test_only_as_many_tasks_are_remembered_as_the_cache_holds():
    shares = Shares(10, 20)
    for number in range(100):
        start_and_end(shares, f"client {number}", f"t{number}")
    remembered = [len(client.waiting) + len(client.ended) for client in shares._started.values()]
    assert len(shares._clients) == sum(remembered) <= 20
    assert all(is_stored(f"t{number}") for number in range(100))
    shares.add_claim("t0", "k")  # of a task that is forgotten


@pytest.mark.parametrize("backend", ["redis.RedisCache", "memcached.PyMemcacheCache"])
def test_cache_that_drops_nothing_by_number_has_no_shares(settings, backend):
    location = "redis://127.0.0.1:1" if "redis" in backend else "127.0.0.1:1"
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": location}}
    assert get_shares() == ()


# What the site itself starts, which is no client's


async def test_in_memory_cache_drops_no_task_that_waits_or_runs(settings, open_gate):
    cache = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}}
    backend = "tasks_app.backends.InProcessBackend"
    settings.CACHES = {"default": {**cache, "LOCATION": "two thousand"}}
    settings.TASKS = {"default": {"BACKEND": backend, "OPTIONS": {"max_workers": 2, "max_queue": 2000}}}
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.1}
    unfinished = [start_task(jobs.wait) for _ in range(6)]
    first = [start_task(jobs.greet) for _ in range(10)]
    await until(lambda: all(get_snapshot(task_id).is_terminal for task_id in first), "the first have ended")
    while any(is_there(task_id) for task_id in first):
        batch = [start_task(jobs.greet) for _ in range(20)]
        await until(lambda batch=batch: not any(map(find_reporter, batch)), "these have ended, and are stored")
        assert all(is_there(task_id) for task_id in unfinished)
    open_gate()
    await until(lambda: all(get_snapshot(task_id).is_terminal for task_id in unfinished), "all have ended")


# Over HTTP


async def start(who: str, key: str, name: str, **kwargs: Any) -> str:
    headers = {"X-Who": who, "Idempotency-Key": key}
    response = await post_start(AsyncClient(), {"task": name, "kwargs": kwargs}, **headers)
    assert response.status_code == 202, response.content
    return str(response.json()["task_id"])


@pytest.mark.slow
async def test_thousands_of_starts_of_one_client_take_nothing_of_the_others(settings, open_gate):
    entries = count = 2_000
    cache = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": entries}}
    backend = "tasks_app.backends.InProcessBackend"
    settings.CACHES = {"default": {**cache, "LOCATION": f"bounded by {entries}"}}
    settings.TASKS = {"default": {"BACKEND": backend, "OPTIONS": {"max_workers": 2, "max_queue": 1000}}}
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.ByHeader"}
    ended = [await start("other", f"ended {number}", "greet") for number in range(10)]
    unfinished = [await start("other", f"unfinished {number}", "wait") for number in range(6)]  # two of them run
    await until(lambda: all(get_snapshot(task_id).is_terminal for task_id in ended), "they have ended")

    hostile = [await start("hostile", f"key {number}", "greet") for number in range(count)]
    await until(lambda: hostile[-1] in get_store().find_recent(), "all are listed")

    assert [get_snapshot(task_id).state for task_id in ended] == ["succeeded"] * 10
    assert [get_snapshot(task_id).state for task_id in unfinished] == ["running"] * 2 + ["queued"] * 4
    assert set(ended + unfinished) <= set(get_store().find_recent())
    assert [await start("other", f"ended {number}", "greet") for number in range(10)] == ended
    assert [await start("other", f"unfinished {number}", "wait") for number in range(6)] == unfinished
    # What it does cost: the oldest of the client's own tasks, and their keys.
    assert sum(is_stored(task_id) for task_id in hostile) <= entries // PART
    assert all(is_stored(task_id) for task_id in hostile[-entries // PART + 10 :])
    open_gate()
    await until(lambda: all(get_snapshot(task_id).is_terminal for task_id in unfinished), "all have ended")
