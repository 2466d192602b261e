"""Tasks that are shown before `task_run` runs them, and the ids that a caller may choose."""

import asyncio
from functools import partial
from threading import Barrier, Thread

import pytest

from tasks_app import (
    StoreUnavailable,
    TaskCancelled,
    TaskIdTaken,
    aannounce,
    acancel,
    announce,
    cancel,
    get_snapshot,
    progress,
    start,
    task_run,
)
from tasks_app.lifecycle import announce as announce_module
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.snapshot.history import History, Run
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.histories import keep_histories
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.doubles import controlled_cache
from tests.support.waiting import DEADLINE, wait_until

BAD_IDS = ["", "a b", "a/b", "ü", "x" * 129, "a\n", ".", "..", "monitor", "tokens", "openapi.json", 5, b"a"]


def run(task_id: str, **options) -> Snapshot:
    """Run a task under this id to its end."""
    with task_run("nightly", task_id=task_id, **options) as task:
        task.update(current=1, total=1)
    return get_snapshot(task_id)


def store(task_id: str, **private) -> Snapshot:
    """Store a queued task of another framework."""
    snapshot = Snapshot.queued(task_id, "other", now=get_flusher().clock.now(), **private)
    get_store().add(snapshot)
    return snapshot


# --- announced ---


def test_announced_task_is_queued_with_its_name_and_owner():
    snapshot = get_snapshot(announce("nightly-import", owner=7))
    assert (snapshot.task, snapshot.state, snapshot.owner, snapshot.attempt) == ("nightly-import", "queued", "7", 0)


def test_announced_task_is_listed():
    task_id = announce("nightly")
    wait_until(lambda: task_id in get_store().find_recent(), "it is listed")


def test_announced_task_runs_under_its_id_and_keeps_its_owner():
    task_id = announce("nightly", owner=7)
    ended = run(task_id)
    assert (ended.state, ended.attempt, ended.owner, ended.seq > 2) == ("succeeded", 1, "7", True)


def test_body_sees_the_progress_of_the_announced_task():
    task_id = announce("nightly")
    with task_run("nightly", task_id=task_id):
        assert progress.task_id == task_id


async def test_announced_task_runs_in_async_code():
    task_id = await aannounce("nightly", task_id="mine")
    async with task_run("nightly", task_id=task_id):
        assert progress.task_id == "mine"
    assert get_snapshot("mine").state == "succeeded"


def test_id_that_was_not_announced_is_begun():
    assert run("mine", owner=7).owner == "7"


# --- cancelled before it began ---


def test_announced_task_is_cancelled_at_once():
    task_id = announce("nightly")
    cancel(task_id)
    assert get_snapshot(task_id).state == "cancelled"


async def test_block_of_a_task_that_was_cancelled_is_not_entered():
    task_id = announce("nightly")
    await acancel(task_id)
    with pytest.raises(TaskCancelled, match="before it began"):
        async with task_run("nightly", task_id=task_id):
            pytest.fail("it was entered")
    assert (get_snapshot(task_id).state, get_snapshot(task_id).attempt) == ("cancelled", 0)


def test_task_that_is_cancelled_while_it_begins_does_not_run():
    task_id = announce("nightly")
    get_store().request_cancel(task_id)
    with pytest.raises(TaskCancelled, match="before it began"):
        run(task_id)
    assert get_snapshot(task_id).state == "cancelled"
    assert progress.task_id == ""


async def test_task_that_begins_as_its_block_is_cancelled_ends():
    announce("nightly", task_id="mine")
    entry = asyncio.ensure_future(task_run("nightly", task_id="mine").__aenter__())
    await asyncio.sleep(0)  # its thread begins the task
    entry.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entry
    ended = partial(wait_until, lambda: get_snapshot("mine").state == "cancelled", "it has ended")
    await asyncio.to_thread(ended)


# --- once more ---


def test_task_that_has_ended_runs_once_more():
    announce("nightly", owner=7, task_id="mine")
    first, second = run("mine"), run("mine")
    assert (second.state, second.attempt, second.owner) == ("succeeded", 2, "7")
    assert second.seq > first.seq


def test_task_that_was_cancelled_while_it_ran_runs_once_more():
    with task_run("nightly", task_id="mine") as task:
        cancel("mine")
        with pytest.raises(TaskCancelled):
            task.raise_if_cancelled()
    assert run("mine").state == "succeeded"


def test_task_that_has_ended_is_announced_once_more():
    first = run("mine", owner=7)
    announce("nightly", owner=7, task_id="mine")
    again = get_snapshot("mine")
    assert (again.state, again.attempt, again.result, again.seq) == ("queued", 1, None, first.seq + 1)
    assert run("mine").attempt == 2


def test_task_that_is_announced_once_more_is_remembered_as_it_was_stored():
    run("mine", owner=7)
    announce("nightly", owner=7, task_id="mine")
    stored = get_store().get("mine")
    get_store().cache.clear()
    assert (get_snapshot("mine").attempt, get_snapshot("mine").seq) == (stored.attempt, stored.seq)


def test_task_whose_process_died_runs_once_more(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.1, "STALLED_AFTER": 0.2, "LOST_AFTER": 60}
    announce("nightly", task_id="mine")
    get_store().save([get_store().get("mine").begun(now=get_flusher().clock.now())])
    wait_until(lambda: get_snapshot("mine").stalled, "it is stalled")
    assert run("mine").attempt == 2


