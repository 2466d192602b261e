"""Processes that a job starts by spawn or forkserver, and that have no handle of its task."""

import multiprocessing
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tasks_app import task_run
from tests.support import pool_jobs
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

#: What a process is told that has no handle, after its name.
ADVICE = (
    "where it stands for no task and does nothing, but which a process with a task has started; "
    "have threads and processes of a job call progress.handle().bind(function), or use progress.map()"
)


def call_in_child(function, *arguments, method="forkserver"):
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        return pool.submit(function, *arguments).result(DEADLINE)


@pytest.mark.parametrize(("method", "name"), [("spawn", "SpawnProcess"), ("forkserver", "ForkServerProcess")])
def test_process_that_a_job_has_started_is_told_once_how_to_report(method, name):
    with task_run("demo"):
        (heard,) = call_in_child(pool_jobs.hear, 3, method=method)
    assert re.fullmatch(f"progress was called in '{name}-[0-9]+', {re.escape(ADVICE)}", heard)


def test_worker_that_a_server_has_started_is_told_nothing():
    """Those of uvicorn are started by spawn, in a process that runs no task."""
    assert call_in_child(pool_jobs.hear, 1, method="spawn") == []


def test_process_that_is_started_after_the_last_task_is_told_nothing():
    with task_run("demo"):
        pass
    assert call_in_child(pool_jobs.hear, 1) == []


def test_process_of_a_process_of_a_job_is_told_how_to_report():
    with task_run("demo"):
        assert len(call_in_child(pool_jobs.hear_in_child, 1)) == 1


def test_process_of_a_worker_that_runs_a_task_is_told_how_to_report():
    assert len(call_in_child(pool_jobs.hear_in_child_of_a_task, 1)) == 1


SCRIPT = """
import multiprocessing, os, sys, time

def call():
    from tasks_app import progress
    progress.advance()

def start():
    child = multiprocessing.get_context("spawn").Process(target=call)
    child.start()
    child.join()

if __name__ == "__main__":
    import django
    django.setup()
    from tasks_app import task_run
    environment = dict(os.environ)
    if "task" in sys.argv:
        with task_run("demo"):
            start()
            print(dict(os.environ) == environment, flush=True)
            while "die" in sys.argv:
                time.sleep(0.01)
    else:
        start()
"""


class Site:
    """A script that starts children, and the folder of temporary files of all that run it."""

    def __init__(self, folder: Path) -> None:
        self.script, self.temporary = folder / "script.py", folder / "temporary"
        self.script.write_text(SCRIPT)
        self.temporary.mkdir()

    def start(self, *arguments):
        settings = {"DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, self.script, *arguments],
            env={**os.environ, **settings, "TMPDIR": str(self.temporary)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_sign_for_children_leaves_neither_files_nor_variables(site):
    out, errors = site.start("task").communicate(timeout=DEADLINE)
    assert (out, list(site.temporary.iterdir())) == ("True\n", [])
    assert errors == f"progress was called in 'SpawnProcess-1', {ADVICE}\n"


@pytest.mark.slow
def test_process_that_is_killed_in_a_task_leaves_no_sign_for_children_of_others(site):
    with site.start("task", "die") as killed:
        killed.stdout.readline()
        killed.kill()
    assert list(site.temporary.iterdir()) == []
    assert site.start().communicate(timeout=DEADLINE) == ("", "")
