"""Parents whose children become known while they are sent."""

import pytest
from django.test import override_settings

from tasks_app import TaskIdTaken, cancel, get_snapshot
from tasks_app.lifecycle.attempts import adopt
from tasks_app.lifecycle.enqueue import queue
from tasks_app.lifecycle.gathering import Gathering, gather
from tasks_app.lifecycle.keeping import NOT_SENT
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.settings import TASKS_APP
from tests.support.waiting import wait_until


def send(parent: Gathering, task_id: str) -> Snapshot:
    """Send a child of a parent."""
    snapshot, _ = queue(task_id, "add", parent=parent.task_id)
    parent.tell(task_id, first=task_id, tasks=[snapshot])
    parent.note_sent(task_id)
    return snapshot


def end(*children: Snapshot) -> None:
    for child in children:
        adopt(child).succeed(None)
    get_flusher().flush()


@pytest.mark.parametrize("expected", [0, 1, 2, 5])
def test_parent_ends_with_the_last_child_once_all_are_told(expected: int):
    parent = gather("p", "group", expected=expected)
    end(send(parent, "a"), send(parent, "b"))
    assert get_snapshot("p").state == "queued"
    parent.close()
    ended = get_snapshot("p")
    assert (ended.state, ended.children["total"]) == ("succeeded", 2)


def test_parent_goes_on_until_the_last_child_has_ended():
    parent = gather("p", "group", expected=2)
    first, last = send(parent, "a"), send(parent, "b")
    parent.close()
    end(first)
    assert (get_snapshot("p").state, get_snapshot("p").progress) == ("running", 50)
    end(last)
    assert get_snapshot("p").state == "succeeded"


def test_parent_that_was_cancelled_while_its_children_are_sent_cancels_them():
    parent = gather("p", "group", expected=1)
    send(parent, "a")
    cancel("p")
    parent.close()
    assert get_store().find_cancelled(["a"]) == {"a"}


def test_parent_that_is_given_up_says_how_much_was_sent_and_ends_the_rest():
    parent = gather("p", "group", expected=3)
    sent = send(parent, "a")
    snapshot, _ = queue("b", "add", parent="p")
    parent.tell("b", first="b", tasks=[snapshot])
    parent.give_up(cancels=False)
    assert get_snapshot("p").status == "Failed: 1 of 3 parts were sent, then it failed"
    wait_until(lambda: get_snapshot("b").is_terminal, "what was not sent has ended")
    assert (get_snapshot("b").state, get_snapshot("b").status) == ("cancelled", NOT_SENT)
    assert get_snapshot("p").state == "running"
    end(sent)
    assert get_snapshot("p").state == "failed"


def test_parent_whose_parts_can_not_be_told_is_given_up():
    with pytest.raises(OSError, match="no cache"), gather("p", "group", expected=2).given_up():
        raise OSError("no cache")
    assert (get_snapshot("p").state, get_snapshot("p").children["total"]) == ("failed", 0)
    assert not get_flusher().backlog.parents.sent


def test_parent_has_the_owner_of_the_one_above():
    above = gather("above", "chain", expected=1)
    gather("p", "group", expected=1, above=above)
    assert (get_snapshot("p").parent, get_snapshot("p").owner) == ("above", above.owner)


@pytest.mark.parametrize("task_id", ["taken", "no id"])
def test_parent_needs_an_id_of_its_own(task_id: str):
    queue("taken", "add")
    with pytest.raises((ValueError, TaskIdTaken), match=f"'{task_id}'"):
        gather(task_id, "group", expected=1)


@override_settings(TASKS_APP=TASKS_APP | {"MAX_CHILDREN": 2})
def test_number_of_children_is_limited():
    with pytest.raises(ValueError, match="there are 3 parts; MAX_CHILDREN allows 2"):
        gather("p", "group", expected=3)


@override_settings(TASKS_APP=TASKS_APP | {"MAX_CHILDREN": 2})
def test_number_of_children_that_become_known_later_is_limited(caplog):
    parent = gather("p", "group", expected=1)
    for task_id in "abcd":
        send(parent, task_id)
    parent.close()
    assert (get_snapshot("p").children["total"], caplog.text.count("MAX_CHILDREN allows no more")) == (2, 1)


def test_parent_has_no_children_of_an_earlier_one_whose_end_is_kept_no_longer(monkeypatch):
    monkeypatch.setattr("tasks_app.lifecycle.roster.WRITE_INTERVAL", 0)
    for child in "ab":
        get_store().cache.delete("tasks_app:task:p")
        parent = gather("p", "group", expected=0)
        send(parent, child)
        parent.close()
    assert get_snapshot("p").children["total"] == 1
