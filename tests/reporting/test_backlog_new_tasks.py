"""Every new task gets on the list of recent ones, however it came, and whatever the cache does meanwhile."""

import pytest
from django.test import override_settings

from tasks_app import start, task_run
from tasks_app.reporting.backlog import Arrivals
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import RECENT_TASKS, get_store
from tests.support import jobs
from tests.support.caches import CacheDown
from tests.support.doubles import controlled_cache
from tests.support.viewers import NOW
from tests.support.waiting import wait_until


def make(number: int = 1) -> Snapshot:
    return Snapshot.queued(f"t{number}", "demo", now=NOW)


def wait_for_listing(task_id: str) -> None:
    wait_until(lambda: task_id in get_store().find_recent(), "the task is listed")


def test_started_task_is_listed():
    wait_for_listing(start(jobs.add, 1))


def test_tracked_code_is_listed():
    with task_run("nightly") as progress:
        wait_for_listing(progress.task_id)


@pytest.mark.parametrize("backend", ["ImmediateBackend", "DummyBackend"])
def test_task_of_another_backend_is_listed(backend):
    home = type(jobs.add).__module__.removesuffix(".base")
    with override_settings(TASKS={"default": {"BACKEND": f"{home}.backends.{backend[:-7].lower()}.{backend}"}}):
        wait_for_listing(jobs.add.enqueue(1).id)


def test_task_is_listed_once():
    arrivals = Arrivals()
    arrivals.add(make())
    arrivals.list_all()
    assert not arrivals
    arrivals.list_all()
    assert get_store().find_recent() == ["t1"]


def test_task_that_can_not_be_listed_waits():
    arrivals = Arrivals()
    arrivals.add(make())
    with controlled_cache("set_many"), pytest.raises(CacheDown):
        arrivals.list_all()
    arrivals.list_all()
    assert get_store().find_recent() == ["t1"]


def test_only_the_latest_tasks_wait():
    arrivals = Arrivals()
    for number in range(RECENT_TASKS + 1):
        arrivals.add(make(number))
    assert (len(arrivals._waiting), next(iter(arrivals._waiting))) == (RECENT_TASKS, "t1")


def test_flusher_lists_new_tasks_when_the_cache_is_back(flusher, caplog):
    flusher._arrivals.add(make())
    with controlled_cache("set_many"):
        flusher.sweep()
    assert "the cache failed" in caplog.text
    flusher.sweep()
    assert get_store().find_recent() == ["t1"]
