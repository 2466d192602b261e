"""The write path behind the jobs: batches, signs of life, cancels, and a cache that fails."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest
from django.core.cache.backends.filebased import FileBasedCache
from django.test import override_settings

from tasks_app import flusher as flusher_module
from tasks_app import wakeups
from tasks_app.conf import get_settings
from tasks_app.flusher import MAX_BACKOFF, Flusher
from tasks_app.reporter import Progress
from tasks_app.state import Snapshot
from tasks_app.store import Store, get_store
from tests.doubles import FakeTime, HandFlusher, controlled_cache, recorded_cache
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def flusher(time: FakeTime) -> HandFlusher:
    """A flusher that writes when the test says so."""
    return HandFlusher(time.clock)


@pytest.fixture
def live_flusher(monkeypatch) -> Iterator[Flusher]:
    """A flusher with a thread of its own, which must end by itself when there is nothing left to do."""
    monkeypatch.setattr(flusher_module, "IDLE_SECONDS", 0.05)
    before = set(threading.enumerate())
    flusher = Flusher()
    yield flusher
    for reporter in list(flusher._reporters.values()):
        reporter.succeed()
    flusher._urgent.set()
    wait_until(lambda: not set(threading.enumerate()) - before, "the threads of the flusher ended")


def begin(flusher: Flusher, task_id: str = "t1") -> Progress:
    progress = Progress(Snapshot.queued(task_id, "demo", now=flusher.clock.now()), flusher=flusher)
    progress.begin()
    flusher.add(progress)
    return progress


def read(task_id: str = "t1") -> Snapshot | None:
    return get_store().get(task_id)


# --- what is written, and when ---


def test_begun_task_is_written(flusher):
    begin(flusher)
    assert flusher.flush()
    assert read().state == "running"


def test_report_is_written_at_the_next_flush(flusher):
    progress = begin(flusher)
    flusher.flush()
    progress.update(current=1, total=4, status="Going")
    flusher.flush()
    snapshot = read()
    assert (snapshot.progress, snapshot.status, snapshot.seq) == (25, "Going", 3)


def test_reports_between_two_flushes_are_one_version(flusher):
    progress = begin(flusher)
    flusher.flush()
    for step in range(100):
        progress.update(current=step, total=100)
    flusher.flush()
    assert (read().current, read().seq) == (99, 3)


def test_nothing_new_is_not_written_again(flusher):
    begin(flusher)
    with recorded_cache() as calls:
        flusher.flush()
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]


def test_report_of_the_same_is_not_written_again(flusher):
    progress = begin(flusher)
    progress.update(current=1, total=4)
    with recorded_cache() as calls:
        flusher.flush()
        progress.update(current=1, total=4)
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]


def test_many_tasks_are_written_in_one_round_trip(flusher):
    for number in range(200):
        begin(flusher, f"t{number}")
    with recorded_cache() as calls:
        flusher.flush()
        assert [(method, len(keys)) for method, keys, _ in calls] == [("set_many", 200)]


def test_only_the_tasks_that_changed_are_written(flusher):
    tasks = [begin(flusher, f"t{number}") for number in range(5)]
    with recorded_cache() as calls:
        flusher.flush()
        tasks[3].update(current=1)
        flusher.flush()
        assert calls[-1][1] == ["tasks_app:task:t3"]


def test_last_snapshot_is_written_and_the_task_let_go(flusher):
    progress = begin(flusher)
    progress.succeed({"n": 1})
    assert flusher.find("t1") is progress
    flusher.flush()
    assert (read().state, read().result) == ("succeeded", {"n": 1})
    assert flusher.find("t1") is None


def test_report_after_the_end_changes_nothing(flusher):
    progress = begin(flusher)
    progress.update(current=1, total=4)
    progress.fail_as("ValueError", "no")
    progress.update(current=4, status="Too late")
    flusher.flush()
    assert (read().state, read().progress, read().status) == ("failed", 25, "Failed")


def test_written_tasks_are_published(flusher):
    heard = []
    listener = heard.extend
    wakeups.listen(listener)
    try:
        begin(flusher, "t1")
        begin(flusher, "t2")
        flusher.flush()
    finally:
        wakeups.ignore(listener)
    assert heard == ["t1", "t2"]


def test_unstored_tasks_are_not_published(flusher):
    heard = []
    listener = heard.extend
    wakeups.listen(listener)
    try:
        begin(flusher)
        with controlled_cache("set_many"):
            flusher.flush()
    finally:
        wakeups.ignore(listener)
    assert heard == []


# --- signs of life ---


def test_quiet_task_gives_a_sign_of_life_after_heartbeat(flusher, time):
    begin(flusher)
    flusher.flush()
    before = read()
    time.move(5)
    flusher.flush()
    assert read() == before.beating()


def test_sign_of_life_is_no_public_change(flusher, time):
    begin(flusher)
    flusher.flush()
    before = read()
    time.move(5)
    flusher.flush()
    assert read().to_wire() == before.to_wire()


def test_quiet_task_gives_no_sign_of_life_before_heartbeat(flusher, time):
    begin(flusher)
    flusher.flush()
    before = read()
    time.move(4.99)
    flusher.flush()
    assert read() == before


def test_report_counts_as_a_sign_of_life(flusher, time):
    progress = begin(flusher)
    flusher.flush()
    time.move(4)
    progress.update(current=1)
    flusher.flush()
    beat = read().beat
    time.move(4)
    flusher.flush()
    assert read().beat == beat


def test_queued_task_gives_signs_of_life_too(flusher, time):
    snapshot = Snapshot.queued("t1", "demo", now=time.now)
    get_store().add(snapshot)
    flusher.add(Progress(snapshot, flusher=flusher, is_stored=True))
    flusher.flush()
    assert read().beat is None
    time.move(5)
    flusher.flush()
    assert (read().beat, read().state) == (1, "queued")


# --- rate and eta ---


def test_rate_and_eta_come_from_the_clock(flusher, time):
    progress = begin(flusher)
    for second in range(5):
        progress.update(current=second * 10, total=100)
        flusher.flush()
        time.move(1)
    assert (read().rate, read().eta) == (pytest.approx(10), pytest.approx(6))


def test_rate_is_null_before_a_second_has_passed(flusher, time):
    progress = begin(flusher)
    for step in range(5):
        progress.update(current=step, total=100)
        flusher.flush()
        time.move(0.2)
    assert (read().rate, read().eta) == (None, None)


@pytest.mark.parametrize("values", [(0, 1e308, 1e308), (-1e308, 1e308, 0.5), (1e308, 5e-324, 1)])
def test_absurd_numbers_of_one_task_do_not_stop_the_others(flusher, time, values):
    absurd, other = begin(flusher, "absurd"), begin(flusher, "other")
    for value in values:
        absurd.update(current=value, total=0.5)
        flusher.flush()
        time.move(0.6)
    other.update(status="Still told")
    assert flusher.flush()
    assert read("other").status == "Still told"


# --- a cache that fails ---


def test_failure_of_the_cache_keeps_the_latest_state(flusher):
    progress = begin(flusher)
    with controlled_cache("set_many") as controls:
        progress.update(current=1, total=4)
        assert not flusher.flush()
        progress.update(current=2)
        assert not flusher.flush()
        controls.repair()
        assert flusher.flush()
        assert read().progress == 50


def test_last_snapshot_is_written_when_the_cache_is_back(flusher):
    progress = begin(flusher)
    with controlled_cache("set_many") as controls:
        progress.succeed("done")
        assert not flusher.flush()
        assert flusher.find("t1") is progress
        controls.repair()
        assert flusher.flush()
        assert (read().state, read().result) == ("succeeded", "done")
    assert flusher.find("t1") is None


def test_task_that_came_and_went_during_the_outage_is_written(flusher):
    with controlled_cache("set_many") as controls:
        flusher.flush()
        begin(flusher).succeed()
        flusher.flush()
        controls.repair()
        flusher.flush()
        assert read().state == "succeeded"


def test_failure_of_the_cache_is_logged_with_the_task_and_its_cause(flusher, caplog):
    begin(flusher)
    with controlled_cache("set_many"):
        flusher.flush()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "t1" in record.getMessage()
    assert "set_many failed" in str(record.exc_info[1])


def test_long_outage_is_not_a_thousand_log_lines(flusher, caplog):
    begin(flusher)
    with controlled_cache("set_many"):
        for _ in range(1000):
            flusher.flush()
    assert len(caplog.records) == 10  # 1, 2, 4 … 512


def test_outage_after_a_recovery_is_logged_anew(flusher, caplog):
    progress = begin(flusher)
    with controlled_cache("set_many") as controls:
        for _ in range(2):
            flusher.flush()
        controls.repair()
        flusher.flush()
        caplog.clear()
        controls.break_down("set_many")
        progress.update(current=1)
        flusher.flush()
    assert len(caplog.records) == 1


def test_pause_grows_with_the_failures_and_has_a_limit(flusher):
    pauses = []
    flusher._urgent = SimpleNamespace(wait=pauses.append, clear=lambda: None)
    for failures in (0, 1, 2, 3, 10, 10_000):
        flusher._failures = failures
        flusher._pause(0.1)
    assert pauses == [0.1, 0.2, 0.4, 0.8, MAX_BACKOFF, MAX_BACKOFF]


def test_pause_is_never_shorter_than_flush_interval(flusher):
    pauses = []
    flusher._urgent = SimpleNamespace(wait=pauses.append, clear=lambda: None)
    flusher._failures = 3
    flusher._pause(60)
    assert pauses == [60]


# --- cancels ---


def test_cancel_is_found_at_the_sweep(flusher):
    progress, other = begin(flusher, "t1"), begin(flusher, "t2")
    get_store().request_cancel("t1")
    flusher._sweep()
    assert (progress.cancelled, other.cancelled) == (True, False)


def test_sweep_is_one_round_trip_for_all_tasks(flusher):
    for number in range(50):
        begin(flusher, f"t{number}")
    with recorded_cache() as calls:
        flusher._sweep()
        assert [(method, len(keys)) for method, keys, _ in calls] == [("get_many", 50)]


def test_sweep_asks_nothing_about_tasks_that_ended_or_know_it(flusher):
    begin(flusher, "t1").succeed()
    begin(flusher, "t2").request_cancel()
    with recorded_cache() as calls:
        flusher._sweep()
        assert calls == []


def test_sweep_that_fails_is_logged_and_made_up_for(flusher, caplog):
    progress = begin(flusher)
    get_store().request_cancel("t1")
    with controlled_cache("get_many") as controls:
        flusher._sweep()
        assert not progress.cancelled
        controls.repair()
        flusher._sweep()
    assert progress.cancelled
    assert "the cache failed" in caplog.text


def test_chores_are_done_at_the_sweep(flusher):
    done = []
    flusher.chores.add(lambda: done.append(1))
    flusher._sweep()
    assert done == [1]


# --- the thread ---


def test_thread_writes_what_is_reported(live_flusher):
    progress = begin(live_flusher)
    progress.update(current=1, total=4)
    wait_until(lambda: read() and read().progress == 25, "the report was written")
    progress.succeed()
    wait_until(lambda: read().state == "succeeded", "the end was written")


def test_thread_ends_when_it_was_idle_and_begins_again(live_flusher):
    begin(live_flusher, "t1").succeed()
    wait_until(lambda: live_flusher._thread is None, "the thread ended")
    begin(live_flusher, "t2").succeed()
    wait_until(lambda: read("t2") is not None, "a new thread wrote the next task")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 30, "SWEEP_INTERVAL": 0.01})
def test_end_does_not_wait_for_flush_interval(live_flusher):
    progress = begin(live_flusher)
    wait_until(read, "the beginning was written")
    progress.succeed()
    wait_until(lambda: read().is_terminal, "the end was written")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 30, "SWEEP_INTERVAL": 0.01})
def test_first_change_after_a_pause_goes_out_at_once(live_flusher):
    swept = threading.Event()
    progress = begin(live_flusher)
    wait_until(read, "the beginning was written")
    live_flusher.chores.add(swept.set)
    live_flusher._urgent.set()  # the pause of 30 s is over
    assert swept.wait(10)
    progress.update(current=1, total=4)
    wait_until(lambda: read().progress == 25, "the first change was written")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.3, "SWEEP_INTERVAL": 10})
def test_changes_are_written_no_faster_than_flush_interval(live_flusher):
    with recorded_cache() as calls:
        began = monotonic()
        progress = begin(live_flusher)
        wait_until(lambda: calls, "the beginning was written")
        for step in range(1000):
            progress.update(current=step)
        wait_until(lambda: read() and read().current == 999, "the last step was written")
        intervals = (monotonic() - began) / 0.3
        assert [method for method, _, _ in calls].count("set_many") <= intervals + 2
        progress.succeed()
        wait_until(lambda: read().is_terminal, "the end was written")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_cancel_of_another_process_reaches_a_quiet_job(live_flusher):
    progress = begin(live_flusher)
    get_store().request_cancel("t1")
    wait_until(lambda: progress.cancelled, "the job was told")


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_track_is_sampled_without_any_other_call(live_flusher):
    progress, go_on = begin(live_flusher), threading.Event()

    def job() -> None:
        for number in progress.track(range(4)):
            if number == 2:
                go_on.wait(10)

    thread = threading.Thread(target=job)
    thread.start()
    try:
        wait_until(lambda: read() and read().progress == 50, "the position was written while the loop runs")
    finally:
        go_on.set()
        thread.join(10)


def test_flusher_waits_for_word_only_when_no_loop_runs(flusher):
    waits = []
    flusher._changed = SimpleNamespace(wait=waits.append, set=lambda: None, clear=lambda: None)
    progress = begin(flusher)
    flusher.flush()
    for _ in progress.track(range(3)):
        flusher._run_once(get_settings())
    assert waits == []
    flusher._run_once(get_settings())  # writes the last step
    assert (waits, read().current) == ([], 3)
    flusher._run_once(get_settings())
    assert len(waits) == 1


@override_settings(TASKS_APP={"FLUSH_INTERVAL": 0.01, "SWEEP_INTERVAL": 0.01})
def test_thread_outlives_an_outage_and_loses_nothing(live_flusher):
    with controlled_cache("set_many", "get_many") as controls:
        tasks = [begin(live_flusher, f"t{number}") for number in range(10)]
        for progress in tasks:
            progress.update(current=1, total=2)
            progress.succeed(progress.task_id)
        wait_until(lambda: live_flusher._failures >= 2, "the cache failed twice")
        controls.repair()
        assert live_flusher.drain(10)
        assert [read(progress.task_id).result for progress in tasks] == [progress.task_id for progress in tasks]


def test_thread_outlives_the_unforeseen(live_flusher, caplog):
    def fail() -> None:
        live_flusher.chores.discard(fail)
        raise ZeroDivisionError("unforeseen")

    live_flusher.chores.add(fail)
    progress = begin(live_flusher)
    wait_until(lambda: "the flusher failed" in caplog.text, "the error was logged")
    progress.succeed()
    wait_until(lambda: read() and read().is_terminal, "the task was written all the same")


def test_job_does_not_wait_for_a_cache_that_hangs(live_flusher):
    hangs, go_on = threading.Event(), threading.Event()
    with controlled_cache() as controls:
        original = Store.save

        def hang(self, snapshots):
            hangs.set()
            go_on.wait(10)
            original(self, snapshots)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "save", hang)
            progress = begin(live_flusher)
            assert hangs.wait(10)
            for step in progress.track(range(10_000)):
                progress.update(status=f"Step {step}")
            progress.succeed()
            assert not go_on.is_set()
            go_on.set()
            assert live_flusher.drain(10)
        assert controls.failing == set()


# --- draining ---


def test_drain_waits_for_the_last_snapshots(live_flusher):
    tasks = [begin(live_flusher, f"t{number}") for number in range(10)]
    for progress in tasks:
        progress.succeed()
    assert live_flusher.drain(10)
    assert all(read(progress.task_id).is_terminal for progress in tasks)


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


# --- whole processes ---

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
FILE_CACHE = "django.core.cache.backends.filebased.FileBasedCache"


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
    snapshot = Store(FileBasedCache(str(tmp_path), {})).get(done.stdout.strip())
    assert (snapshot.state, snapshot.task, snapshot.status, snapshot.progress) == ("succeeded", "nightly", "Half", 100)


def test_script_that_fails_writes_its_last_snapshot(tmp_path):
    script = """
        with task_run("nightly") as task:
            print(task.task_id)
            raise ValueError("no")
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    assert done.returncode == 1
    snapshot = Store(FileBasedCache(str(tmp_path), {})).get(done.stdout.strip())
    assert (snapshot.state, snapshot.error["type"]) == ("failed", "ValueError")


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
    done = run_script(script, "tests.doubles.DownCache", tmp_path)
    assert (done.returncode, done.stdout) == (0, "the work is done\n")
    assert "the cache is down" in done.stderr


def test_forked_child_reports_through_a_flusher_of_its_own(tmp_path):
    script = """
        with task_run("parent") as outer:
            child = os.fork()
            if child == 0:
                with task_run("child") as inner:
                    pass
                from tasks_app.flusher import get_flusher
                assert get_flusher().find(outer.task_id) is None
                os._exit(0 if get_flusher().drain(10) else 1)
            _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), outer.task_id)
    """
    done = run_script(script, FILE_CACHE, tmp_path)
    exit_code, task_id = done.stdout.split()
    assert exit_code == "0"
    assert Store(FileBasedCache(str(tmp_path), {})).get(task_id).state == "succeeded"
