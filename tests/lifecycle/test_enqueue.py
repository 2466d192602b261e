"""A task is enqueued: whose it is and how it is called, and what becomes of it if that can't be stored."""

from collections.abc import Callable

import pytest
from django.db import transaction

from tasks_app import StoreUnavailable, get_snapshot, start
from tasks_app.lifecycle import compat
from tasks_app.lifecycle.enqueue import queue, starting
from tasks_app.lifecycle.identity import Identity
from tasks_app.reporting.process import get_flusher
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.caches import CONTROLLED_CACHES, controls
from tests.support.doubles import controlled_cache
from tests.support.waiting import wait_until

IMMEDIATE = f"{compat.Task.__module__.removesuffix('.base')}.backends.immediate.ImmediateBackend"


@jobs.task
def enqueue_another() -> str:
    """Enqueue a task on the same backend, and return its id."""
    return str(jobs.add.using(backend="immediate").enqueue(1).id)


@pytest.fixture
def immediate(settings) -> None:
    """Django's own backend, as a second alias."""
    settings.TASKS = {**settings.TASKS, "immediate": {"BACKEND": IMMEDIATE}}


@pytest.mark.usefixtures("immediate")
def test_name_and_owner_are_those_of_the_start():
    with starting(Identity("a-name", "7")):
        result = jobs.add.using(backend="immediate").enqueue(1)
    assert (get_snapshot(result.id).task, get_snapshot(result.id).owner) == ("a-name", "7")


@pytest.mark.usefixtures("immediate")
def test_name_of_a_start_is_not_that_of_the_tasks_that_it_enqueues():
    with starting(Identity("a-name", "7")):
        result = enqueue_another.using(backend="immediate").enqueue()
    inner_id = result.return_value
    assert [get_snapshot(task_id).task for task_id in (inner_id, result.id)] == ["tests.support.jobs.add", "a-name"]


@pytest.mark.usefixtures("immediate")
def test_task_that_another_enqueues_has_its_owner():
    with starting(Identity("a-name", "7")):
        result = enqueue_another.using(backend="immediate").enqueue()
    assert get_snapshot(result.return_value).owner == "7"


@pytest.mark.usefixtures("immediate")
def test_start_says_when_the_first_snapshot_was_not_stored():
    with controlled_cache() as controls:
        controls.break_down("add")
        with pytest.raises(StoreUnavailable, match="could not be stored"):
            start(jobs.add.using(backend="immediate"), 1)


def test_name_and_owner_do_not_stick_to_the_next_task():
    first, second = start(jobs.add, 1, owner=7), jobs.add.enqueue(1).id
    assert get_snapshot(second).owner is None
    for task_id in (first, second):
        wait_until(lambda task_id=task_id: get_snapshot(task_id).is_terminal, "the task ended")


@pytest.mark.parametrize("begin", [lambda: start(jobs.add, 1), lambda: start(jobs.greet)], ids=["sync", "async"])
def test_start_without_cache_raises_and_runs_nothing(settings, begin: Callable[[], str]):
    settings.CACHES = CONTROLLED_CACHES
    controls.reset()
    controls.break_down()
    try:
        with pytest.raises(StoreUnavailable, match="could not be stored"):
            begin()
        assert not get_flusher().reporters
    finally:
        controls.reset()


def test_task_that_other_code_enqueues_in_a_pause_of_the_cache_is_known_after_it():
    with controlled_cache("add") as controls:
        queue("t1", "demo", owner="7")
        controls.repair()
        wait_until(lambda: get_store().get("t1") is not None, "the task is known")
        assert (get_snapshot("t1").state, get_snapshot("t1").owner) == ("queued", "7")


@pytest.mark.django_db(transaction=True)
def test_task_that_is_committed_in_a_pause_of_the_cache_is_known_after_it():
    with controlled_cache("add") as controls:
        with transaction.atomic():
            queue("t1", "demo", database="default")
        controls.repair()
        wait_until(lambda: get_store().get("t1") is not None, "the task is known")
