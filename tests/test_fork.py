"""A process that was forked from one with running tasks runs tasks of its own."""

import os
import subprocess
import sys

from tests.servers import ROOT

SCRIPT = """
import os, django
django.setup()
from tasks_app import get_snapshot
from tasks_app.store import get_store
from tests import jobs
from tests.waiting import wait_until

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
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=env, cwd=ROOT, check=True, timeout=30)
