"""Tasks that are started as children of another."""

from contextlib import suppress
from dataclasses import replace
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from tasks_app import (
    StoreUnavailable,
    TaskAlreadyEnded,
    TaskNotFound,
    cancel,
    get_snapshot,
    start,
    start_batch,
    task_ended,
)
from tasks_app.lifecycle.attempts import adopt
from tasks_app.lifecycle.children import Link, link_children, linking
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import find_families
from tasks_app.store.keys import make_left_key
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.jobs import task
from tests.support.viewers import NOW, make_running, put
from tests.support.waiting import wait_until


def find_children(task_id: str) -> list[str]:
    return list(find_families({task_id: 1})[task_id].members)


def wait_for_end(task_id: str) -> None:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task has ended")


def test_start_inside_a_task_makes_a_child(open_gate):
    task_id = start(jobs.start_children, 2)

    def both_wait() -> bool:
        snapshot = get_snapshot(task_id)
        return snapshot.percent == 25 and (snapshot.children or {}).get("running") == 2

    wait_until(both_wait, "both children are at a quarter")
    assert (get_snapshot(task_id).state, get_snapshot(task_id).status) == ("running", "0 of 2 done")
    open_gate()
    wait_for_end(task_id)
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.result) == ("succeeded", find_children(task_id))


def test_task_may_be_started_without_a_parent(open_gate):
    task_id = start(jobs.start_a_stranger)
    wait_for_end(task_id)
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.children, get_snapshot(snapshot.result).parent) == ("succeeded", None, None)
    open_gate()
    wait_for_end(snapshot.result)


@pytest.mark.parametrize("job", [jobs.start_for, jobs.start_batch_for])
@pytest.mark.parametrize("owner", [7, AnonymousUser(), None], ids=["another", "visitor", "nobody"])
def test_task_for_another_user_is_no_child_which_those_who_see_the_parent_would_see(job, owner):
    wait_for_end(task_id := start(job, 8, owner=owner))
    started = get_snapshot(task_id).result
    assert (get_snapshot(started).owner, get_snapshot(started).parent, find_children(task_id)) == ("8", None, [])


def test_task_for_the_same_user_is_a_child():
    wait_for_end(task_id := start(jobs.start_for, 8, owner=8))
    assert find_children(task_id) == [get_snapshot(task_id).result]


def test_child_may_be_added_to_a_batch(open_gate):
    task_id = start_batch(jobs.wait, [()])
    child = start(jobs.add, 1, parent=task_id)
    wait_until(lambda: get_snapshot(task_id).children["succeeded"] == 1, "the child that was added has ended")
    assert find_children(task_id)[1:] == [child]
    open_gate()
    wait_for_end(task_id)
    assert get_snapshot(task_id).children["succeeded"] == 2


def test_child_of_a_batch_has_its_owner(open_gate):
    task_id = start_batch(jobs.wait, [()], owner="7")
    assert get_snapshot(start(jobs.add, 1, parent=task_id)).owner == "7"
    open_gate()
    wait_for_end(task_id)


def test_cancel_of_a_parent_cancels_children_that_it_starts_later():
    task_id = start(jobs.start_until_cancelled)
    wait_until(lambda: get_snapshot(task_id).state == "running", "the task runs")
    cancel(task_id)
    wait_for_end(task_id)
    assert [get_snapshot(child).state for child in find_children(task_id)] == ["cancelled"]


def test_cancel_reaches_children_of_children():
    outer = start_batch(jobs.start_children, [(1,)])
    wait_until(lambda: get_snapshot(outer).children["running"], "the child runs")
    (inner,) = find_children(outer)
    wait_until(lambda: (get_snapshot(inner).children or {}).get("running"), "its child runs")
    cancel(outer)
    wait_for_end(outer)
    assert [get_snapshot(task_id).state for task_id in (outer, inner, *find_children(inner))] == ["cancelled"] * 3


def test_parent_must_be_known():
    with pytest.raises(TaskNotFound, match="no task 'nobody' is known"):
        start(jobs.add, 1, parent="nobody")


def test_parent_must_not_have_ended():
    wait_for_end(task_id := start(jobs.add, 1))
    with pytest.raises(TaskAlreadyEnded):
        start(jobs.add, 1, parent=task_id)


