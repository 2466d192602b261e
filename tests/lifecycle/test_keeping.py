"""Parents that end although the cache failed, or has lost who their children are."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from django.test import override_settings

from tasks_app import StoreUnavailable, TaskNotFound, cancel, get_snapshot, start_batch
from tasks_app.lifecycle.children import Link, linking
from tasks_app.lifecycle.enqueue import queue
from tasks_app.lifecycle.gathering import gather
from tasks_app.lifecycle.keeping import save
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import find_broods, find_families, restore_children, set_children
from tasks_app.store.store import Store, get_store
from tests.lifecycle.test_gathering import end, send
from tests.support import jobs
from tests.support.caches import CONTROLLED_CACHES, controls
from tests.support.settings import TASKS_APP
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture(autouse=True)
def brisk() -> Iterator[None]:
    """Have sweeps and looks come soon, with a cache that a test breaks."""
    with override_settings(TASKS_APP=TASKS_APP | {"HEARTBEAT": 0.2, "SWEEP_INTERVAL": 0.1}, CACHES=CONTROLLED_CACHES):
        yield
        controls.reset()


def state(task_id: str) -> str | None:
    try:
        return get_snapshot(task_id).state
    except TaskNotFound:
        return None


def read(task_id: str) -> Snapshot:
    snapshot = get_store().get(task_id)
    assert snapshot is not None
    return snapshot


def wait_for_members(task_id: str, number: int) -> None:
    wait_until(lambda: len(find_families({task_id: number})[task_id].members) == number, "the children are stored")


def test_children_that_could_not_be_stored_are_stored_later(caplog):
    parent = gather("p", "group", expected=2)
    children = [send(parent, "a"), send(parent, "b")]
    controls.refused = "brood"
    parent.close()
    assert "its parts were sent, but can't be shown as one" in caplog.text
    controls.repair()
    end(*children)
    wait_until(lambda: state("p") == "succeeded", "the parent has ended")


def test_process_that_ends_stores_the_children_first():
    parent = gather("p", "group", expected=1)
    send(parent, "a")
    controls.refused = "brood"
    parent.close()
    controls.repair()
    assert get_flusher().drain(DEADLINE)
    assert list(find_families({"p": 1})["p"].members) == ["a"]


def test_parent_that_could_not_be_given_up_is_given_up_later():
    parent = gather("p", "group", expected=3)
    sent = send(parent, "a")
    queue("b", "add", parent="p")
    parent.tell("b", first="b", tasks=[read("b")])
    controls.refused = "task:p"
    parent.give_up(cancels=False)
    controls.repair()
    wait_until(lambda: state("b") == "cancelled", "what was not sent has ended")
    end(sent)
    wait_until(lambda: state("p") == "failed", "the parent has ended")


def test_signs_of_life_are_given_although_the_cache_refuses_the_list(monkeypatch):
    monkeypatch.setattr(Store, "list_as_recent", Mock(side_effect=OSError("no list")))
    gather("p", "group", expected=1)
    wait_until(lambda: (read("p").beat or 0) > 1, "the parent is written again")


def test_own_record_that_the_cache_refuses_is_an_error():
    gather("p", "group", expected=1)
    controls.refused = "task:p"
    with pytest.raises(StoreUnavailable, match="the cache did not store task 'p'"):
        save(read("p"))


def test_parent_whose_cache_is_emptied_ends_with_its_children():
    parent = gather("p", "group", expected=2)
    children = [send(parent, "a"), send(parent, "b")]
    parent.close()
    get_store().cache.clear()
    wait_for_members("p", 2)
    end(*children)
    wait_until(lambda: state("p") == "succeeded", "the parent has ended")


def test_parent_whose_cache_is_emptied_after_a_child_has_ended_ends_with_the_others():
    parent = gather("p", "group", expected=2)
    first, last = send(parent, "a"), send(parent, "b")
    parent.close()
    end(first)
    get_flusher().backlog.terminal_snapshots.forget("a")  # as it is soon after the end
    get_store().cache.clear()
    wait_for_members("p", 2)
    end(last)
    wait_until(lambda: state("p") == "succeeded", "the parent has ended")


def test_cancel_reaches_the_children_after_the_cache_was_emptied():
    parent = gather("p", "group", expected=1)
    send(parent, "a")
    parent.close()
    get_store().cache.clear()
    wait_until(lambda: state("p") is not None, "the parent is stored again")
    cancel("p")
    wait_until(lambda: get_store().find_cancelled(["a"]), "its child is cancelled")


def test_batch_whose_cache_is_emptied_ends_with_its_children(open_gate):
    task_id = start_batch(jobs.wait, [()] * 3)
    get_store().cache.clear()
    wait_for_members(task_id, 3)
    open_gate()
    wait_until(lambda: state(task_id) == "succeeded", "the batch has ended")


def test_child_that_was_added_later_is_stored_again():
    parent = gather("p", "group", expected=1)
    send(parent, "a")
    parent.close()
    with linking(Link("p", 1)) as tell:
        tell("b")
    get_store().cache.clear()
    wait_for_members("p", 2)


def test_children_are_stored_while_others_are_sent(monkeypatch):
    monkeypatch.setattr("tasks_app.lifecycle.roster.WRITE_INTERVAL", 0)
    parent = gather("p", "group", expected=4)
    children = [send(parent, task_id) for task_id in "abcd"]
    assert list(find_families({"p": 4})["p"].members) == ["a", "b", "c", "d"]
    parent.close()
    assert list(find_families({"p": 4})["p"].members) == ["a", "b", "c", "d"]
    end(*children[:3])
    assert state("p") == "running"
    end(children[3])
    assert state("p") == "succeeded"


def test_children_are_stored_while_a_generator_makes_others(monkeypatch):
    monkeypatch.setattr("tasks_app.lifecycle.roster.WRITE_INTERVAL", 0)
    parent = gather("p", "group", expected=0)
    end(send(parent, "a"), send(parent, "b"))
    assert (get_snapshot("p").children["succeeded"], state("p")) == (2, "running")
    parent.close()
    assert state("p") == "succeeded"


def test_children_that_could_not_be_stored_while_others_are_sent_are_stored_at_last(monkeypatch):
    monkeypatch.setattr("tasks_app.lifecycle.roster.WRITE_INTERVAL", 0)
    parent = gather("p", "group", expected=3)
    controls.refused = "children"
    children = [send(parent, task_id) for task_id in "abc"]
    controls.repair()
    parent.close()
    end(*children)
    assert get_snapshot("p").children["succeeded"] == 3
    assert state("p") == "succeeded"


def test_children_of_an_ended_parent_are_kept_no_longer():
    parent = gather("p", "group", expected=1)
    child = send(parent, "a")
    parent.close()
    assert get_flusher().backlog.parents.families
    end(child)
    assert not get_flusher().backlog.parents.families


@pytest.mark.parametrize("stored", [{}, {"c": 1.0}])
def test_only_what_is_lost_of_the_children_is_stored(stored):
    children = {"a": 1.0, "b": 2.0}
    set_children("p", stored)
    for _ in range(2):
        restore_children("p", children)
    assert find_families({"p": 2})["p"].members == stored | children
    assert find_broods(["p"])["p"].total == len(stored | children)


def test_segment_that_was_counted_but_not_stored_is_not_counted_twice():
    set_children("p", {"a": 1.0, "b": 1.0})
    get_store().cache.delete("tasks_app:children:p:0")
    restore_children("p", {"a": 1.0, "b": 1.0})
    assert find_broods(["p"])["p"].total == 2
    wait_for_members("p", 2)
