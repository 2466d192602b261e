"""The thread that writes, and how a process ends with all of it written."""

import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.core.cache.backends.filebased import FileBasedCache
from django.test import override_settings

from tasks_app.reporting import flusher as flusher_module
from tasks_app.reporting import pauses
from tasks_app.reporting.flusher import Flusher
from tasks_app.store.keys import make_history_key, make_task_key
from tasks_app.store.store import Store, get_store
from tasks_app.utils.clock import Clock
from tests.support.doubles import FakeTime, begin, controlled_cache, read, recorded_cache
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent

#: So long that what waits for it fails.
NEVER = 3600

#: Nothing but word of a change, or a loop that runs, has the flusher look.
ONLY_BY_WORD = {
    "FLUSH_INTERVAL": 0.01,
    "SWEEP_INTERVAL": NEVER,
    "HEARTBEAT": NEVER,
    "STALLED_AFTER": 2 * NEVER,
    "LOST_AFTER": 3 * NEVER,
    "QUEUED_LOST_AFTER": 3 * NEVER,
}


class LiveFlusher(Flusher):
    """A flusher with a thread of its own, which counts how often it looks for what is to be written."""

    flushes = 0

    def flush(self) -> bool:
        self.flushes += 1
        return super().flush()


@pytest.fixture
def live_flusher(monkeypatch) -> Iterator[LiveFlusher]:
    """A flusher whose thread must end by itself when there is nothing left to do."""
    yield from run_live(monkeypatch, Clock())


@pytest.fixture
def timeless_flusher(monkeypatch, time: FakeTime) -> Iterator[LiveFlusher]:
    """The same, by a clock that moves only when it is told to."""
    yield from run_live(monkeypatch, time.clock)


def run_live(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[LiveFlusher]:
    before = set(threading.enumerate())
    flusher = LiveFlusher(clock)
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", 0.05)
    yield flusher
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", 0.05)
    for reporter in flusher.reporters:
        reporter.succeed()
    flusher.wake(urgently=True)
    wait_until(lambda: not set(threading.enumerate()) - before, "the threads of the flusher ended")


# --- the thread ---


def test_thread_writes_what_is_reported(live_flusher):
    reporter = begin(live_flusher)
    reporter.progress.update(current=1, total=4)
    wait_until(lambda: read() and read().progress == 25, "the report was written")
    reporter.succeed()
    wait_until(lambda: read().state == "succeeded", "the end was written")


def test_thread_ends_when_it_was_idle_and_begins_again(live_flusher):
    before = set(threading.enumerate())
    begin(live_flusher, "t1").succeed()
    wait_until(lambda: not set(threading.enumerate()) - before, "the thread ended")
    begin(live_flusher, "t2").succeed()
    wait_until(lambda: read("t2") is not None, "a new thread wrote the next task")


def test_thread_lets_go_of_the_connections_that_its_cache_has_opened_in_it(live_flusher, monkeypatch):
    threads: list[str] = []
    monkeypatch.setattr(get_store(), "close_old_connections", lambda: threads.append(threading.current_thread().name))
    begin(live_flusher).succeed()
    wait_until(lambda: threads, "they were looked at")
    assert set(threads) == {"tasks_app-flusher"}


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 14, "SWEEP_INTERVAL": 0.01})
def test_end_does_not_wait_for_flush_interval(live_flusher):
    reporter = begin(live_flusher)
    wait_until(read, "the beginning was written")
    reporter.succeed()
    wait_until(lambda: read().is_terminal, "the end was written")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 14, "SWEEP_INTERVAL": 0.01})
def test_first_change_after_a_pause_goes_out_at_once(timeless_flusher, time):
    swept = threading.Event()
    timeless_flusher.chores.add(swept.set)
    reporter = begin(timeless_flusher)
    assert swept.wait(10), "the beginning was written"
    swept.clear()
    time.move(14)
    assert swept.wait(10), "nothing was to be written since"
    reporter.progress.update(current=1, total=4)
    wait_until(lambda: read().progress == 25, "the first change was written")


def test_short_task_is_written_once_with_its_end(live_flusher, monkeypatch):
    monkeypatch.setattr(pauses, "BEGIN_PAUSE", 10)
    with recorded_cache() as calls:
        begin(live_flusher).succeed()
        wait_until(lambda: read(), "the end was written")
        assert read().state == "succeeded"
        assert count_writes(calls, "t1") == 1


def test_ends_that_are_close_together_share_a_write(live_flusher, monkeypatch):
    monkeypatch.setattr(pauses, "SHORTEST_PAUSE", 0.3)
    first, *others = (begin(live_flusher, f"t{number}") for number in range(3))
    with recorded_cache() as calls, override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.4}):
        first.succeed()
        wait_until(lambda: read("t0"), "the first end was written")
        for reporter in others:
            reporter.succeed()
        wait_until(lambda: read("t1") and read("t2"), "the other ends were written")
        assert any({"t1", "t2"} <= {key.rpartition(":")[2] for key in keys} for _, keys, _ in calls)


