"""Tasks that run in another process, or wait for one, and are given children here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks_app import cancel, get_snapshot, start, start_batch
from tasks_app.store.families import find_families
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.servers import ROOT
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture(autouse=True)
def _shared(url: str, settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    yield
    jobs.gate.set()


class Job:
    """A job in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._input = process, process.stdin
        self.task_id = process.stdout.readline().strip()

    def do(self, **order: Any) -> None:
        self._input.write(json.dumps(order) + "\n")
        self._input.flush()

    def succeed(self) -> None:
        self._input.close()
        self.process.wait()


@contextmanager
def run_job(url: str, *, sweep: float = 0.05) -> Iterator[Job]:
    """Run a job elsewhere, whose process looks every `sweep` seconds for what others tell it."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.shared_settings", "VALKEY_URL": url, "SWEEP_INTERVAL": str(sweep)}
    command = [sys.executable, "-m", "tests.support.worker"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, text=True, **pipes) as process:
        try:
            yield Job(process)
        finally:
            process.kill()


def count(task_id: str, state: str) -> int:
    return (get_snapshot(task_id).children or {}).get(state, 0)


def test_task_that_runs_elsewhere_is_shown_with_the_child_and_ends_with_it(url: str, open_gate):
    with run_job(url) as job:
        child = start(jobs.wait, parent=job.task_id)
        wait_until(lambda: count(job.task_id, "running"), "the child is shown")
        job.do(current=1, total=4)
        wait_until(lambda: get_snapshot(job.task_id).percent == 25, "both are at a quarter")
        job.succeed()
    assert (get_snapshot(job.task_id).state, list(find_families({job.task_id: 1})[job.task_id].members)) == (
        "running",
        [child],
    )
    open_gate()
    wait_until(lambda: get_snapshot(job.task_id).state == "succeeded", "it ends with its child")


def test_task_that_ends_elsewhere_before_its_process_looks_waits_for_the_child(url: str, open_gate):
    with run_job(url, sweep=300) as job:
        start_batch(jobs.wait, [()], parent=job.task_id)
        job.succeed()
    assert (get_snapshot(job.task_id).state, count(job.task_id, "running")) == ("running", 1)
    open_gate()
    wait_until(lambda: get_snapshot(job.task_id).state == "succeeded", "it ends with its child")
    assert count(job.task_id, "succeeded") == 1


def test_end_of_a_task_elsewhere_and_its_child_is_stored_although_nobody_asks(url: str, open_gate):
    with run_job(url) as job:
        start(jobs.wait, parent=job.task_id)
        job.succeed()
    open_gate()
    wait_until(lambda: get_store().get(job.task_id).is_summed, "its end is stored")


def test_cancel_of_a_task_elsewhere_reaches_a_child_of_which_it_does_not_know_yet(url: str):
    with run_job(url, sweep=300) as job:
        child = start(jobs.wait, parent=job.task_id)
        cancel(job.task_id)
        assert get_store().find_cancelled([child]) == {child}


def test_task_that_is_lost_elsewhere_is_shown_with_the_child_that_it_was_given(url: str, settings, open_gate):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.2, "STALLED_AFTER": 0.5, "LOST_AFTER": 1.5}
    with run_job(url, sweep=300) as job:
        job.process.kill()
        job.process.wait()
        start(jobs.wait, parent=job.task_id)
        wait_until(lambda: count(job.task_id, "running"), "the child is shown")
    assert get_snapshot(job.task_id).state == "running"
    open_gate()
    wait_until(lambda: get_snapshot(job.task_id).state == "lost", "it ends with its child")
