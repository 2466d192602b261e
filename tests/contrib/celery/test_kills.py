"""Celery tasks that end by force: by a time limit, `terminate`, or the death of what runs them."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import chain

from tasks_app import get_snapshot, start
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site, wait_for, wait_for_end, wait_for_status
from tests.support.servers import Server, run_daphne
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

#: A worker with this takes nothing from the queue of the one that all tests of this module share, nor that from its.
OWN = "--queues=own"


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(scope="module")
def prefork(site: CelerySite) -> Iterator[Server]:
    """A worker with two processes."""
    with site.run_worker("--concurrency=2") as worker:
        yield worker


@pytest.mark.usefixtures("prefork")
def test_task_beyond_its_soft_time_limit_failed_for_a_reason_that_viewers_may_know():
    ended = wait_for_end(start(jobs.ignore_cancel.s().set(soft_time_limit=1)))
    assert (ended.state, ended.progress) == ("failed", 50)
    assert ended.error == {
        "type": "SoftTimeLimitExceeded",
        "message": "It took longer than its soft time limit.",
    }


@pytest.mark.usefixtures("prefork")
def test_task_beyond_its_hard_time_limit_failed_for_a_reason_that_viewers_may_know():
    ended = wait_for_end(start(jobs.chatter.s().set(time_limit=1)))
    assert ended.state == "failed"
    assert ended.error == {
        "type": "TimeLimitExceeded",
        "message": "It took longer than its time limit of 1 s.",
    }


@pytest.mark.usefixtures("prefork")
def test_task_that_is_terminated_is_cancelled_and_stays_so(site: CelerySite):
    task_id = start(jobs.chatter)
    wait_for_status(task_id, "Chattering")
    jobs.app.control.revoke(task_id, terminate=True)
    assert wait_for_end(task_id).state == "cancelled"
    assert wait_for_end(start(jobs.add, 1)).result == 2
    assert get_snapshot(task_id).state == "cancelled"


@pytest.mark.usefixtures("prefork")
def test_task_that_expires_before_it_begins_is_cancelled():
    ended = wait_for_end(start(jobs.add.s(1).set(expires=-1)))
    assert (ended.state, ended.status) == ("cancelled", "Expired before it began")


@pytest.mark.usefixtures("prefork")
def test_task_whose_process_is_killed_is_lost(site: CelerySite):
    task_id = start(jobs.die)
    wait_for_status(task_id, "Dying")
    site.say(task_id)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.progress, ended.status) == ("lost", 25, "Dying")


@pytest.mark.usefixtures("prefork")
def test_task_whose_process_is_killed_is_begun_anew_where_it_says_so(site: CelerySite):
    task_id = start(jobs.die_once)
    site.say(task_id, "die")
    again = wait_for(task_id, lambda snapshot: snapshot.attempt == 2)
    assert (again.state, again.task_id) == ("running", task_id)
    site.say(task_id)
    assert wait_for_end(task_id).result == "survived"


@pytest.mark.usefixtures("prefork")
def test_task_that_no_worker_knows_failed():
    @jobs.app.task(name="tests.unknown")
    def unknown() -> None: ...

    ended = wait_for_end(start(unknown))
    assert (ended.state, ended.error) == (
        "failed",
        {"type": "NotRegistered", "message": "The worker does not know this task."},
    )


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_worker_that_is_killed_leaves_a_task_that_stalls_and_is_lost(site: CelerySite, pool: str):
    times = {"HEARTBEAT": 0.2, "STALLED_AFTER": 1, "LOST_AFTER": 2}
    with (
        run_daphne(env={**site.env, "TASKS_APP": json.dumps(times)}) as server,
        site.run_worker(f"--pool={pool}", "--concurrency=1", OWN, **times) as worker,
    ):
        task_id = start(jobs.ignore_cancel.s().set(queue="own"))
        with urllib.request.urlopen(f"{server.url}/task-progress/{task_id}", timeout=DEADLINE) as stream:
            snapshots = read_snapshots(stream)
            next(snapshot for snapshot in snapshots if snapshot["status"] == "Deaf")
            os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait(DEADLINE)
            rest = list(snapshots)
    assert [(item["state"], item["stalled"]) for item in rest] == [
        ("running", True),
        ("lost", False),
        ("lost", False),
    ]


def test_later_step_of_a_chain_is_lost_with_the_one_whose_worker_is_killed(site: CelerySite, settings: Any):
    times = {"HEARTBEAT": 0.2, "STALLED_AFTER": 1, "LOST_AFTER": 2}
    settings.TASKS_APP = {**settings.TASKS_APP, **times}
    with site.run_worker("--pool=solo", "--concurrency=1", OWN, **times) as worker:
        last = chain(jobs.ignore_cancel.si().set(queue="own"), jobs.add.si(1, 2).set(queue="own")).apply_async()
        wait_for_status(last.parent.id, "Deaf")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait(DEADLINE)
    assert wait_for_end(last.parent.id).state == "lost"
    assert wait_for_end(last.id).state == "lost"


def read_snapshots(stream: Any) -> Iterator[dict[str, Any]]:
    """Yield the data of each event of a stream."""
    for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_worker_that_is_told_to_stop_writes_the_last_snapshots(site: CelerySite, pool: str):
    with site.run_worker(f"--pool={pool}", "--concurrency=1", OWN) as worker:
        task_id = start(jobs.ignore_cancel.s().set(queue="own"))
        wait_for_status(task_id, "Deaf")
        worker.process.terminate()
        wait_until(lambda: any("Warm shutdown" in line for line in worker.output), "the worker stops")
        site.say(task_id)
        assert worker.process.wait(DEADLINE) == 0
        assert get_snapshot(task_id).state == "succeeded"


def test_task_that_a_cold_shutdown_kills_is_lost_once_no_message_of_it_is_left(site: CelerySite):
    """Celery says of it that it is retried, although it has sent no message."""
    with site.run_worker("--concurrency=1", OWN, STALLED_AFTER=200, LOST_AFTER=300) as worker:
        # It waits for no server: being killed in the middle of that, it might fail of that first.
        task_id = jobs.wait_for_file.apply_async(("/nowhere",), queue="own").id
        wait_for_status(task_id, "Waiting")
        worker.process.send_signal(signal.SIGQUIT)
        worker.process.wait(DEADLINE)
        assert site.count_messages("own") == 0
        assert wait_for_end(task_id).state == "lost"


def test_task_that_a_cold_shutdown_gives_back_waits_and_is_begun_anew(site: CelerySite, tmp_path: Path):
    with site.run_worker("--concurrency=1", OWN, STALLED_AFTER=200, LOST_AFTER=300) as worker:
        task_id = jobs.wait_for_file_or_anew.apply_async((str(tmp_path / "go"),), queue="own").id
        wait_for_status(task_id, "Waiting")
        worker.process.send_signal(signal.SIGQUIT)
        worker.process.wait(DEADLINE)
    assert site.count_messages("own") == 1
    given_back = get_snapshot(task_id)
    assert (given_back.state, given_back.attempt, given_back.progress) == ("queued", 1, 50)
    (tmp_path / "go").touch()
    with site.run_worker("--concurrency=1", OWN):
        ended = wait_for_end(task_id)
    assert (ended.state, ended.result, ended.attempt) == ("succeeded", "found", 2)
