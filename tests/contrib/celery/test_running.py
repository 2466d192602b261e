"""What the receivers of Celery's signals do in the process that runs a task, one moment at a time."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from celery import signals
from celery.app.task import Context
from celery.exceptions import Reject
from django.test import override_settings

from tasks_app import Snapshot, cancel, get_snapshot, progress, start, task_run
from tasks_app.contrib.celery import common, dead_workers, publishing, running
from tasks_app.integration import Delivery
from tasks_app.lifecycle import attempts
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.store.store import get_store
from tests.contrib.celery.test_start import NOW
from tests.support import celery_app as jobs
from tests.support.caches import controls
from tests.support.celery_site import followed_celery
from tests.support.doubles import controlled_cache
from tests.support.waiting import wait_until


@pytest.fixture(scope="module", autouse=True)
def _eager() -> Iterator[None]:
    """Celery runs tasks where they are started."""
    jobs.app.conf.task_always_eager = True
    with followed_celery():
        yield
    jobs.app.conf.task_always_eager = False


@pytest.fixture
def peek() -> Iterator[Any]:
    """A task that calls what the test puts into `peek.look`."""
    spy = SimpleNamespace(look=lambda: None)

    @jobs.app.task(name="tests.peek", bind=True)
    def peek(self: Any) -> Any:
        return spy.look()

    spy.task = peek
    yield spy
    jobs.app.tasks.unregister("tests.peek")


def wait_for_end(task_id: str) -> Snapshot:
    wait_until(lambda: get_store().get(task_id) and get_snapshot(task_id).is_terminal, "the task has ended")
    return get_snapshot(task_id)


# --- tasks that are run where they are started ---


def test_eager_task_has_the_owner_and_the_end_that_a_sent_one_has():
    ended = wait_for_end(start(jobs.add, 1, owner=7))
    assert (ended.state, ended.result, ended.owner, ended.attempt) == ("succeeded", 2, "7", 1)


def test_eager_task_of_user_code_is_tracked():
    ended = wait_for_end(jobs.add.delay(1).id)
    assert (ended.task, ended.state, ended.result) == ("tests.support.celery_app.add", "succeeded", 2)


def test_eager_retries_are_attempts_of_one_task():
    ended = wait_for_end(start(jobs.retry, 2))
    assert (ended.state, ended.attempt, ended.result) == ("succeeded", 3, 2)
    assert ended.meta == {"attempt0": True, "attempt1": True, "attempt2": True}


@pytest.mark.parametrize("by", ["task", "chain", "failing-task", "failing-chain", "chain-that-fails-last"])
def test_eager_task_that_replaces_itself_has_the_end_that_celery_gives_it(by):
    result = jobs.replace_self.apply(
        kwargs={"by": by}
    )  # `raise self.replace()` raises no exception where Celery is eager
    ended = wait_for_end(result.id)
    assert (ended.state, ended.error["type"]) == ("failed", "Exception")


def test_eager_task_that_returns_what_replaces_it_has_its_result(peek):
    peek.look = lambda: peek.task.replace(jobs.add.s(2, 3))
    ended = wait_for_end(peek.task.apply().id)
    assert (ended.state, ended.result) == ("succeeded", 5)


def test_eager_task_that_replaces_itself_by_one_that_retries_has_its_result(peek):
    peek.look = lambda: peek.task.replace(jobs.retry.s(2))
    ended = wait_for_end(peek.task.apply().id)
    assert (ended.state, ended.result) == ("succeeded", 2)


def test_eager_failure_that_propagates_is_the_end_of_the_task():
    with pytest.raises(RuntimeError, match="it broke"):
        jobs.fail.apply(task_id="t1", throw=True)
    ended = wait_for_end("t1")
    assert (ended.state, ended.error["type"], ended.progress) == ("failed", "Exception", 37)


def test_task_that_was_started_and_failed_where_it_was_started_is_not_taken_for_unsent():
    jobs.app.conf.task_eager_propagates = True
    try:
        with pytest.raises(RuntimeError):
            start(jobs.fail.s().set(task_id="t1"))
    finally:
        jobs.app.conf.task_eager_propagates = False
    assert wait_for_end("t1").attempt == 1


def test_progress_is_that_of_the_outer_task_when_an_inner_one_has_ended(peek):
    with task_run("outer") as outer:
        peek.look = lambda: repr(progress)
        inner = peek.task.apply()
        assert repr(progress) == f"<progress of task {outer.task_id!r}>"
    assert inner.result == f"<progress of task {inner.id!r}>"
    assert repr(progress) == "<progress outside a task>"


def test_task_that_leaves_the_process_it_is_started_in_has_failed(peek):
    peek.look = sys.exit
    with pytest.raises(SystemExit):
        peek.task.apply(task_id="t1")
    assert wait_for_end("t1").error["type"] == "Exception"
    assert repr(progress) == "<progress outside a task>"


def test_task_that_succeeds_while_its_caller_handles_an_exception_has_succeeded():
    try:
        raise ValueError
    except ValueError:
        task_id = jobs.add.delay(1).id
    assert wait_for_end(task_id).state == "succeeded"


def test_cancelled_task_is_cancelled_whatever_it_would_be_retried_for(peek):
    def look() -> None:
        cancel(peek.task.request.id)
        progress.raise_if_cancelled()

    peek.look = look
    peek.task.apply(task_id="t1")
    ended = wait_for_end("t1")
    assert (ended.state, ended.attempt, ended.error) == ("cancelled", 1, None)


# --- a cancel at the moment that a task begins ---


def test_task_that_was_cancelled_before_it_begins_is_never_shown_as_running(peek):
    seen = []
    peek.look = lambda: seen.append((get_store().get("t1").state, progress.cancelled))
    get_store().add(Snapshot.queued("t1", "peek", now=NOW, runner="celery"))
    get_store().request_cancel("t1")
    peek.task.apply(task_id="t1")
    assert wait_for_end("t1").state == "cancelled"
    assert seen[0][1] is True


def test_task_that_is_cancelled_while_it_begins_ends_as_cancelled_for_all(peek):
    peek.look = lambda: progress.cancelled
    with controlled_cache() as controls:
        get_store().add(Snapshot.queued("t1", "peek", now=NOW, runner="celery"))
        controls.after_read = lambda: cancel("t1")  # when the worker has read that the task is queued
        assert peek.task.apply(task_id="t1").result is True
        wait_until(lambda: find_reporter("t1") is None, "all was written")
        assert get_store().get("t1").state == "cancelled"


def test_running_task_is_stored_before_its_body_begins(peek):
    peek.look = lambda: get_store().get("t1").state
    assert peek.task.apply(task_id="t1").result == "running"


# --- retries ---


def test_retry_is_stored_as_queued_before_its_message_is_sent(peek):
    def look() -> None:
        progress.update(current=3, total=10)
        publishing.on_publish(headers={"id": "t1", "task": "tests.peek", "retries": 1})
        seen.append(get_store().get("t1"))
        progress.update(current=9, total=10)

    seen: list[Snapshot] = []
    peek.look = look
    peek.task.apply(task_id="t1")
    assert (seen[0].state, seen[0].progress, seen[0].attempt) == ("queued", 30, 1)
    assert get_store().get("t1") == seen[0]
    assert find_reporter("t1") is None


def test_attempt_goes_on_from_what_the_one_before_has_not_written_yet():
    with controlled_cache() as controls:
        controls.break_down("set_many")
        ended_at = jobs.retry.apply((1,), task_id="t1")
        assert ended_at.result == 1
        controls.repair()
        ended = wait_for_end("t1")
        assert (ended.state, ended.attempt, ended.meta) == ("succeeded", 2, {"attempt0": True, "attempt1": True})


def test_retry_that_can_not_be_stored_takes_what_is_known_with_it(peek):
    def look() -> None:
        progress.update(current=3, total=10)
        publishing.on_publish(headers=headers)

    headers: dict[str, Any] = {"id": "t1", "task": "tests.peek", "retries": 1}
    peek.look = look
    with controlled_cache("set_many"):
        peek.task.apply(task_id="t1")
    wait_until(lambda: find_reporter("t1") is None, "it is stored after all")
    told = begin_from(headers)
    assert (told.state, told.attempt, told.progress) == ("queued", 1, 30)
    get_store().save([replace(told, seq=told.seq - 1)])
    assert begin_from(headers) == told
    get_store().save([newer := replace(told, seq=told.seq + 1)])
    assert begin_from(headers) == newer


def begin_from(headers: dict[str, Any]) -> Snapshot:
    """Return what a worker that gets this message takes the task to be."""
    return attempts._make_reporter(common.read_header("t1", "tests.peek", Context(headers))).snapshot


def test_message_alone_tells_which_attempt_it_is():
    told = common.read_header("t1", "demo", Context({"retries": 2, "tasks_app": {"task": "a-name", "owner": "7"}}))
    assert (told.task, told.owner, told.begun(now=NOW).attempt, told.runner) == ("a-name", "7", 3, "celery")


def test_retry_that_could_not_be_sent_is_a_failure(peek):
    def look() -> None:
        publishing.on_publish(headers={"id": "t1", "task": "tests.peek", "retries": 1})
        raise Reject("no broker", requeue=False)

    peek.look = look
    peek.task.apply(task_id="t1")
    assert wait_for_end("t1").error["type"] == "Exception"


def test_task_that_has_ended_and_is_then_rejected_keeps_its_end(peek):
    def look() -> None:
        raise Reject("too late", requeue=False)

    peek.look = look
    get_store().request_cancel("t1")
    peek.task.apply(task_id="t1")
    assert wait_for_end("t1").state == "cancelled"


# --- caches that fail ---


def test_task_runs_without_a_cache_and_is_shown_when_it_is_back(caplog):
    with controlled_cache() as controls:
        controls.break_down()
        result = jobs.add.delay(1)
        assert result.result == 2
        controls.repair()
        assert wait_for_end(result.id).state == "succeeded"
    assert f"task {result.id}: its snapshot could not be read; retrying" in caplog.text


def test_child_process_that_ends_waits_for_its_last_snapshot(caplog):
    with controlled_cache("set_many"):
        jobs.add.apply((1,), task_id="t1")
        wait_until(lambda: "the cache failed" in caplog.text, "the cache has failed")
        controls.repair()
        signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
        assert get_store().get("t1").state == "succeeded"


@pytest.mark.parametrize(
    ("receiver", "arguments"),
    [
        (running.on_prerun, {"task_id": "t1", "task": None}),
        (running.on_postrun, {"task_id": "t1"}),
        (publishing.on_publish, {"headers": {"id": "t1", "task": None}}),
        (dead_workers.on_received, {"request": SimpleNamespace(id="t1")}),
    ],
)
def test_receiver_logs_what_it_did_not_foresee(receiver, arguments, caplog):
    receiver(**arguments)
    assert f"task t1: {receiver.__name__} failed" in caplog.text


@override_settings(TASKS_APP={"EXPOSE_ERRORS": False})
def test_message_of_an_exception_is_hidden_where_errors_are_not_exposed():
    ended = wait_for_end(start(jobs.fail, "a secret"))
    assert "a secret" not in ended.to_json()


def test_reporter_that_has_handed_its_job_back_says_nothing_more():
    reporter = get_flusher().make_reporter(Snapshot.queued("t1", "demo", now=NOW).begun(now=NOW))
    reporter.hand_back()
    handed_back = reporter.snapshot
    reporter.progress.update(current=1, total=2)
    reporter.succeed()
    reporter.hand_back()
    assert reporter.take() is handed_back
    assert not reporter.awaits_cancel


def test_owner_and_label_go_along_with_a_message_that_a_worker_sends_anew_after_the_cache_was_emptied():
    snapshot = Snapshot.queued("t1", "a-name", now=NOW, owner="7", label="A")
    headers: dict[str, Any] = {"id": "t1", "task": "demo", "retries": 1, common.HEADER: common.make_header(snapshot)}
    publishing.on_publish(headers=headers)
    assert {"task": "a-name", "owner": "7", "label": "A"}.items() <= headers[common.HEADER].items()
    stored = get_store().get("t1")
    assert (stored.task, stored.owner, stored.label) == ("a-name", "7", "A")


@pytest.mark.parametrize("task_id", ["a b", "a/b", "x" * 129, "é"])
def test_task_with_an_id_that_no_address_can_hold_is_left_alone(task_id):
    jobs.add.apply((1,), task_id=task_id)
    assert find_reporter(task_id) is None
    assert get_store().find_recent() == []


# --- how a message came ---

RANDOM_ID = "1d2a6b1c-5c8e-4f0a-9b7d-3e2f1a0b9c8d"
SENT = {common.HEADER: {"task": "demo", "owner": None}, "is_eager": False}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Delivery.FIRST),
        ({"retries": 1}, None),
        ({"delivery_info": {"redelivered": True}}, Delivery.AGAIN),
        ({"redelivered": True}, Delivery.AGAIN),
        ({"redelivered": True, "retries": 1}, Delivery.AGAIN),
        ({"expires": "2026-01-31T12:00:00+00:00"}, None),
        ({"redelivered": True, "is_eager": True}, None),
        ({"redelivered": True, common.HEADER: None}, None),
        ({common.HEADER: {"task": "demo", "snapshot": "{}"}}, None),
        ({common.HEADER: common.make_header(Snapshot.queued(RANDOM_ID, "demo", now=NOW))}, Delivery.FIRST),
        ({common.HEADER: common.make_header(Snapshot.queued("chosen", "demo", now=NOW))}, None),
        ({common.HEADER: common.make_header(Snapshot.queued(RANDOM_ID, "demo", now=NOW).begun(now=NOW))}, None),
    ],
)
def test_message_tells_how_it_was_delivered(values, expected):
    assert common.find_delivery(Context(SENT | values)) is expected