# --- once more, when nothing is known of it any more ---


@pytest.fixture
def short_retention(settings) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 1}


def await_oblivion(task_id: str) -> None:
    wait_until(lambda: get_store().get(task_id) is None, "its end is no longer kept")


def test_cancel_of_a_forgotten_run_does_not_stop_the_next_one(short_retention):
    with task_run("nightly", task_id="mine"):
        cancel("mine")
    await_oblivion("mine")
    assert run("mine").state == "succeeded"


def test_number_of_a_forgotten_attempt_does_not_hide_the_next_run(short_retention):
    run("mine")
    assert run("mine").attempt == 2
    await_oblivion("mine")
    with task_run("nightly", task_id="mine"):
        get_flusher().sweep()
        assert find_reporter("mine") is not None


# --- ids that are taken ---


@pytest.mark.parametrize("again", [lambda: announce("nightly", task_id="mine"), lambda: run("mine")])
def test_id_of_a_task_that_runs_is_refused(again):
    with (
        task_run("nightly", task_id="mine"),
        pytest.raises(TaskIdTaken, match="'mine' exists already, and is running"),
    ):
        again()
    assert get_snapshot("mine").attempt == 1


def test_id_that_is_announced_already_is_refused():
    announce("nightly", task_id="mine")
    with pytest.raises(TaskIdTaken, match="'mine' exists already, and is queued"):
        announce("nightly", task_id="mine")


def test_id_of_a_task_that_waits_for_another_executor_is_refused():
    store("theirs", runner="celery")
    with pytest.raises(TaskIdTaken, match="'theirs' exists already, and is queued"):
        run("theirs")


def test_id_of_a_task_that_waits_in_this_process_is_refused():
    task_id = start(jobs.wait)
    with pytest.raises(TaskIdTaken):
        run(task_id)
    jobs.gate.set()


@pytest.mark.parametrize("owner", [None, 8])
def test_announcement_does_not_take_what_another_owner_has_run(owner):
    run("mine", owner=7)
    with pytest.raises(TaskIdTaken, match="is not of this owner"):
        announce("nightly", owner=owner, task_id="mine")
    assert get_snapshot("mine").state == "succeeded"


def test_run_does_not_take_what_another_owner_has_announced():
    announce("nightly", owner=7, task_id="mine")
    with pytest.raises(TaskIdTaken):
        run("mine", owner=8)


@pytest.mark.parametrize("owner", [None, 7])
def test_run_inside_of_another_task_keeps_the_owner_that_was_announced(owner):
    announce("nightly", owner=owner, task_id="mine")
    with task_run("outer", owner=8):
        assert run("mine").owner == (owner and str(owner))


def test_run_without_an_owner_does_not_take_what_an_executor_has_run_for_one():
    now = get_flusher().clock.now()
    get_store().save([store("theirs", owner="7", runner="celery").begun(now=now).succeeded(now=now)])
    with pytest.raises(TaskIdTaken):
        run("theirs")


def test_two_threads_that_begin_one_task_at_once_do_not_both_run_it(monkeypatch):
    announce("nightly", task_id="mine")
    meeting, entered, refused = Barrier(2), [], []
    find = announce_module._find

    def find_together(task_id: str):
        found = find(task_id)
        meeting.wait(DEADLINE)  # both have read that it waits
        return found

    def run_one() -> None:
        try:
            with task_run("nightly", task_id="mine"):
                entered.append(1)
        except TaskIdTaken as error:
            refused.append(str(error))

    monkeypatch.setattr(announce_module, "_find", find_together)
    threads = [Thread(target=run_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), refused) == (1, ["task 'mine' begins elsewhere at this moment; use another id"])


def test_two_threads_do_not_run_one_task():
    announce("nightly", task_id="mine")
    refused: list[object] = []

    def run_elsewhere() -> None:
        try:
            run("mine")
        except TaskIdTaken as error:
            refused.append(error)

    with task_run("nightly", task_id="mine"):
        thread = Thread(target=run_elsewhere)
        thread.start()
        thread.join()
    assert len(refused) == 1


@pytest.mark.parametrize("task_id", BAD_IDS)
@pytest.mark.parametrize("function", [announce, task_run])
def test_id_that_can_not_be_one_is_named(function, task_id):
    with pytest.raises(ValueError, match="task_id must be 1 to 128 printable ASCII characters") as caught:
        function("nightly", task_id=task_id)
    assert str(caught.value).endswith(f"not {task_id!r}")


# --- a cache that fails ---


def test_announcement_fails_while_the_cache_is_away():
    with controlled_cache() as controls:
        controls.break_down()
        with pytest.raises(StoreUnavailable):
            announce("nightly")


def test_announced_task_runs_while_the_cache_is_away():
    with controlled_cache() as controls:
        announce("nightly", owner=7, task_id="mine")
        controls.break_down()
        with task_run("nightly", task_id="mine"):
            controls.repair()
        assert get_flusher().drain(10)
        assert find_reporter("mine") is None
        ended = get_snapshot("mine")
    assert (ended.state, ended.owner, ended.attempt) == ("succeeded", "7", 1)


def test_announced_task_is_told_how_long_earlier_runs_took():
    keep_histories({"nightly": History((Run(60.0),) * 3)})
    assert get_snapshot(announce("nightly")).expected == 60