def count_writes(calls: list[tuple[str, list[str], Any]], task_id: str) -> int:
    return sum(name == "set_many" and make_task_key(task_id) in keys for name, keys, _ in calls)


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.3, "SWEEP_INTERVAL": 10})
def test_changes_are_written_no_faster_than_flush_interval(live_flusher):
    with recorded_cache() as calls:
        began = monotonic()
        reporter = begin(live_flusher)
        wait_until(lambda: calls, "the beginning was written")
        for step in range(1000):
            reporter.progress.update(current=step)
        wait_until(lambda: read() and read().current == 999, "the last step was written")
        intervals = (monotonic() - began) / 0.3
        assert [method for method, _, _ in calls].count("set_many") <= intervals + 2
        reporter.succeed()
        wait_until(lambda: read().is_terminal, "the end was written")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_cancel_of_another_process_reaches_a_quiet_job(live_flusher):
    reporter = begin(live_flusher)
    get_store().request_cancel("t1")
    wait_until(lambda: reporter.progress.cancelled, "the job was told")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_track_is_sampled_without_any_other_call(live_flusher):
    reporter, go_on = begin(live_flusher), threading.Event()

    def job() -> None:
        for number in reporter.progress.track(range(4)):
            if number == 2:
                go_on.wait(10)

    thread = threading.Thread(target=job)
    thread.start()
    try:
        wait_until(lambda: read() and read().progress == 50, "the position was written while the loop runs")
    finally:
        go_on.set()
        thread.join(10)


@override_settings(TASKS_APP=ONLY_BY_WORD)
def test_flusher_does_not_wait_for_word_while_a_loop_runs(live_flusher, monkeypatch):
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", NEVER)
    reporter = begin(live_flusher)
    for _ in reporter.progress.track(range(3)):
        wait_for_looks(live_flusher)
    wait_until(lambda: read().current == 3, "the last step was written")


def wait_for_looks(flusher: LiveFlusher) -> None:
    before = flusher.flushes
    wait_until(lambda: flusher.flushes > before + 2, "the loop was looked at again and again")


@override_settings(TASKS_APP=ONLY_BY_WORD)
def test_flusher_waits_for_word_when_no_loop_runs(live_flusher, monkeypatch):
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", NEVER)
    begin(live_flusher)
    wait_until(read, "the beginning was written")
    written = live_flusher.flushes
    threading.Event().wait(0.2)
    assert live_flusher.flushes <= written + 1


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_thread_outlives_an_outage_and_loses_nothing(live_flusher, caplog):
    with controlled_cache("set_many", "get_many") as controls:
        tasks = [begin(live_flusher, f"t{number}") for number in range(10)]
        for reporter in tasks:
            reporter.progress.update(current=1, total=2)
            reporter.succeed(reporter.task_id)
        wait_until(lambda: caplog.text.count("the cache failed") >= 2, "the cache failed twice")
        controls.repair()
        assert live_flusher.drain(10)
        assert [read(reporter.task_id).result for reporter in tasks] == [reporter.task_id for reporter in tasks]


class OwnTimeout(BaseException):
    """As that of gevent, which is no Exception."""


@pytest.mark.parametrize("kind", [ZeroDivisionError, OwnTimeout, SystemExit])
def test_thread_outlives_the_unforeseen(live_flusher, caplog, kind):
    def fail() -> None:
        live_flusher.chores.discard(fail)
        raise kind("unforeseen")

    live_flusher.chores.add(fail)
    reporter = begin(live_flusher)
    wait_until(lambda: "unforeseen" in caplog.text, "the error was logged")
    reporter.succeed()
    wait_until(lambda: read() and read().is_terminal, "the task was written all the same")


class FailingHandler(logging.Handler):
    asked = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.asked += 1
        raise RuntimeError("the log can't be written")


def test_thread_outlives_a_log_that_fails(live_flusher):
    handler = FailingHandler()
    logging.getLogger("tasks_app").addHandler(handler)
    try:
        with controlled_cache("set_many") as controls:
            reporter = begin(live_flusher)
            wait_until(lambda: handler.asked > 2, "the cache failed")
            controls.repair()
            reporter.succeed(1)
            wait_until(lambda: (found := read()) and found.state == "succeeded", "the end was stored")
    finally:
        logging.getLogger("tasks_app").removeHandler(handler)


