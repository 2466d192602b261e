"""`progress.capture()` in a part of a task: the bars that another thread or process of a job makes."""

import io
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from django.test import override_settings

from tasks_app import TaskCancelled, get_snapshot, progress, task_run
from tests.support.doubles import take
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE, wait_until

tqdm_package = pytest.importorskip("tqdm", reason="tqdm of requirements.txt is not installed")
from rich.console import Console  # noqa: E402 - after the skip
from rich.progress import track as rich_track  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tests.support import bar_jobs  # noqa: E402


@pytest.fixture(autouse=True)
def no_monitor(monkeypatch):
    """tqdm's thread, which looks after slow bars, would outlive the test."""
    monkeypatch.setattr(tqdm, "monitor_interval", 0)


@pytest.fixture
def out():
    return io.StringIO()


def see(job):
    snapshot = take(job)
    return snapshot.current, snapshot.total


def test_steps_of_a_bar_show_while_a_thread_is_at_work(job):
    both, seen = threading.Barrier(2, timeout=DEADLINE), []

    def work():
        with progress.capture(quiet=True):
            for _ in tqdm(range(2), desc="Resizing", unit="pictures"):
                both.wait()
                both.wait()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(job.progress.handle().bind(work))
        for _ in range(2):
            both.wait()
            seen.append((*see(job), take(job).unit, take(job).status))
            both.wait()
        future.result(DEADLINE)
    assert seen == [(0, 2, "pictures", "Resizing"), (1, 2, "pictures", "Resizing")]


def test_bars_of_several_parts_add_up(job, out):
    handle = job.progress.handle()
    with handle, progress.capture(), tqdm(total=4, file=out) as one:
        one.update(2)
        with handle, progress.capture(), tqdm(total=6, file=out) as two:
            two.update()
            assert see(job) == (3, 10)


def test_steps_of_a_bar_count_where_a_loop_follows_it(job, out):
    with job.progress.handle(), progress.capture():
        for _ in tqdm(range(5), file=out):
            pass
        for _ in progress.track(range(7)):
            pass
    assert see(job) == (12, 12)


def test_inner_bar_fills_the_share_of_a_step_of_the_part(job, out):
    with job.progress.handle(), progress.capture():
        seen = [[take(job).percent for _ in tqdm(range(2), file=out)] for _ in tqdm(range(2), file=out)]
    assert seen == [[0, 25], [50, 75]]


def test_bar_of_rich_counts_in_a_part(job):
    with job.progress.handle(), progress.capture():
        for number in rich_track(range(2), "Reading", console=Console(file=io.StringIO()), auto_refresh=False):
            assert see(job) == (number, 2)
    assert (see(job), take(job).status) == ((2, 2), "Reading")


def test_bar_in_a_call_of_a_pool_fills_its_step(job):
    half, go = threading.Barrier(2, timeout=DEADLINE), threading.Event()

    def work(item):
        with progress.capture(quiet=True):
            for step in tqdm(range(4)):
                if step == 2:
                    half.wait()
                    go.wait(DEADLINE)

    with ThreadPoolExecutor(1) as pool:
        results = job.progress.map(pool, work, [0], total=2)
        half.wait()
        seen = take(job)
        go.set()
        list(results)
    assert (seen.current, seen.percent) == (0, 25)


def test_description_that_changes_is_the_status(job, out):
    with job.progress.handle(), progress.capture(), tqdm(total=3, desc="Reading", file=out) as bar:
        assert take(job).status == "Reading"
        bar.set_description("Writing")
        assert take(job).status == "Writing"


def test_status_that_the_part_sets_while_a_bar_is_open_stays(job, out):
    with job.progress.handle() as part, progress.capture(), tqdm(total=10, desc="Reading", file=out) as bar:
        part.update(status="Mine")
        bar.set_description("Writing")
        assert take(job).status == "Mine"


def test_total_that_the_part_sets_while_a_bar_is_open_holds(job, out):
    with job.progress.handle() as part, progress.capture(), tqdm(total=10, file=out) as bar:
        bar.update(5)
        assert see(job) == (5, 10)
        part.update(current=1, total=3)
        bar.update(2)
        assert see(job) == (1, 3)


def test_bar_inside_track_of_the_part_fills_its_step(job, out):
    with job.progress.handle() as part, progress.capture():
        for _ in part.track(range(4), status="Importing"):
            list(tqdm(range(2), desc="Reading", file=out))
            assert (take(job).total, take(job).status) == (4, "Importing")
            assert take(job).percent == 25
            break


