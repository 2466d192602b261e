"""What a process does that can start no more threads; tests/faults/test_exhaustion.py has one at its real limit."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from tasks_app import get_snapshot, start, task_changed, task_run
from tasks_app.backends import get_executor
from tasks_app.lifecycle import executor as executor_module
from tasks_app.lifecycle.executor import Executor
from tasks_app.lifecycle.late_outcomes import LateOutcomes
from tasks_app.lifecycle.outcome import SUCCESSFUL, Outcome
from tasks_app.reporting import flusher as flusher_module
from tasks_app.reporting.flusher import Flusher
from tasks_app.reporting.signals import SignalSender
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.utils.exhaustion import exhaustion_log
from tasks_app.utils.rarely import Rarely
from tasks_app.utils.threads import LoopThread, ThreadPool
from tasks_app.wakeups import channel_layer
from tests.support import jobs
from tests.support.doubles import begin, read
from tests.support.viewers import NOW
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture
def refused(monkeypatch) -> Iterator[set[str]]:
    """Beginnings of the names of threads that can't be started."""
    refused, original = set(), threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name.startswith(tuple(refused)):
            raise RuntimeError("can't start new thread")
        original(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(exhaustion_log, "_rarely", Rarely())
    yield refused
    refused.clear()


@pytest.fixture
def executor(settings) -> Executor:
    """The executor of an alias that no thread has served yet."""
    settings.TASKS = {"default": {**settings.TASKS["default"], "OPTIONS": {"max_workers": 2, "max_queue": 3}}}
    return get_executor("default", max_workers=2, max_queue=3)


@pytest.mark.parametrize(
    ("thread", "task"),
    [
        ("tasks_app-default-", jobs.add),
        ("tasks_app-default-loop", jobs.greet),
        ("tasks_app-default-loop", jobs.add.using(run_after=timezone.now() + timedelta(hours=1))),
    ],
    ids=["sync", "async", "later"],
)
def test_start_without_a_thread_leaves_nothing(executor, refused, thread, task, monkeypatch):
    refused.add(thread)
    added = []
    monkeypatch.setattr(get_store(), "add", added.append)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start(task, *([1] if task.func is jobs.add.func else []))
    assert (added, executor.is_idle) == ([], True)


def test_start_without_a_flusher_leaves_nothing(executor, refused, monkeypatch):
    flusher = Flusher()
    for module in ("enqueue", "executor"):
        monkeypatch.setattr(f"tasks_app.lifecycle.{module}.get_flusher", lambda: flusher)
    refused.add("tasks_app-flusher")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start(jobs.add, 1)
    assert (executor.is_idle, bool(flusher.backlog), flusher.reporters) == (True, False, [])


def test_call_waits_for_the_threads_that_there_are(refused, caplog):
    pool, gate, done = ThreadPool(2, "tasks_app-pool"), threading.Event(), threading.Event()
    pool.submit("first", partial(_await, gate))
    refused.add("tasks_app-pool")
    pool.submit("second", done.set)
    assert "the calls of 'tasks_app-pool' wait for the threads that it has" in caplog.text
    gate.set()
    assert done.wait(DEADLINE)


def _await(gate: threading.Event) -> None:
    gate.wait(DEADLINE)


def test_call_without_a_thread_is_not_queued(refused):
    pool = ThreadPool(2, "tasks_app-pool")
    refused.add("tasks_app-pool")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.submit("first", lambda: None)
    assert pool.count_waiting() == 0


def test_task_that_loses_its_thread_before_it_is_launched_ends_as_failed(executor, monkeypatch):
    monkeypatch.setattr(ThreadPool, "submit", refuse)
    with pytest.raises(RuntimeError):
        start(jobs.add, 1)
    wait_until(lambda: get_store().find_recent(), "it was stored before")
    (task_id,) = get_store().find_recent()
    wait_until(lambda: get_snapshot(task_id).state == "failed", "it ended")
    assert executor.is_idle


def refuse(*args: object, **kwargs: object) -> None:
    raise RuntimeError("can't start new thread")


def test_task_whose_time_comes_while_there_is_no_thread_begins_later(executor, refused, monkeypatch, caplog):
    monkeypatch.setattr(executor_module, "RETRY_SECONDS", 0.02)
    task_id = start(jobs.add.using(run_after=timezone.now() + timedelta(seconds=0.05)), 1)
    refused.add("tasks_app-default-")
    wait_until(lambda: f"task {task_id} begins later" in caplog.text, "its time came")
    assert get_snapshot(task_id).state == "queued"
    refused.clear()
    wait_until(lambda: get_snapshot(task_id).state == "succeeded", "it ran")


def test_job_goes_on_without_a_flusher_and_is_written_once_there_is_one(refused, monkeypatch, caplog):
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", 0.05)
    flusher = Flusher()
    refused.add("tasks_app-flusher")
    reporter = begin(flusher)
    assert "what its jobs report is written later" in caplog.text
    refused.clear()
    reporter.succeed(1)
    wait_until(lambda: (found := read()) and found.result == 1, "its end was written")


def test_signal_is_sent_once_there_is_a_thread(refused):
    heard: list[str] = []

    def hear(snapshot: Snapshot, **kwargs: object) -> None:
        heard.append(snapshot.task_id)

    sender = SignalSender()
    task_changed.connect(hear)
    try:
        refused.add("tasks_app-signals")
        sender.send(Snapshot.queued("t1", "demo", now=NOW))
        refused.clear()
        sender.send(Snapshot.queued("t2", "demo", now=NOW))
        wait_until(lambda: heard == ["t1", "t2"], "both were sent")
    finally:
        task_changed.disconnect(hear)


def test_wake_ups_go_out_once_there_is_a_thread(refused, monkeypatch):
    sent: list[str] = []
    sender = channel_layer.LayerSender()

    async def send(task_ids: set[str]) -> None:
        sent.extend(sorted(task_ids))

    monkeypatch.setattr(channel_layer, "has_layer", lambda: True)
    monkeypatch.setattr(channel_layer.interest, "find_interest", lambda groups: groups)
    monkeypatch.setattr(sender, "_send", send)
    refused.add("tasks_app-layer")
    sender.send(["t1"])
    refused.clear()
    sender.send(["t2"])
    wait_until(lambda: sent == ["t1", "t2"], "both were sent")
    end(sender._loop)


def test_loop_that_can_not_be_started_is_closed_and_tried_again(refused, monkeypatch):
    thread, made, original = LoopThread("tasks_app-refused"), [], asyncio.new_event_loop
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: made.append(original()) or made[-1])
    refused.add("tasks_app-refused")
    with pytest.raises(RuntimeError, match="can't start new thread"):
        thread.start()
    refused.clear()
    thread.start()
    assert [loop.is_closed() for loop in made] == [True, False]
    end(thread)


def end(thread: LoopThread) -> None:
    thread.loop.call_soon_threadsafe(thread.loop.stop)
    wait_until(lambda: not thread.loop.is_running(), "it stopped")
    thread.loop.close()


def test_end_whose_outcome_can_not_be_asked_for_is_reported_as_known(flusher, refused):
    reporter, late = begin(flusher), LateOutcomes()
    refused.add("tasks_app-outcomes")
    late.add(reporter, None, Outcome(SUCCESSFUL, 42))
    assert reporter.snapshot.result == 42


def test_tracked_code_runs_where_no_thread_can_be_started(refused, monkeypatch):
    flusher = Flusher()
    monkeypatch.setattr("tasks_app.lifecycle.task_run.get_flusher", lambda: flusher)
    refused.add("tasks_app-flusher")
    with task_run("nightly") as progress:
        progress.update(current=1, total=2)
        refused.clear()
    wait_until(lambda: (found := read(progress.task_id)) and found.state == "succeeded", "it was written")