def test_job_does_not_wait_for_a_cache_that_hangs(live_flusher):
    hangs, go_on = threading.Event(), threading.Event()
    with controlled_cache() as controls:
        original = Store.save

        def hang(self, *args):
            hangs.set()
            go_on.wait(10)
            return original(self, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "save", hang)
            reporter = begin(live_flusher)
            assert hangs.wait(10)
            for step in reporter.progress.track(range(10_000)):
                reporter.progress.update(status=f"Step {step}")
            reporter.succeed()
            assert not go_on.is_set()
            go_on.set()
            assert live_flusher.drain(10)
        assert controls.failing == set()


# --- draining ---


def test_drain_waits_for_the_last_snapshots(live_flusher):
    tasks = [begin(live_flusher, f"t{number}") for number in range(10)]
    for reporter in tasks:
        reporter.succeed()
    assert live_flusher.drain(10)
    assert all(read(reporter.task_id).is_terminal for reporter in tasks)


def test_drain_does_not_wait_for_tasks_that_run(live_flusher):
    begin(live_flusher)
    assert live_flusher.drain(10)


def test_drain_without_tasks_returns_at_once(live_flusher):
    assert live_flusher.drain(10)


def test_drain_gives_up_when_the_cache_stays_away(live_flusher):
    with controlled_cache("set_many"):
        begin(live_flusher).succeed()
        assert not live_flusher.drain(0.05)
    wait_until(lambda: live_flusher.find("t1") is None, "the end was written later")


def test_thread_stays_until_the_last_end_was_looked_for(live_flusher, settings, tmp_path):
    settings.CACHES = {"default": {"BACKEND": FILE_CACHE, "LOCATION": str(tmp_path)}}
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 0.05, "HEARTBEAT": 0.3}
    begin(live_flusher).succeed()
    assert live_flusher.drain(10)
    get_store().cache.clear()
    wait_until(lambda: read(), "the end was stored again")


# --- whole processes ---

FILE_CACHE = "django.core.cache.backends.filebased.FileBasedCache"

SETUP = """
    import os, sys, threading
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["tasks_app"],
        USE_TZ=True,
        CACHES={"default": {"BACKEND": sys.argv[1], "LOCATION": sys.argv[2]}},
    )
    django.setup()
    from tasks_app import progress, task_ended, task_run
"""


def run_script(script: str, backend: str, location: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SETUP) + textwrap.dedent(script), backend, str(location)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_script_that_ends_at_once_writes_its_last_snapshot(tmp_path):
    script = """
        with task_run("nightly") as task:
            task.update(current=1, total=2, status="Half")
            print(task.task_id)
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    snapshot = Store(lambda: FileBasedCache(str(tmp_path), {})).get(done.stdout.strip())
    assert (snapshot.state, snapshot.task, snapshot.status, snapshot.progress) == ("succeeded", "nightly", "Half", 100)


def test_script_that_fails_writes_its_last_snapshot(tmp_path):
    script = """
        with task_run("nightly") as task:
            print(task.task_id)
            raise ValueError("no")
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    assert done.returncode == 1
    snapshot = Store(lambda: FileBasedCache(str(tmp_path), {})).get(done.stdout.strip())
    assert (snapshot.state, snapshot.error["type"]) == ("failed", "Exception")


def test_script_that_ends_at_once_sends_task_ended_once(tmp_path):
    script = """
        def tell(snapshot, **kwargs):
            threading.Event().wait(0.3)  # the script would be over by now
            print(snapshot.state, flush=True)
        task_ended.connect(tell)
        with task_run("nightly"):
            pass
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    assert (done.returncode, done.stdout) == (0, "succeeded\n")


def test_script_with_a_broken_cache_ends_and_says_why(tmp_path):
    script = """
        with task_run("nightly") as task:
            for item in progress.track(range(10)):
                pass
        print("the work is done")
    """
    done = run_script(script, "tests.support.doubles.DownCache", tmp_path)
    assert (done.returncode, done.stdout) == (0, "the work is done\n")
    assert "the cache is down" in done.stderr


def test_forked_child_reports_through_a_flusher_of_its_own(tmp_path):
    script = """
        with task_run("parent") as outer:
            child = os.fork()
            if child == 0:
                with task_run("child") as inner:
                    pass
                from tasks_app.reporting import get_flusher
                assert get_flusher().find(outer.task_id) is None
                os._exit(0 if get_flusher().drain(10) else 1)
            _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), outer.task_id)
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    exit_code, task_id = done.stdout.split()
    assert exit_code == "0"
    assert Store(lambda: FileBasedCache(str(tmp_path), {})).get(task_id).state == "succeeded"


def test_script_that_ends_at_once_leaves_how_long_its_runs_took(tmp_path):
    script = """
        for _ in range(3):
            with task_run("nightly"):
                pass
    """
    assert run_script(script, FILE_CACHE, tmp_path).returncode == 0
    assert len(FileBasedCache(str(tmp_path), {}).get(make_history_key("nightly"))) == 3