def test_track_of_the_part_inside_a_bar_fills_its_step(job, out):
    with job.progress.handle() as part, progress.capture():
        seen = [[take(job).percent for _ in part.track(range(2))] for _ in tqdm(range(2), file=out)]
    assert seen == [[0, 25], [50, 75]]


def test_bar_in_a_stage_of_the_part_fills_that_stage(job, out):
    job.progress.stages({"a": 1, "b": 1})
    with job.progress.handle() as part, progress.capture(), part.stage("b"), tqdm(total=4, file=out) as bar:
        bar.update()
        assert [stage.percent for stage in take(job).stages] == [0, 25]


def test_bar_around_a_stage_of_the_part_counts_on_after_it(job, out):
    job.progress.stages({"a": 1})
    with job.progress.handle() as part, progress.capture(), tqdm(total=4, desc="Reading", file=out) as bar:
        with part.stage("a"):
            bar.set_description("Writing")
            bar.update()
        bar.update()
        assert (see(job), take(job).status) == ((2, 4), "Writing")


def test_cancel_stops_a_bar_of_a_part_at_its_next_step(job, out):
    done = []

    def work():
        with progress.capture():
            for number in tqdm(range(10), file=out):
                done.append(number)
                job.request_cancel()
                take(job)

    with pytest.raises(TaskCancelled):
        job.progress.handle().bind(work)()
    assert done == [0]


def test_cancel_stops_a_bar_around_a_stage_of_a_part(job, out):
    job.progress.stages({"a": 1})
    with job.progress.handle() as part, progress.capture(), tqdm(total=4, file=out) as bar:
        with part.stage("a"):
            job.request_cancel()
            take(job)
        with pytest.raises(TaskCancelled):
            bar.update()


def test_bar_goes_on_alone_after_the_capture_in_a_part(job, out):
    with job.progress.handle():
        with progress.capture():
            bar = tqdm(total=10, file=out)
            bar.update(3)
        bar.update(2)
        bar.close()
        assert (see(job), bar.n) == ((3, 10), 5)


def test_bar_outside_of_the_capture_of_a_part_keeps_its_class(job, out):
    with job.progress.handle():
        with progress.capture():
            pass
        assert type(tqdm(file=out)) is tqdm


def test_setting_captures_the_bars_of_parts(out):
    with override_settings(TASKS_APP={"CAPTURE_TQDM": True}), task_run("t") as task:
        with task.handle():
            list(tqdm(range(3), file=out))
        task_id = task.task_id
    assert get_snapshot(task_id).current == 3


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as pool:
        yield pool


def test_steps_of_a_bar_show_while_a_process_is_at_work(job, pool, tmp_path):
    future = pool.submit(job.progress.handle().bind(bar_jobs.show_bar), str(tmp_path / "go"))
    wait_until(lambda: see(job) == (2, 3), "the process has told of two steps")
    assert (take(job).status, take(job).unit) == ("Resizing", "pictures")
    (tmp_path / "go").touch()
    future.result(DEADLINE)
    assert see(job) == (3, 3)


def test_cancel_stops_a_bar_in_a_process(job, pool, tmp_path):
    future = pool.submit(job.progress.handle().bind(bar_jobs.spin_bar), str(tmp_path / "began"))
    wait_until((tmp_path / "began").exists, "the process is at work")
    job.request_cancel()
    with pytest.raises(TaskCancelled):
        future.result(DEADLINE)


def test_setting_of_the_job_captures_the_bars_of_a_process(pool):
    with override_settings(TASKS_APP={"CAPTURE_TQDM": True}), task_run("demo") as task:
        assert pool.submit(task.handle().bind(bar_jobs.is_bar_captured)).result(DEADLINE)


SCRIPT = """
import multiprocessing
from tests.support.bar_jobs import show_bar
if __name__ == "__main__":
    import django, sys
    django.setup()
    from tasks_app import get_snapshot, progress, task_run
    with task_run("demo") as task:
        context = multiprocessing.get_context(sys.argv[1])
        child = context.Process(target=progress.handle().bind(show_bar), args=(__file__,))
        child.start()
        child.join()
    snapshot = get_snapshot(task.task_id)
    print(snapshot.current, snapshot.total, snapshot.status, child.exitcode)
"""


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_bar_counts_however_a_process_is_started(method, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, path, method]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout == "3 3 Resizing 0\n", done.stderr
