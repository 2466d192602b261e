"""The list of recent tasks: who keeps their place on it, whoever else starts how many."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.test import AsyncClient

from tasks_app import get_snapshot
from tasks_app.exceptions import StoreUnavailable
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store import recent
from tasks_app.store.client import Client
from tasks_app.store.keys import RECENT_COUNT_KEY, make_recent_key
from tasks_app.store.recent import RECENT_TASKS, TURN, RecentList, sharing
from tasks_app.store.store import Store, get_store
from tests.support.answers import post_start
from tests.support.viewers import NOW, until


class ByHeader(Policy):
    def identify(self, request: Any) -> Any:
        return request.headers["X-Who"]


class Lister:
    """Puts tasks on the list, each a second later than the one before."""

    def __init__(self, *stores: Store) -> None:
        self._stores = stores or (get_store(),)
        self._count = 0

    def add(self, count: int, owner: str | None = None, *, batch: int = 1) -> list[str]:
        """List so many tasks of an owner, and return their ids."""
        snapshots = [self._make(owner) for _ in range(count)]
        for start in range(0, count, batch):
            random.choice(self._stores).list_as_recent(snapshots[start : start + batch])
        return [snapshot.task_id for snapshot in snapshots]

    def _make(self, owner: str | None) -> Snapshot:
        self._count += 1
        return Snapshot.queued(f"t{self._count}", "demo", now=NOW + timedelta(seconds=self._count), owner=owner)


@pytest.mark.parametrize("batch", [1, 7, 50, 400])
def test_many_starts_of_one_push_off_none_of_the_others(batch):
    lister = Lister()
    others = [task_id for number in range(30) for task_id in lister.add(2, f"other-{number}")]
    theirs = lister.add(1100, "hostile", batch=batch)
    found = get_store().find_recent()
    assert set(others) <= set(found)
    assert found[:800] == theirs[:-801:-1]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The keys of each `get_many` of the store's cache."""
    made: list[list[str]] = []
    read = Client.get_many
    monkeypatch.setattr(Client, "get_many", lambda cache, keys: made.append(list(keys)) or read(cache, keys))
    return made


def test_list_is_not_read_again_while_nobody_else_puts_tasks_on_it(reads: list[list[str]]):
    lister = Lister()
    lister.add(RECENT_TASKS, "other", batch=RECENT_TASKS)
    reads.clear()
    listed = lister.add(2 * TURN, "other", batch=TURN // 2)
    assert reads == []
    assert get_store().find_recent()[: 2 * TURN] == listed[::-1]


def test_places_whose_tasks_the_cache_has_forgotten_are_free_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "SEEN_SECONDS", 0.0, raising=False)
    lister = Lister()
    for number in range(RECENT_TASKS):
        lister.add(1, f"visitor-{number}")
    caches["default"].delete_many([make_recent_key(place) for place in range(RECENT_TASKS)])
    listed = lister.add(RECENT_TASKS, "one", batch=TURN)
    assert get_store().find_recent()[: RECENT_TASKS - TURN] == listed[: TURN - 1 : -1]


def test_list_is_read_again_after_a_write_that_failed(reads: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    lister = Lister()
    lister.add(RECENT_TASKS, "other", batch=RECENT_TASKS)
    with monkeypatch.context() as failing:
        failing.setattr(Client, "set_many", lambda cache, values, ttl: list(values))
        with pytest.raises(StoreUnavailable):
            lister.add(1, "other")
    reads.clear()
    lister.add(2 * TURN, "other", batch=2 * TURN)
    assert len(reads) == 1


def test_list_on_which_others_put_tasks_is_read_once_for_all_that_is_listed_at_a_time(reads: list[list[str]]):
    lister, other = Lister(), RecentList(get_store().cache)
    lister.add(RECENT_TASKS, "other", batch=RECENT_TASKS)
    other.add([Snapshot.queued("elsewhere", "demo", now=NOW)])
    reads.clear()
    lister.add(2 * TURN, batch=2 * TURN)
    assert len(reads) == 1


@pytest.mark.usefixtures("store")
def test_every_cache_keeps_what_others_have_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "RECENT_TASKS", 20)
    monkeypatch.setattr(recent, "TURN", 5)
    monkeypatch.setattr(recent, "PLAN_TTL", None)
    lister = Lister()
    others = lister.add(3, "other")
    theirs = lister.add(40, "hostile", batch=3)
    found = get_store().find_recent()
    assert set(others) <= set(found)
    assert set(theirs[-10:]) <= set(found)


