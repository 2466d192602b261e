"""The bars that pandas makes by tqdm, in a script that is unchanged but for being run as a task."""

import io

import pytest
from tqdm.auto import tqdm

from tests.support.doubles import take

pandas = pytest.importorskip("pandas", reason="pandas is in no requirements: CI installs it for these tests")


@pytest.fixture(autouse=True)
def no_monitor(monkeypatch):
    """tqdm's thread, which looks after slow bars, would outlive the test."""
    monkeypatch.setattr(tqdm, "monitor_interval", 0)


@pytest.fixture
def table():
    return pandas.DataFrame({"name": ["a", "b", "b", "c"], "amount": [1, 2, 3, 4]})


@pytest.fixture
def seen():
    return []


@pytest.fixture
def look(job, seen):
    """Note where the task is, and return what it was given."""

    def look(value):
        snapshot = take(job)
        seen.append((snapshot.status, snapshot.current, snapshot.total))
        return value

    return look


def test_progress_apply_over_rows_is_shown(job, table, look, seen):
    with job.progress.capture():
        tqdm.pandas(desc="Rows", file=io.StringIO())
        table["amount"].progress_apply(look)
    assert seen == [("Rows", done, 4) for done in range(1, 5)]  # it is counted before the call


def test_progress_apply_over_groups_is_shown(job, table, look, seen):
    with job.progress.capture():
        tqdm.pandas(desc="Groups", file=io.StringIO())
        table.groupby("name").progress_apply(look)
    assert seen[-1][2] == take(job).total == 3
    assert take(job).current == 3


def test_progress_apply_fills_the_step_of_the_loop_around_it(job, table):
    shares = []
    with job.progress.capture():
        tqdm.pandas(file=io.StringIO())
        for _ in tqdm(range(2), file=io.StringIO()):
            table["amount"].progress_apply(lambda value: shares.append(take(job).percent))
    assert shares == [12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100]


def test_bar_that_was_registered_before_the_capture_is_shown(job, table, look, seen):
    tqdm.pandas(desc="Rows", file=io.StringIO())
    with job.progress.capture():
        table["amount"].progress_apply(look)
    assert seen == [("Rows", done, 4) for done in range(1, 5)]  # it is counted before the call
