"""Tasks of `django.tasks` are tracked, however they were enqueued."""

from tasks_app import get_snapshot, start
from tests import jobs
from tests.waiting import wait_until


def test_enqueued_task_is_tracked_without_start():
    task_id = jobs.count.enqueue(n=5).id
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.progress, snapshot.result) == ("succeeded", 100, {"counted": 5})


def test_started_task_belongs_to_its_owner():
    task_id = start(jobs.add, 1, owner=7)
    assert get_snapshot(task_id).owner == "7"
