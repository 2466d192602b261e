"""Where the state of tasks lives, over each kind of cache that needs no server."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from tasks_app.exceptions import StoreUnavailable
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.keys import is_task_id
from tasks_app.store.recent import RECENT_TASKS
from tasks_app.store.store import get_store
from tests.support.caches import CONTROLLED_CACHES, REFUSING_CACHES, CacheDown, ControlledCache, controls
from tests.support.doubles import controlled_cache, recorded_cache

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

GOOD_IDS = ["a", "8c1f3f1e-3f0b-4a7e-9d6e-0f2b7c6d5e4f", "x" * 128, "a:b", "a.b~!", "...", "..a", "%2F"]
BAD_IDS = ["", ".", "..", "a/b", "../etc/passwd", "a b", "a\n", "\x00", "\x7f", "é", "x" * 129, "x" * 5000]
BAD_IDS += ["a\u2028b", "\ud800"]


def make_snapshot(task_id: str = "t1", **changes: Any) -> Snapshot:
    return replace(Snapshot.queued(task_id, "demo", now=NOW, owner="7"), **changes)


# --- what every cache must do ---


def test_runner_of_an_unknown_task_is_told_nothing(store):
    assert store.load("t1") == (None, False)


def test_runner_of_a_task_is_told_what_is_stored_and_of_a_cancel(store):
    store.add(make_snapshot())
    store.request_cancel("t1")
    assert store.load("t1") == (make_snapshot(), True)


def test_added_snapshot_is_read_back(store):
    assert store.add(make_snapshot())
    assert store.get("t1") == make_snapshot()


def test_id_that_is_taken_is_not_added_again(store):
    store.add(make_snapshot())
    assert not store.add(make_snapshot(task="another"))
    assert store.get("t1") == make_snapshot()


def test_saved_snapshot_replaces_the_one_before(store):
    store.add(make_snapshot())
    store.save([make_snapshot().begun(now=NOW)])
    assert store.get("t1") == make_snapshot().begun(now=NOW)


def test_many_snapshots_are_saved_and_read_at_once(store):
    ended = make_snapshot("t2").succeeded([1, "zwei", None], now=NOW)
    store.save([make_snapshot("t1"), ended, make_snapshot("t3")])
    texts = store.read(["t1", "t2", "t3", "unknown"])
    assert {task_id: Snapshot.from_json(text) for task_id, text in texts.items()} == {
        "t1": make_snapshot("t1"),
        "t2": ended,
        "t3": make_snapshot("t3"),
    }


def test_snapshot_with_control_characters_is_stored(store):
    snapshot = make_snapshot(status="\x00 \u2028 \n 🚀")
    store.save([snapshot])
    assert store.get("t1") == snapshot


def test_saving_nothing_is_harmless(store):
    store.save([])


def test_pages_of_logs_are_read_back(store):
    store.save([make_snapshot("t1"), make_snapshot("t2")], {"t1": {0: "first", 20: "last"}, "t2": {0: "only"}})
    assert store.read_pages([("t1", 0), ("t1", 20), ("t2", 0), ("t2", 1)]) == {
        ("t1", 0): "first",
        ("t1", 20): "last",
        ("t2", 0): "only",
    }


def test_page_is_of_one_task_and_slot_alone(store):
    store.save([make_snapshot("t:1")], {"t:1": {2: "text"}})
    assert store.read_pages([("t", 12), ("t", 1), ("t:1:2", 2), ("t:1", 12)]) == {}


def test_unknown_task_is_none(store):
    assert store.get("unknown") is None


def test_cancel_is_found_for_the_task_that_was_asked_to_stop(store):
    store.request_cancel("t1")
    assert store.find_cancelled(["t1", "t2"]) == {"t1"}


def test_looking_for_cancels_of_no_task_finds_none(store):
    assert store.find_cancelled([]) == set()


def test_touch_tells_whether_a_task_is_stored_and_changes_nothing(store):
    store.add(make_snapshot())
    assert (store.touch(make_snapshot()), store.touch(replace(make_snapshot(), task_id="t2"))) == (True, False)
    assert store.get("t1") == make_snapshot()


@pytest.mark.parametrize("suffix", [":cancel", ":start"])
def test_cancel_is_no_snapshot_of_another_task(store, suffix):
    store.request_cancel("t1")
    assert store.read(["t1", f"t1{suffix}", "cancel:t1"]) == {}


async def test_async_twins_do_the_same(store):
    await store.arun(store.save, [make_snapshot()])
    assert await store.aread(["t1", "t2"]) == {"t1": make_snapshot().to_json()}
    await store.arun(store.request_cancel, "t1")
    assert await store.arun(store.find_cancelled, ["t1"]) == {"t1"}


async def test_only_a_local_cache_is_called_in_the_event_loop(store):
    is_local = isinstance(caches["default"], LocMemCache)
    thread = await store.arun(threading.get_ident)
    assert (thread == threading.get_ident()) is is_local


async def test_async_reads_at_once_do_not_disturb_each_other(store):
    texts = {f"t{number}": make_snapshot(f"t{number}").to_json() for number in range(20)}
    await store.arun(store.save, [make_snapshot(task_id) for task_id in texts])
    found = await asyncio.gather(*(store.aread([task_id]) for task_id in texts))
    assert found == [{task_id: text} for task_id, text in texts.items()]


# --- recent tasks ---


def make_at(number: int) -> Snapshot:
    return make_snapshot(f"t{number}", created_at=NOW + timedelta(seconds=number))


def test_recent_tasks_are_listed_newest_first(store):
    store.list_as_recent([make_at(2)])
    store.list_as_recent([make_at(1), make_at(3)])
    assert store.find_recent() == ["t3", "t2", "t1"]


def test_no_task_is_no_recent_task(store):
    assert store.find_recent() == []


def test_task_that_is_listed_twice_is_found_once(store):
    store.list_as_recent([make_at(1)])
    store.list_as_recent([make_at(1), make_at(2)])
    assert store.find_recent() == ["t2", "t1"]


def test_only_the_latest_tasks_stay_on_the_list(settings):
    settings.CACHES = CONTROLLED_CACHES
    controls.reset()
    store = get_store()
    for number in range(0, RECENT_TASKS + 50, 50):
        store.list_as_recent([make_at(number + offset) for offset in range(50)])
    found = store.find_recent()
    assert (len(found), found[0], found[-1]) == (RECENT_TASKS, f"t{RECENT_TASKS + 49}", "t50")


def test_list_is_read_in_one_round_trip_and_written_in_two():
    with recorded_cache() as calls:
        store = get_store()
        store.list_as_recent([make_at(1)])
        calls.clear()
        store.list_as_recent([make_at(2), make_at(3)])
        assert [method for method, _, _ in calls if method != "get"] == ["set_many"]
        calls.clear()
        store.find_recent()
        assert [method for method, _, _ in calls] == ["get_many"]


def test_task_that_the_cache_does_not_list_is_named(settings, monkeypatch):
    settings.CACHES = CONTROLLED_CACHES
    controls.reset()
    monkeypatch.setattr(ControlledCache, "set_many", lambda self, data, timeout: list(data))
    with pytest.raises(StoreUnavailable, match="tasks_app:recent:1"):
        get_store().list_as_recent([make_at(1)])


# --- ids ---


@pytest.mark.parametrize("task_id", GOOD_IDS)
def test_printable_ascii_without_a_slash_is_an_id(task_id):
    assert is_task_id(task_id)


@pytest.mark.parametrize("task_id", BAD_IDS)
def test_anything_else_is_no_id(task_id):
    assert not is_task_id(task_id)


@pytest.mark.parametrize("task_id", BAD_IDS)
def test_invalid_id_is_unknown_and_never_sent_to_the_cache(task_id):
    with recorded_cache() as calls:
        assert get_store().get(task_id) is None
        assert get_store().read([task_id]) == {}
        assert calls == []


def test_invalid_ids_do_not_hide_the_valid_ones():
    with recorded_cache() as calls:
        get_store().save([make_snapshot()])
        assert list(get_store().read(["a b", "t1", ""])) == ["t1"]
        assert calls[-1] == ("get_many", ["tasks_app:task:t1"], None)


# --- round trips ---


def test_read_of_many_tasks_is_one_round_trip():
    with recorded_cache() as calls:
        get_store().read(f"t{number}" for number in range(50))
        assert [(method, len(keys)) for method, keys, _ in calls] == [("get_many", 50)]


def test_read_of_nothing_is_no_round_trip():
    with recorded_cache() as calls:
        get_store().read([])
        assert calls == []


def test_save_of_many_tasks_is_one_round_trip():
    with recorded_cache() as calls:
        get_store().save(make_snapshot(f"t{number}") for number in range(50))
        assert [(method, len(keys)) for method, keys, _ in calls] == [("set_many", 50)]


def test_logs_are_saved_with_the_snapshots_and_before_them():
    with recorded_cache() as calls:
        get_store().save([make_snapshot("t1"), make_snapshot("t2")], {"t2": {0: "page", 1: "page"}})
        keys = ["log:t2:0", "log:t2:1", "task:t1", "task:t2"]
        assert calls == [("set_many", [f"tasks_app:{key}" for key in keys], 86400)]


def test_logs_are_saved_before_snapshots_that_are_kept_for_another_time():
    ended = make_snapshot("t2").cancelled(now=NOW)
    with recorded_cache() as calls:
        get_store().save([make_snapshot("t1"), ended], {"t2": {0: "page"}})
        assert [keys for _, keys, _ in calls] == [["tasks_app:log:t2:0", "tasks_app:task:t1"], ["tasks_app:task:t2"]]


def test_read_of_many_pages_is_one_round_trip():
    with recorded_cache() as calls:
        get_store().read_pages((f"t{number}", 0) for number in range(50))
        assert [(method, len(keys)) for method, keys, _ in calls] == [("get_many", 50)]


def test_read_of_no_pages_is_no_round_trip():
    with recorded_cache() as calls:
        get_store().read_pages([])
        assert calls == []


def test_looking_for_cancels_is_one_round_trip():
    with recorded_cache() as calls:
        get_store().find_cancelled(f"t{number}" for number in range(50))
        assert [(method, len(keys)) for method, keys, _ in calls] == [("get_many", 50)]


# --- times to live ---


def find_timeouts(calls):
    return {key.rpartition(":")[2]: timeout for _, keys, timeout in calls for key in keys}


@override_settings(TASKS_APP={"RETENTION": 7, "ACTIVE_TTL": 99})
def test_ended_task_is_kept_for_retention_and_an_active_one_for_active_ttl():
    with recorded_cache() as calls:
        get_store().add(make_snapshot("added"))
        get_store().save([make_snapshot("active"), make_snapshot("ended").cancelled(now=NOW)])
        assert find_timeouts(calls) == {"added": 99, "active": 99, "ended": 7}


@override_settings(TASKS_APP={"ACTIVE_TTL": 99})
def test_task_that_begins_later_is_kept_until_then_and_for_active_ttl():
    with recorded_cache() as calls:
        get_store().add(replace(make_snapshot("added"), not_before=NOW + timedelta(seconds=1000.5)))
        assert find_timeouts(calls) == {"added": 1100}


@pytest.mark.parametrize(("retention", "active_ttl"), [(7, 99), (99, 7)])
def test_log_outlives_its_task_for_retention(settings, retention, active_ttl):
    settings.TASKS_APP = {"RETENTION": retention, "ACTIVE_TTL": active_ttl}
    with recorded_cache() as calls:
        get_store().save([make_snapshot()], {"t1": {0: "page"}})
        assert ("set_many", 99) in [(method, timeout) for method, keys, timeout in calls if "log" in keys[0]]


@override_settings(TASKS_APP={"RETENTION": 1.2, "ACTIVE_TTL": 5.5})
def test_times_to_live_are_whole_seconds_and_never_shorter_than_asked():
    with recorded_cache() as calls:
        get_store().save([make_snapshot("active"), make_snapshot("ended").lost(now=NOW)])
        get_store().request_cancel("cancel")
        timeouts = find_timeouts(calls)
        assert timeouts == {"active": 6, "ended": 2, "cancel": 6}
        assert {type(timeout) for timeout in timeouts.values()} == {int}


# --- failures ---


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.add(make_snapshot()),
        lambda store: store.save([make_snapshot()]),
        lambda store: store.read(["t1"]),
        lambda store: store.get("t1"),
        lambda store: store.read_pages([("t1", 0)]),
        lambda store: store.request_cancel("t1"),
        lambda store: store.find_cancelled(["t1"]),
    ],
    ids=["add", "save", "read", "get", "read_pages", "request_cancel", "find_cancelled"],
)
def test_what_the_cache_raises_passes_through(use):
    with controlled_cache() as controls:
        controls.break_down()
        with pytest.raises(CacheDown):
            use(get_store())


@override_settings(CACHES=REFUSING_CACHES)
def test_cache_that_refuses_without_raising_names_the_tasks():
    assert get_store().save([make_snapshot()]).refused == {"t1"}


@override_settings(CACHES=REFUSING_CACHES)
def test_cache_that_refuses_a_page_names_its_task():
    assert get_store().save([], {"t1": {0: "page"}}).refused == {"t1"}


@pytest.mark.parametrize("text", ["garbage", "null", 1, "[" * 100_000], ids=["text", "null", "number", "deep"])
def test_stored_text_that_is_no_snapshot_is_logged_and_as_good_as_none(text, caplog):
    with recorded_cache():
        get_store().cache.set("tasks_app:task:t1", text, None)
        assert (get_store().get("t1"), get_store().load("t1")) == (None, (None, False))
    assert [record.getMessage() for record in caplog.records] == ["task t1: its stored snapshot can't be decoded"] * 2


# --- one store per process ---


def test_store_is_made_once():
    assert get_store() is get_store()


def test_store_has_a_connection_of_its_own():
    assert get_store().cache is not caches["default"]


def test_store_follows_the_settings(settings):
    before = get_store()
    settings.CACHES = {**settings.CACHES, "tasks": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.TASKS_APP = {"CACHE": "tasks"}
    assert get_store() is not before
