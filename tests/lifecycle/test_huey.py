"""Tasks that the consumer of Huey runs: what becomes of them."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping

import pytest

from tasks_app import Snapshot, get_snapshot
from tests.support.queue_jobs import make_env, shared_cache, start_elsewhere
from tests.support.servers import run_command
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("huey") is None, reason="huey is not installed"),
]

#: The consumer, which loads the jobs; in a project it finds them in the `tasks` modules of the apps.
CONSUMER = """
import django; django.setup()
from django.core.management import call_command
from tests.support import huey_jobs
call_command("run_huey", delay=0.05, periodic=False)
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Iterator[Mapping[str, Snapshot]]:
    """The jobs, each started and run to its end."""
    queue = tmp_path_factory.mktemp("huey") / "queue.sqlite3"
    with ValkeyServer() as server:
        url = f"{server.connection_url}/1"
        env = make_env("tests.support.huey_settings", str(queue), url)
        task_ids = start_elsewhere(env, module="tests.support.huey_jobs")
        with run_command([sys.executable, "-c", CONSUMER], env=env), shared_cache(url):
            for task_id in task_ids.values():
                wait_until(lambda task_id=task_id: get_snapshot(task_id).is_terminal, f"{task_ids} ended")
            yield {name: get_snapshot(task_id) for name, task_id in task_ids.items()}


def test_result_is_told(ended):
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


def test_job_of_hueys_own_runs_as_the_task_that_was_announced(ended):
    announced = ended["announced"]
    assert (announced.task, announced.state, announced.status) == ("nightly-import", "succeeded", "Imported")


def test_task_that_huey_holds_until_the_commit_runs(ended):
    assert (ended["on commit"].state, ended["on commit"].result) == ("succeeded", 2)
