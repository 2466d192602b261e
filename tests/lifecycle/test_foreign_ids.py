"""A parent that was told the id of somebody else's task: that is no child of it, whatever is known of the task."""

import pytest

from tasks_app import cancel, get_snapshot
from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State
from tasks_app.store.families import add_children
from tasks_app.store.store import get_store
from tasks_app.streaming.polling import observe_children
from tests.support.viewers import NOW, put_silently

#: The parent of the other task: none, or one that has kept a note of its end.
PARENTS = [None, "others"]


def put_foreign(parent: str | None) -> Snapshot:
    """Store the running task of somebody else, and return it."""
    put_silently(foreign := Snapshot.queued("report-7", "report", now=NOW, owner="7", parent=parent).begun(now=NOW))
    return foreign


def tell_foreign() -> None:
    """Store a parent of another owner that was told the id."""
    own = Snapshot.queued("p", "group", now=NOW, owner="8", runner=BATCH)
    put_silently(expect_children(own, 1, now=NOW))
    add_children("p", {"report-7": 1})


@pytest.mark.parametrize("parent", PARENTS)
def test_end_of_a_foreign_task_is_counted_as_queued(parent: str | None):
    put_silently(put_foreign(parent).succeeded("for 7 alone", now=NOW))
    tell_foreign()
    found = get_snapshot("p")
    assert (found.state, found.children["queued"]) == ("queued", 1)


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("states", [set(State), {State.QUEUED}, {State.SUCCEEDED}], ids=["all", "queued", "succeeded"])
def test_foreign_task_is_not_listed_as_a_child(parent: str | None, states: set[State]):
    put_silently(put_foreign(parent).succeeded("for 7 alone", now=NOW))
    tell_foreign()
    assert observe_children("p", states, 10) == ([], 1 if State.QUEUED in states else 0)


@pytest.mark.parametrize("parent", PARENTS)
def test_cancel_does_not_reach_a_foreign_task(parent: str | None):
    put_foreign(parent)
    tell_foreign()
    cancel("p")
    assert get_store().find_cancelled(["report-7"]) == set()


def test_cancel_reaches_a_child_of_which_nothing_is_known_yet():
    tell_foreign()
    cancel("p")
    assert get_store().find_cancelled(["report-7"]) == {"report-7"}
