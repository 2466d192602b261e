"""Whose requests to cancel a process looks for."""

import pytest

from tasks_app.reporting import asked
from tasks_app.reporting.asked import Asked
from tasks_app.reporting.reporter import Reporter
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.doubles import HandFlusher


@pytest.fixture
def line(time, monkeypatch) -> list[Reporter]:
    """Five tasks that wait, two of which are asked about at a time."""
    monkeypatch.setattr(asked, "IN_TURN", 2)
    queued = [Snapshot.queued(f"t{number}", "demo", now=time.now) for number in range(5)]
    return [HandFlusher(time.clock).make_reporter(snapshot) for snapshot in queued]


def choose(chooser: Asked, reporters: list[Reporter]) -> list[str]:
    """Return the ids of the tasks that are asked about now."""
    return [item.task_id for item in chooser.choose(reporters)]


def test_tasks_that_wait_are_asked_about_in_turns(line):
    chooser = Asked()
    assert [choose(chooser, line) for _ in range(4)] == [["t3", "t4"], ["t1", "t2"], ["t0"], ["t3", "t4"]]


def test_tasks_that_run_are_asked_about_each_time(line):
    for reporter in line[2:]:
        reporter.begin()
    chooser = Asked()
    assert {"t2", "t3", "t4"} <= set(choose(chooser, line)) & set(choose(chooser, line))


def test_task_that_has_ended_is_not_asked_about(line):
    line[0].end_cancelled()
    assert "t0" not in choose(Asked(), line)
