"""The doctor says which processes report, and finds those that do not, by the recent tasks."""

import os
import re
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app import task_run
from tasks_app.doctor.finding import Finding
from tasks_app.doctor.workers import examine_workers
from tasks_app.snapshot import Details, Snapshot
from tasks_app.store.store import get_store
from tasks_app.utils.release import VERSION
from tests.support.doctor import find_figures, find_ids
from tests.support.waiting import wait_until


def keep(snapshot: Snapshot) -> None:
    get_store().save([snapshot])
    get_store().list_as_recent([snapshot])


def keep_running(written_before: float) -> None:
    """Store a task whose process wrote it so many seconds ago, by its own clock."""
    now = timezone.now()
    written_at = now - timedelta(seconds=written_before)
    keep(Snapshot.queued("far", "shop.tasks.send", now=now).begun(now=now).written(now=written_at))


def keep_waiting(seconds: float) -> None:
    keep(Snapshot.queued("waiting", "shop.tasks.send", now=timezone.now() - timedelta(seconds=seconds)))


def test_process_that_has_reported_is_named():
    with task_run("nightly"):
        pass
    wait_until(
        lambda: f"version {VERSION}" in find_figures(examine_workers()).get("reported by", ""),
        "its details were stored",
    )


def keep_reported(host: str, process: int, seconds: float) -> None:
    """Store a task that this process has reported, and that has ended so many seconds ago."""
    at = timezone.now() - timedelta(seconds=seconds)
    ended = Snapshot.queued("ended", "shop.tasks.send", now=at).begun(now=at).succeeded(None, now=at)
    get_store().save([ended], details={"ended": [Details.of(ended, host=host, process=process, version="1")]})
    get_store().list_as_recent([ended])


def find_reporters() -> str:
    return str(find_figures(examine_workers())["reported by"])


def test_process_that_has_ended_is_said_to_have():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    keep_reported(socket.gethostname(), process.pid, 1)
    assert find_reporters().endswith(f"({process.pid}, version 1) which has ended")


def test_process_of_another_machine_is_said_to_be_silent():
    keep_reported("far", 1, 240)
    assert re.fullmatch(r"far \(1, version 1\) which last reported 24\d s ago", find_reporters())


@pytest.mark.parametrize(("host", "process"), [("far", 1), (socket.gethostname(), os.getpid())], ids=["far", "here"])
def test_process_that_has_just_reported_has_nothing_beside_its_name(host, process):
    keep_reported(host, process, 1)
    assert find_reporters() == f"{host} ({process}, version 1)"


def test_worker_that_runs_without_this_app_is_named_where_nothing_runs():
    keep_waiting(120)
    (finding,) = [item for item in examine_workers() if isinstance(item, Finding)]
    assert "'tasks_app.contrib.celery'" in finding.cure


@pytest.mark.parametrize(
    ("version", "ids"), [(VERSION, []), ("0.0.1", ["versions-differ"]), (None, ["versions-differ"])]
)
def test_worker_of_another_version_is_found(version, ids):
    now = timezone.now()
    running = Snapshot.queued("far", "shop.tasks.send", now=now).begun(now=now).written(now=now)
    details = Details.of(running, host="worker-3", process=317, version=version)
    get_store().save([running], details={"far": [details]})
    get_store().list_as_recent([running])
    assert find_ids(examine_workers()) == ids


@pytest.mark.parametrize(("written_before", "ids"), [(1, []), (-60, ["clocks-apart"]), (60, ["workers-silent"])])
def test_worker_is_judged_by_when_it_wrote(written_before, ids):
    keep_running(written_before)
    assert find_ids(examine_workers()) == ids


@pytest.mark.parametrize(("seconds", "ids"), [(1, []), (120, ["no-worker"])])
def test_task_that_waits_for_long_while_none_runs_has_no_worker(seconds, ids):
    keep_waiting(seconds)
    assert find_ids(examine_workers()) == ids


def test_task_that_waits_for_long_behind_another_is_fine():
    keep_waiting(120)
    keep_running(0)
    assert find_ids(examine_workers()) == []
