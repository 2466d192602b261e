"""Parents whose sender is killed while it sends them: each ends once those of its children have that are known."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks_app import get_snapshot, task_ended
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.celery_site import CelerySite, run_celery_site, wait_for, wait_for_end
from tests.support.servers import Server, run_command
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

TIMES = {"HEARTBEAT": 0.2, "STALLED_AFTER": 1, "LOST_AFTER": 3}

#: A process that sends three of four tasks, slowly, and then stands still.
SENDER = """
import sys, threading
from itertools import count

import django

django.setup()

from celery import group, signals
from tasks_app import start, start_batch
from tests.support import celery_app as jobs

TASK_ID, sent = sys.argv[1], count(1)


@signals.after_task_publish.connect
def pause(**kwargs):
    if next(sent) < 3:
        threading.Event().wait(0.7)
    else:
        print("sent", flush=True)
        threading.Event().wait()


def generate():
    for number in range(4):
        yield jobs.add.si(number)


"""

SENDERS = {
    "generator": "group(generate()).apply_async(task_id=TASK_ID)",
    "list": "group(list(generate())).apply_async(task_id=TASK_ID)",
    "started": """
import tasks_app.contrib.celery.runner as runner
runner.uuid = lambda: TASK_ID
start(group(generate()))
""",
    "batch": """
import tasks_app.lifecycle.batch as batch
batch.token_hex = lambda size: TASK_ID
start_batch(jobs.add, [(number,) for number in range(4)])
""",
}


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(scope="module", autouse=True)
def _worker(site: CelerySite) -> Iterator[Server]:
    with site.run_worker("--pool=solo", **TIMES) as worker:
        yield worker


@pytest.fixture(autouse=True)
def _times(settings: Any) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, **TIMES}


@contextmanager
def sending(site: CelerySite, code: str, task_id: str) -> Iterator[Server]:
    """Run a process that sends some of a parent and then stands still."""
    env = {**site.env, "TASKS_APP": json.dumps(TIMES)}
    with run_command([sys.executable, "-c", SENDER + code, task_id], env=env) as sender:
        wait_until(lambda: "sent" in "".join(sender.output), f"it has sent some; it printed {sender.output}")
        yield sender


def kill(sender: Server) -> None:
    sender.process.send_signal(signal.SIGKILL)
    sender.process.wait(DEADLINE)


@pytest.fixture
def ended() -> Iterator[list[Snapshot]]:
    """The ends that this process tells of."""
    told: list[Snapshot] = []

    def note(snapshot: Snapshot, **kwargs: Any) -> None:
        told.append(snapshot)

    task_ended.connect(note)
    yield told
    task_ended.disconnect(note)


@pytest.mark.parametrize("kind", SENDERS)
def test_parent_whose_sender_is_killed_is_lost_once_its_children_have_ended(
    site: CelerySite, kind: str, ended: list[Snapshot]
):
    with sending(site, SENDERS[kind], kind) as sender:
        wait_for(kind, lambda snapshot: snapshot.children["succeeded"] >= 2)
        assert get_snapshot(kind).state == "running"
        kill(sender)
        lost = wait_for_end(kind)
    assert (lost.state, lost.status) == ("lost", "Its sender stopped responding before all of it was sent")
    assert lost.children["succeeded"] + lost.children["lost"] == lost.children["total"]
    wait_until(lambda: ended, "its end is told")
    assert [item.task_id for item in ended] == [kind]


def test_parent_lives_as_long_as_its_sender(site: CelerySite):
    task_id = "living"
    with sending(site, SENDERS["generator"], task_id):
        wait_for(task_id, lambda snapshot: snapshot.children["succeeded"] >= 2)
        beats = {get_snapshot(task_id).beat}
        wait_until(lambda: beats.add(get_snapshot(task_id).beat) or len(beats) > 20, "it gives signs of life")
        assert (get_snapshot(task_id).state, get_snapshot(task_id).percent) == ("running", None)