def test_parent_must_not_be_that_of_another_owner(open_gate):
    task_id = start(jobs.wait, owner="7")
    with pytest.raises(ValueError, match="has another owner"):
        start(jobs.add, 1, parent=task_id, owner="8")
    open_gate()
    wait_for_end(task_id)


@pytest.mark.parametrize("owner", ["7", None])
def test_parent_must_not_be_that_of_another_owner_than_the_one_who_is_inherited(owner, open_gate):
    parent = start_batch(jobs.wait, [()], owner=owner)
    wait_for_end(task_id := start(jobs.start_below, parent, owner="8"))
    assert (get_snapshot(task_id).state, len(find_children(parent))) == ("failed", 1)
    open_gate()
    wait_for_end(parent)


@pytest.mark.parametrize(
    "weight",
    [0, -1, "1", True, None, float("nan"), 2**1024],
    ids=["zero", "negative", "text", "bool", "none", "nan", "huge"],
)
def test_weight_must_be_a_number_above_0(weight):
    with pytest.raises(ValueError, match="a weight must be a finite number above 0"):
        start(jobs.add, 1, weight=weight)


def test_number_of_children_is_limited(settings, open_gate):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_CHILDREN": 1}
    task_id = start_batch(jobs.wait, [()])
    with pytest.raises(ValueError, match="has 1 children; MAX_CHILDREN allows 1"):
        start(jobs.add, 1, parent=task_id)
    open_gate()
    wait_for_end(task_id)


def test_circle_ends_all_the_same(open_gate):
    """What links a task to one above it, such as a framework that reuses ids, must not hang who looks at it."""
    task_id = start_batch(jobs.wait, [()])
    (child,) = find_children(task_id)
    link_children(child, {task_id: 1})
    assert get_snapshot(task_id).children["total"] == 1
    cancel(task_id)
    open_gate()


@task
def start_one_after_a_refusal() -> None:
    with suppress(TypeError):
        start(jobs.add, object())
    start(jobs.add, 1)


def test_end_is_told_of_a_parent_whose_first_child_was_refused():
    ended: list[str] = []

    def note(snapshot, **others):
        ended.append(snapshot.task_id)

    task_ended.connect(note)
    task_id = start(start_one_after_a_refusal)
    wait_until(lambda: task_id in ended, "its end is told, though nobody asks about it")


@pytest.fixture
def running_parent():
    reporter = adopt(make_running("p"))
    yield
    reporter.succeed(None)


def link(*, rolls_back: bool = False) -> None:
    with transaction.atomic():
        for child in "cd":
            with linking(Link("p", 1), ["default"]) as tell:
                tell(child)
        transaction.set_rollback(rolls_back)


def count_left() -> int | None:
    return get_store().cache.get(make_left_key("p"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("running_parent")
def test_first_children_of_one_transaction_count_their_parent_once():
    link()
    assert count_left() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("running_parent")
def test_children_of_a_rolled_back_transaction_are_not_waited_for():
    link(rolls_back=True)
    assert not count_left()


@pytest.mark.usefixtures("running_parent")
def test_first_children_that_are_started_at_the_same_moment_count_their_parent_once():
    with linking(Link("p", 1)) as tell, linking(Link("p", 1)) as tell_other:
        tell("c")
        tell_other("d")
    assert count_left() == 3


@pytest.mark.django_db(transaction=True)
def test_parent_ends_whose_child_ended_before_the_hooks_of_its_commit_ran():
    parent, child = (Snapshot.queued(task_id, "add", now=NOW) for task_id in "pc")
    put(expect_children(replace(parent, runner=BATCH), 1, now=NOW))
    with transaction.atomic(), linking(Link("p", 1), ["default"]) as tell:
        tell("c")
        adopt(replace(child, parent="p")).succeed(None)
        get_flusher().flush()
    assert get_store().get("p").state == "succeeded"


@pytest.mark.usefixtures("running_parent")
def test_batch_that_can_not_be_stored_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("tasks_app.lifecycle.roster.set_children", Mock(side_effect=OSError("away")))
    with pytest.raises(StoreUnavailable):
        start_batch(jobs.add, [(1,)], parent="p")
    assert count_left() == 1
