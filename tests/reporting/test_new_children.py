"""Children that other processes give to the tasks of this one."""

from types import SimpleNamespace

import pytest

from tasks_app.reporting import new_children
from tasks_app.store.families import add_children
from tasks_app.store.store import Store, get_store
from tests.support.doubles import begin, controlled_cache, read, recorded_cache


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the cache for one that other processes have, which a test of one process can't give it."""
    monkeypatch.setattr(new_children, "get_store", lambda: SimpleNamespace(is_local=False))


def test_sweep_finds_children_of_a_task_that_runs(flusher):
    begin(flusher)
    flusher.flush()
    add_children("t1", {"a": 1.0, "b": 1.0})
    flusher.sweep()
    flusher.flush()
    assert read().children["total"] == 2


def test_children_are_found_when_a_task_has_ended(flusher):
    begin(flusher).succeed()
    add_children("t1", {"a": 1.0})
    flusher.flush()
    flusher.flush()
    assert (read().state, read().children["total"], read().is_summed) == ("succeeded", 1, False)


def test_task_that_was_given_children_before_its_end_is_never_shown_without_them(flusher):
    reporter = begin(flusher)
    flusher.flush()
    add_children("t1", {"a": 1.0})
    reporter.succeed()
    flusher.flush()
    assert (read().state, read().children["total"]) == ("succeeded", 1)


def test_children_that_are_given_while_the_end_is_stored_are_found(flusher, monkeypatch):
    begin(flusher).succeed()
    store = get_store()

    def save(*args):
        add_children("t1", {"a": 1.0})
        return Store.save(store, *args)

    monkeypatch.setattr(store, "save", save)
    flusher.flush()
    monkeypatch.undo()
    flusher.flush()
    assert (read().state, read().children["total"]) == ("succeeded", 1)


def test_ends_of_many_tasks_cost_one_read_before_and_one_after(flusher):
    reporters = [begin(flusher, f"t{number}") for number in range(50)]
    with recorded_cache() as calls:
        flusher.flush()
        for reporter in reporters:
            reporter.succeed()
        calls.clear()
        flusher.flush()
        assert [method for method, _, _ in calls].count("get_many") == 2


def test_task_ends_without_children_that_can_not_be_read(flusher, caplog):
    with controlled_cache() as controls:
        begin(flusher).succeed()
        controls.break_down("get_many")
        assert flusher.flush()
        assert flusher.find("t1") is None
    assert caplog.text.count("whether tasks ['t1'] were given children elsewhere can't be read") == 1


def test_ends_cost_no_read_where_no_other_process_has_the_cache(flusher, monkeypatch):
    monkeypatch.setattr(new_children, "get_store", get_store)
    reporter = begin(flusher)
    with recorded_cache() as calls:
        flusher.flush()
        reporter.succeed()
        calls.clear()
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]
