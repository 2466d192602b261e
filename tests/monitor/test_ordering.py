"""The order of the monitor's list: what runs on top, or by a column."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks_app.monitor.ordering import COLUMNS, Order
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = {"1": "zoe", "2": "Ana"}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def make(task_id: str, state: State = State.RUNNING, *, task: str = "shop.tasks.work", **fields: Any) -> Snapshot:
    return replace(Snapshot.queued(task_id, task, now=ago(90)), state=state, **fields)


def sort(*snapshots: Snapshot, by: str = "") -> str:
    """Return the ids of the tasks in an order, one letter each."""
    order = Order(column=by.removeprefix("-"), is_descending=by.startswith("-"))
    return "".join(snapshot.task_id for snapshot in order.apply(snapshots, NAMES, now=NOW))


def test_what_runs_stands_above_what_waits_and_that_above_what_has_ended():
    ends = [make(task_id, State(state)) for task_id, state in zip("cde", ("failed", "succeeded", "lost"), strict=True)]
    assert sort(*ends, make("b", State.QUEUED), make("a"), make("s").as_stalled()) == "asbcde"


def test_newest_stays_first_among_those_that_run():
    assert sort(make("b"), make("a"), make("x", State.LOST), make("c")) == "bacx"


@pytest.mark.parametrize(
    ("by", "expected"),
    [("task", "abc"), ("-task", "cba"), ("progress", "bca"), ("owner", "bac"), ("-owner", "abc"), ("state", "bac")],
)
def test_column_is_sorted_by_what_it_shows(by: str, expected: str):
    first = make("a", State.SUCCEEDED, label="archive", progress=100, owner="1")
    second = make("b", task="x.tasks.Build_feed", progress=3, owner="2")
    third = make("c", State.CANCELLED, task="a.tasks.clean_up", progress=50)
    assert sort(first, second, third, by=by) == expected


@pytest.mark.parametrize(
    ("by", "expected"), [("started", "bacq"), ("-started", "cabq"), ("took", "cabq"), ("-took", "bacq")]
)
def test_task_that_has_not_begun_comes_last_by_its_times(by: str, expected: str):
    ended = make("a", State.SUCCEEDED, started_at=ago(30), finished_at=ago(15))
    running = make("b", started_at=ago(40))
    short = make("c", State.FAILED, started_at=ago(20), finished_at=ago(19))
    assert sort(make("q", State.QUEUED), ended, running, short, by=by) == expected


@pytest.mark.parametrize("column", COLUMNS)
def test_equal_tasks_stay_as_they_are_in_both_directions(column: str):
    same = [make(task_id, owner="1", started_at=ago(5)) for task_id in "bac"]
    assert (sort(*same, by=column), sort(*same, by=f"-{column}")) == ("bac", "bac")
