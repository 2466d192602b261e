"""Tasks that the worker of RQ runs, each in a process that it forks: what becomes of them."""

import importlib.util
from collections.abc import Iterator, Mapping

import pytest

from tasks_app import Snapshot, get_snapshot
from tests.support.db_site import run_python
from tests.support.queue_jobs import make_env, shared_cache, start_elsewhere
from tests.support.valkey import ValkeyServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("django_tasks_rq") is None, reason="django-tasks-rq is not installed"),
]

WORKER = ("-m", "django", "rqworker", "--burst", "--job-class", "django_tasks_rq.Job")


@pytest.fixture(scope="module")
def ended() -> Iterator[Mapping[str, Snapshot]]:
    """The jobs, each started and run to its end."""
    with ValkeyServer() as server:
        url = f"{server.connection_url}/1"
        env = make_env("tests.support.rq_settings", f"{server.connection_url}/0", url)
        task_ids = start_elsewhere(env)
        run_python(*WORKER, env=env)
        with shared_cache(url):
            yield {name: get_snapshot(task_id) for name, task_id in task_ids.items()}


def test_result_is_told_although_rq_stores_it_after_the_signal(ended):
    assert (ended["add"].state, ended["add"].progress, ended["add"].result) == ("succeeded", 100, 2)


def test_task_reports_its_progress(ended):
    assert (ended["count"].current, ended["count"].unit, ended["count"].result) == (4, "steps", {"counted": 4})


def test_task_without_a_result_succeeds(ended):
    assert (ended["nothing"].state, ended["nothing"].result) == ("succeeded", None)


def test_task_that_raises_fails_with_the_type_and_message(ended):
    assert (ended["fail"].state, ended["fail"].progress) == ("failed", 37)
    assert ended["fail"].error == {"type": "RuntimeError", "message": "no file"}


def test_task_that_raises_task_cancelled_is_cancelled(ended):
    assert (ended["stop"].state, ended["stop"].progress) == ("cancelled", 25)


def test_task_that_was_cancelled_while_it_waited_is_cancelled(ended):
    assert (ended["cancelled"].state, ended["cancelled"].cancel_requested) == ("cancelled", True)


def test_each_task_keeps_its_owner(ended):
    assert {snapshot.owner for snapshot in ended.values()} == {"7"}