def test_what_others_start_comes_onto_a_list_that_one_has_filled():
    lister = Lister()
    lister.add(1100, "hostile", batch=100)
    others = lister.add(300, "other")
    hostile = lister.add(1100, "hostile", batch=100)
    found = get_store().find_recent()
    assert set(others) <= set(found)
    assert found[:300] == hostile[:-301:-1]
    assert RECENT_TASKS - TURN <= len(found) <= RECENT_TASKS


def test_those_who_start_many_have_equal_shares():
    lister = Lister()
    for _ in range(150):
        for owner in "abcd":
            lister.add(10, owner, batch=10)
    owners = Counter(caches["default"].get(make_recent_key(place), [0, "", None])[2] for place in range(RECENT_TASKS))
    assert len(owners) == 4
    assert min(owners.values()) >= RECENT_TASKS / 4 - TURN


def test_one_who_is_alone_has_the_whole_list():
    theirs = Lister().add(1350, "one", batch=50)
    assert get_store().find_recent()[:950] == theirs[:-951:-1]


def test_places_are_shared_by_processes(settings):
    stores = [Store(lambda: caches.create_connection("default")) for _ in range(3)]
    lister = Lister(*stores)
    others = lister.add(100, "other")
    theirs = lister.add(1100, "hostile", batch=3)
    found = stores[0].find_recent()
    assert set(others) <= set(found)
    assert set(theirs[-800:]) <= set(found)


def test_list_goes_on_where_the_count_was_lost():
    lister = Lister()
    lister.add(150)
    caches["default"].delete(RECENT_COUNT_KEY)
    task_ids = lister.add(50)
    assert set(task_ids) <= set(get_store().find_recent())


@pytest.mark.parametrize("value", [None, 7, "x", [], [1], ["x", "y"], [1, 2], {"a": 1}, [1.0, "old"], [1.0, "new", 7]])
def test_entry_of_another_shape_is_left_out_and_used_again(value):
    caches["default"].set(make_recent_key(3), value)
    assert get_store().find_recent() in ([], ["old"], ["new"])
    assert set(Lister().add(5)) <= set(get_store().find_recent())


@pytest.mark.parametrize("plan", [7, [], [1] * TURN + [2], ["x"] * TURN, [RECENT_TASKS] * TURN])
def test_plan_of_another_shape_is_made_once_more(plan):
    caches["default"].set("tasks_app:recent:plan:0", plan)
    task_ids = Lister().add(5)
    assert set(task_ids) <= set(get_store().find_recent())


async def start_as(name: str) -> str:
    response = await post_start(AsyncClient(), {"task": "add", "kwargs": {"a": 1}}, **{"X-Who": name})
    return str(response.json()["task_id"])


async def test_visitors_have_a_share_each(settings: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "RECENT_TASKS", 20)
    monkeypatch.setattr(recent, "TURN", 5)
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.ByHeader"}
    theirs = [await start_as("visitor") for _ in range(3)]
    for _ in range(40):
        last = await start_as("hostile")
    await until(lambda: last in get_store().find_recent(), "all are listed")
    assert set(theirs) <= set(get_store().find_recent())
    await until(lambda: get_snapshot(last).is_terminal, "the last has ended")


def test_name_of_a_client_is_not_stored():
    with sharing("s3cret"):
        get_store().recent.note_sharer("t1")
    get_store().list_as_recent([Snapshot.queued("t1", "demo", now=NOW)])
    (entry,) = [found for place in range(RECENT_TASKS) if (found := caches["default"].get(make_recent_key(place)))]
    assert "s3cret" not in str(entry)
    assert entry[2]
