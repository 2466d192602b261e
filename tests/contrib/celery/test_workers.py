"""Celery tasks in real workers, of each pool, from their start to their end; their broker is a real Valkey server."""

from collections.abc import Iterator

import pytest
from django.core.cache import caches

from tasks_app import cancel, get_snapshot, start
from tasks_app.store.store import get_store
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site, wait_for, wait_for_end, wait_for_status
from tests.support.servers import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(scope="module", params=["prefork", "threads", pytest.param("solo", marks=pytest.mark.slow)])
def worker(site: CelerySite, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A worker that runs two tasks at once, or one in the solo pool."""
    with site.run_worker(f"--pool={request.param}", "--concurrency=2") as worker:
        yield worker


pytestmark = pytest.mark.usefixtures("worker")


def test_progress_is_seen_and_then_the_result(site: CelerySite):
    task_id = start(jobs.count, 4, wait=True)
    running = wait_for_status(task_id, "Waiting")
    assert (running.task, running.state, running.progress) == ("tests.support.celery_app.count", "running", 25)
    site.say(task_id)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.progress, ended.attempt, ended.unit) == ("succeeded", 100, 1, "steps")
    assert ended.result == {"counted": 4}


def test_task_that_user_code_sends_is_tracked():
    task_id = jobs.add.delay(1, b=2).id
    ended = wait_for_end(task_id)
    assert (ended.task, ended.state, ended.result, ended.owner) == (
        "tests.support.celery_app.add",
        "succeeded",
        3,
        None,
    )


def test_result_that_celery_ignores_is_shown():
    assert wait_for_end(jobs.add_silently.delay(1).id).result == 2


def test_failure_is_shown_without_its_message():
    ended = wait_for_end(start(jobs.fail, "a secret"))
    assert (ended.state, ended.status, ended.progress) == ("failed", "Failed", 37)
    assert ended.error == {"type": "Exception", "message": "The task failed."}


def test_retry_keeps_the_id_and_counts_attempts(site: CelerySite):
    task_id = start(jobs.retry, 2, owner=7)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.attempt, ended.result, ended.owner) == ("succeeded", 3, 2, "7")
    assert ended.meta == {"attempt0": True, "attempt1": True, "attempt2": True}


def test_task_that_waits_for_its_retry_is_queued_and_keeps_its_progress():
    task_id = start(jobs.retry, 1, countdown=3600)
    waiting = wait_for(task_id, lambda snapshot: snapshot.state == "queued" and snapshot.attempt == 1)
    assert (waiting.status, waiting.progress, waiting.beat) == ("Queued", 10, None)
    cancel(task_id)
    assert get_snapshot(task_id).state == "cancelled"


def test_owner_reaches_the_worker_that_finds_no_snapshot(site: CelerySite):
    blocker = [start(jobs.ignore_cancel) for _ in range(2)]
    task_id = start(jobs.add, 1, owner=7)
    caches["default"].clear()
    for blocking in blocker:
        site.say(blocking)
    wait_until(lambda: get_store().get(task_id), "the worker has made the snapshot anew")
    wait_for_end(task_id)
    assert (get_snapshot(task_id).owner, get_snapshot(task_id).task) == ("7", "tests.support.celery_app.add")
    assert get_snapshot(task_id).attempt == 1


def test_ignored_task_is_over_without_a_result():
    ended = wait_for_end(start(jobs.ignore))
    assert (ended.state, ended.status, ended.cancel_requested) == ("cancelled", "Ended without a result", False)
    assert ended.progress == 50


def test_rejected_task_failed():
    ended = wait_for_end(start(jobs.reject, requeue=False))
    assert (ended.state, ended.error) == ("failed", {"type": "Exception", "message": "The task failed."})


def test_task_that_is_rejected_and_requeued_is_begun_anew(site: CelerySite):
    task_id = start(jobs.reject, requeue=True)
    site.say(task_id, "again")
    site.say(task_id)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.attempt, ended.result) == ("succeeded", 2, "done")


def test_task_run_inside_another_leaves_progress_to_the_outer_one():
    ended = wait_for_end(start(jobs.apply_another))
    inner_id, result = ended.result
    assert (ended.state, ended.status, result) == ("succeeded", "After", 2)
    assert wait_for_end(inner_id).result == 2


def test_tasks_that_a_task_starts_have_its_owner_unless_they_are_given_one():
    given, sent = wait_for_end(start(jobs.start_another, owner=5)).result
    assert (wait_for_end(given).owner, wait_for_end(sent).owner) == ("7", "5")


@pytest.mark.parametrize(("by", "result"), [("task", 5), ("chain", 5), ("group", [2, 3])])
def test_task_that_replaces_itself_ends_with_what_takes_its_place(by: str, result: object):
    ended = wait_for_end(start(jobs.replace_self, by=by))
    assert (ended.state, ended.result, ended.attempt, ended.task) == (
        "succeeded",
        result,
        2,
        "tests.support.celery_app.replace_self",
    )


def test_task_that_celery_revokes_before_the_worker_gets_it_is_cancelled(site: CelerySite):
    blockers = [start(jobs.ignore_cancel) for _ in range(4)]  # two of them wait, in the worker
    task_id = start(jobs.add, 1)
    jobs.app.control.revoke(task_id)
    for blocker in blockers:
        site.say(blocker)
    assert wait_for_end(task_id).state == "cancelled"


def test_cancel_stops_a_running_task_which_is_not_retried(site: CelerySite):
    task_id = start(jobs.run_until_cancelled)
    wait_for_status(task_id, "Working")
    cancel(task_id)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.attempt, ended.error, ended.cancel_requested) == ("cancelled", 1, None, True)
    wait_until(lambda: (site.read_result(task_id) or {}).get("status") == "REVOKED", "Celery knows it, too")


def test_cancel_of_what_waits_is_shown_at_once_and_never_runs(site: CelerySite, worker: Server):
    blockers = [start(jobs.ignore_cancel) for _ in range(4)]  # two of them wait, in the worker and in the broker
    task_id = start(jobs.run_until_cancelled)
    cancel(task_id)
    assert get_snapshot(task_id).state == "cancelled"
    for blocker in blockers:
        site.say(blocker)
        wait_for_end(blocker)
    wait_until(
        lambda: any(task_id in line and ("Discarding" in line or "ignored" in line) for line in worker.output),
        "the worker has dropped the task",
    )
    wait_until(lambda: site.is_acknowledged(task_id), "no later worker gets the task")
    assert (get_snapshot(task_id).state, get_snapshot(task_id).attempt) == ("cancelled", 0)
