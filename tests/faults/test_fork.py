"""A process that was forked from one with running tasks runs tasks of its own."""

import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tasks_app import wakeups
from tasks_app.streaming import polling
from tasks_app.wakeups import local
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

SCRIPT = """
import os, django
django.setup()
from tasks_app import get_snapshot
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.waiting import wait_until

def run() -> bool:
    task_id = jobs.count.enqueue().id
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    return get_snapshot(task_id).state == "succeeded"

assert run()
store = get_store()
child = os.fork()
if child == 0:
    os._exit(0 if run() and get_store() is not store else 1)  # two processes must not share a connection
assert os.waitpid(child, 0)[1] == 0
assert run()
"""


def test_tasks_run_in_a_forked_process_as_they_did_in_its_parent():
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=env, cwd=ROOT, check=True, timeout=DEADLINE)


@pytest.mark.parametrize("get", [local.get_listeners, polling.get_observer], ids=["wakeups", "observer"])
def test_process_that_is_forked_while_a_lock_is_held_can_take_it(get: Callable[[], Any]):
    context = multiprocessing.get_context("fork")
    with get()._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what this is about
        child = context.Process(target=_look_and_listen)
        child.start()
    child.join(DEADLINE)
    if is_stuck := child.is_alive():
        child.kill()
        child.join()
    assert not is_stuck


def _look_and_listen() -> None:
    wakeups.listen(print)
    polling._look("t1", None)
