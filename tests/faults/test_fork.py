"""A process that was forked from one with running tasks runs tasks of its own."""

import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping

import pytest

from tasks_app import wakeups
from tasks_app.snapshot.version import Version
from tasks_app.streaming.polling import get_observer
from tests.support.servers import ROOT
from tests.support.viewers import make_running
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


class SlowListener:
    """A listener that is being added until the test lets it go."""

    def __init__(self, is_held: threading.Event, let_go: threading.Event) -> None:
        self.is_held, self.let_go = is_held, let_go

    def __call__(self, versions: Mapping[str, Version]) -> None:
        pass

    def __hash__(self) -> int:
        self.is_held.set()
        self.let_go.wait(2 * DEADLINE)
        return 1


class SlowText(str):
    """A stored text that is being looked at until the test lets it go."""

    is_held: threading.Event
    let_go: threading.Event

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        self.is_held.set()
        self.let_go.wait(2 * DEADLINE)
        return super().__eq__(other)


def listen_slowly(is_held: threading.Event, let_go: threading.Event) -> None:
    listener = SlowListener(is_held, let_go)
    wakeups.listen(listener)
    wakeups.ignore(listener)


def look_slowly(is_held: threading.Event, let_go: threading.Event) -> None:
    text = SlowText(make_running().to_json())
    text.is_held, text.let_go = is_held, let_go
    look(text)
    get_observer.cache_clear()


def look(text: str | None) -> None:
    get_observer().look("t1", text, max_gap=15, monotonic=0)


@pytest.mark.parametrize("hold", [listen_slowly, look_slowly])
def test_process_that_is_forked_while_a_lock_is_held_can_take_it(hold: Callable[..., None]):
    is_held, let_go = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(is_held, let_go))
    holder.start()
    assert is_held.wait(DEADLINE)
    child = multiprocessing.get_context("fork").Process(target=_look_and_listen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what this is about
        child.start()
    child.join(DEADLINE)
    if is_stuck := child.is_alive():
        child.kill()
        child.join()
    let_go.set()
    holder.join(DEADLINE)
    assert (is_stuck, child.exitcode) == (False, 0)


def _look_and_listen() -> None:
    wakeups.listen(print)
    look(None)
