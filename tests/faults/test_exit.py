"""A process that ends right after it sent its tasks, or ended its own: all of it is known and listed."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks_app import get_snapshot
from tasks_app.store.store import get_store
from tests.support.celery_site import CelerySite, run_celery_site
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

SETUP = """
import os, sys, django
django.setup()
from redis import Redis
from tasks_app import task_run
from tests.support import celery_app as jobs
def send():
    print(*[jobs.add.delay(number).id for number in range(20)], flush=True)
def report():
    with task_run("nightly") as progress:
        print(progress.task_id, flush=True)
def pause():
    Redis.from_url(os.environ["VALKEY_URL"]).client_pause(1000)
def fork(function):
    if (child := os.fork()) == 0:
        function()
        os._exit(7)  # as RQ's work horse ends
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


FORKED_FIRST = """
import multiprocessing
def work():
    import django
    django.setup()
    from tasks_app import task_run
    with task_run("nightly") as progress:
        print(progress.task_id, flush=True)
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""


def run(site: CelerySite, script: str, setup: str = SETUP) -> list[str]:
    """Run a script to its end, and return the ids that it prints."""
    env = {**os.environ, **site.env, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", setup + script]
    done = subprocess.run(command, env=env, cwd=ROOT, check=True, timeout=DEADLINE, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "script", ["send()", pytest.param("fork(send)", marks=pytest.mark.slow)], ids=["exit", "os._exit"]
)
def test_tasks_are_listed_though_their_sender_ends_at_once(site: CelerySite, script: str):
    task_ids = run(site, script)
    assert len(task_ids) == 20
    assert set(task_ids) <= set(get_store().find_recent())


def test_end_is_stored_though_its_process_leaves_without_atexit(site: CelerySite):
    (task_id,) = run(site, "fork(report)")
    assert get_snapshot(task_id).state == "succeeded"


@pytest.mark.slow
def test_end_is_stored_though_its_process_was_forked_before_it_loaded_the_app(site: CelerySite):
    """As granian's worker is; before Python 3.13, `multiprocessing` calls nothing at its exit."""
    (task_id,) = run(site, FORKED_FIRST, setup="")
    assert get_snapshot(task_id).state == "succeeded"


@pytest.mark.slow
def test_end_is_stored_in_a_slow_cache_though_its_process_leaves_without_atexit(site: CelerySite):
    (task_id,) = run(site, "fork(lambda: (pause(), report()))")
    assert get_snapshot(task_id).state == "succeeded"
