"""The ends of parents that take longer than the cache keeps what is not written again."""

from types import SimpleNamespace

import pytest

from tasks_app.reporting.sums import Sums
from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import add_children, expect_ends
from tasks_app.store.store import get_store
from tests.support.doubles import controlled_cache
from tests.support.viewers import NOW

CHILDREN = ("one", "two", "three")


class Clock:
    """The time by which a cache in memory forgets, and a process keeps; it moves only when it is told to."""

    seconds = 0.0

    def read(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "ACTIVE_TTL": 100, "RETENTION": 10}
    clock = Clock()
    for module in ("base", "locmem"):
        monkeypatch.setattr(f"django.core.cache.backends.{module}.time", SimpleNamespace(time=clock.read))
    return clock


def start_batch() -> None:
    own = expect_children(Snapshot.queued("b", "batch", now=NOW, runner=BATCH), len(CHILDREN), now=NOW)
    get_store().save([own])
    add_children("b", dict.fromkeys(CHILDREN, 1.0))
    expect_ends("b", len(CHILDREN))


def end(sums: Sums, task_id: str) -> None:
    child = Snapshot.queued(task_id, "job", now=NOW, parent="b").begun(now=NOW).succeeded(now=NOW, result=None)
    get_store().save([child])
    sums.note([child], written=[child])


def test_batch_that_takes_longer_than_active_ttl_ends_with_its_last_child(clock):
    told: list[Snapshot] = []
    sums = Sums(told.append, monotonic=clock.read)
    start_batch()
    for clock.seconds, task_id in zip((10, 90, 150), CHILDREN, strict=True):
        end(sums, task_id)
    assert [(snapshot.state, snapshot.children["succeeded"]) for snapshot in told] == [("succeeded", 3)]


def test_parents_of_a_child_that_runs_longer_than_active_ttl_are_kept(clock):
    sums = Sums(lambda snapshot: None, monotonic=clock.read)
    start_batch()
    get_store().save([Snapshot.queued("above", "job", now=NOW)])
    own = expect_children(Snapshot.queued("b", "batch", now=NOW, runner=BATCH, parent="above"), 1, now=NOW)
    get_store().save([own])
    running = Snapshot.queued("one", "job", now=NOW, parent="b").begun(now=NOW)
    for clock.seconds in (10, 60, 130):
        sums.note([], written=[running])
    assert set(get_store().read(["above", "b"])) == {"above", "b"}


def test_parent_that_can_not_be_kept_is_logged_and_kept_later(clock, caplog):
    with controlled_cache() as controls:
        sums = Sums(lambda snapshot: None, monotonic=clock.read)
        start_batch()
        running = Snapshot.queued("one", "job", now=NOW, parent="b").begun(now=NOW)
        sums.note([], written=[running])
        clock.seconds = 60
        controls.break_down("get_many")
        sums.note([], written=[running])
        assert "task b: it can't be kept for longer" in caplog.text
        controls.repair()
        clock.seconds = 90
        sums.note([], written=[running])
        clock.seconds = 130
        assert set(get_store().read(["b"])) == {"b"}
