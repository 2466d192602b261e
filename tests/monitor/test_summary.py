"""What the monitor says of many tasks at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.monitor.summary import (
    CHART_LENGTH,
    CONDITIONS,
    PAGE_SIZE,
    ListPage,
    Selection,
    count_conditions,
    count_failed,
    draw_chart,
    summarize,
)
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)
UNTIL = datetime(2026, 1, 31, 12, 1, tzinfo=UTC)
LAST = CHART_LENGTH - 1

ENDS = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.LOST: "failed",
    State.CANCELLED: "cancelled",
}


def ago(minutes: float) -> datetime:
    """Return a time that lies so many minutes before the end of the chart."""
    return UNTIL - timedelta(minutes=minutes)


def make(state: State = State.RUNNING, task_id: str = "t1", **fields: Any) -> Snapshot:
    """Return a task in this state, with any other fields."""
    return replace(Snapshot.queued(task_id, "shop.tasks.import_rows", now=ago(90)), state=state, **fields)


def find_columns(line: list[int]) -> dict[int, int]:
    """Return the columns in which there is something, by their number."""
    assert len(line) == CHART_LENGTH
    return {number: height for number, height in enumerate(line) if height}


# Counts


def test_nothing_is_counted_of_nothing():
    assert count_conditions([]) == {"all": 0, **dict.fromkeys(CONDITIONS, 0)}


def test_each_task_counts_as_what_it_is():
    counts = count_conditions([make(state) for state in State for _ in range(2)])
    assert counts == {"all": 12, "stalled": 0, **dict.fromkeys(State, 2)}


def test_counts_add_up_since_a_stalled_task_does_not_count_as_running_too():
    counts = count_conditions([make().as_stalled(), make(), make(State.QUEUED).as_stalled()])
    assert (counts.pop("all"), counts["running"], counts["stalled"]) == (3, 1, 2)
    assert sum(counts.values()) == 3


@pytest.mark.parametrize(
    ("state", "minutes", "expected"),
    [
        (State.FAILED, 0, 1),
        (State.LOST, 59, 1),
        (State.FAILED, 61, 0),
        (State.SUCCEEDED, 1, 0),
        (State.CANCELLED, 1, 0),
    ],
)
def test_failures_of_the_last_hour_are_counted(state, minutes, expected):
    snapshot = make(state, finished_at=NOW - timedelta(minutes=minutes))
    assert count_failed([snapshot], since=NOW - timedelta(hours=1)) == expected


# The chart


def test_chart_of_nothing_is_flat():
    chart = draw_chart([], now=NOW)
    assert (chart["step"], chart["until"]) == (60, "2026-01-31T12:01:00.000Z")
    assert [find_columns(chart[line]) for line in ("running", "succeeded", "failed", "cancelled")] == [{}, {}, {}, {}]


def test_chart_stays_the_same_for_a_minute():
    charts = [draw_chart([make(started_at=ago(5))], now=UNTIL - timedelta(seconds=rest)) for rest in (60, 30, 0.001)]
    assert charts[0] == charts[1] == charts[2]
    assert draw_chart([], now=UNTIL)["until"] == "2026-01-31T12:02:00.000Z"


def test_chart_is_that_of_utc_wherever_one_is():
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert draw_chart([make(started_at=ago(5))], now=tokyo) == draw_chart([make(started_at=ago(5))], now=NOW)


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        (0.1, {LAST}),
        (1.0, {LAST}),
        (1.1, {LAST - 1, LAST}),
        (59.9, set(range(CHART_LENGTH))),
        (500, set(range(CHART_LENGTH))),
        (-5, set()),  # the clock of its machine is ahead
    ],
)
def test_task_that_runs_is_in_each_column_since_it_began(started, expected):
    chart = draw_chart([make(started_at=ago(started))], now=NOW)
    assert find_columns(chart["running"]) == dict.fromkeys(expected, 1)


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [
        (3.5, 3.2, {LAST - 3}),
        (3.5, 1.5, {LAST - 3, LAST - 2, LAST - 1}),
        (500, 58.5, {0, 1}),
        (500, 61, set()),
        (2.5, -1, {LAST - 2, LAST - 1, LAST}),
    ],
)
def test_task_that_ended_is_in_each_column_in_which_it_ran(started, finished, expected):
    snapshot = make(State.SUCCEEDED, started_at=ago(started), finished_at=ago(finished))
    assert find_columns(draw_chart([snapshot], now=NOW)["running"]) == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("state", ENDS)
def test_end_is_in_its_column_and_line(state):
    chart = draw_chart([make(state, started_at=ago(9.5), finished_at=ago(2.5))], now=NOW)
    found = {line: find_columns(chart[line]) for line in ("succeeded", "failed", "cancelled")}
    assert found == {line: {LAST - 2: 1} if line == ENDS[state] else {} for line in found}


@pytest.mark.parametrize("minutes", [61, -1])
def test_end_outside_of_the_chart_is_left_out(minutes):
    chart = draw_chart([make(State.FAILED, finished_at=ago(minutes))], now=NOW)
    assert find_columns(chart["failed"]) == {}


def test_task_that_was_cancelled_before_it_began_never_ran():
    chart = draw_chart([make(State.CANCELLED, finished_at=ago(2.5))], now=NOW)
    assert (find_columns(chart["running"]), find_columns(chart["cancelled"])) == ({}, {LAST - 2: 1})


def test_task_that_waits_for_its_next_attempt_does_not_run():
    assert find_columns(draw_chart([make(State.QUEUED, started_at=ago(9))], now=NOW)["running"]) == {}


def test_columns_add_up():
    snapshots = [make(started_at=ago(1.5)), make(State.FAILED, started_at=ago(2.5), finished_at=ago(1.5))]
    assert find_columns(draw_chart(snapshots, now=NOW)["running"]) == {LAST - 2: 1, LAST - 1: 2, LAST: 1}


minutes = st.floats(-10, 80)


@given(st.lists(st.tuples(minutes, minutes), max_size=30))
def test_chart_is_what_one_gets_by_looking_at_each_task_in_each_minute(runs):
    snapshots = [make(State.SUCCEEDED, started_at=ago(max(pair)), finished_at=ago(min(pair))) for pair in runs]
    starts = [UNTIL - timedelta(minutes=CHART_LENGTH - number) for number in range(CHART_LENGTH)]
    expected = [
        sum(item.started_at < start + timedelta(minutes=1) and item.finished_at >= start for item in snapshots)
        for start in starts
    ]
    assert draw_chart(snapshots, now=NOW)["running"] == expected


# The list


def apply(snapshot: Snapshot, owner_names: dict[str, str] | None = None, **narrow: Any) -> bool:
    return Selection(**narrow).apply([snapshot], owner_names or {}) == [snapshot]


def test_nothing_asked_for_is_everything_in_its_order():
    snapshots = [make(task_id=task_id) for task_id in ("t2", "t3", "t1")]
    assert Selection().apply(snapshots, {}) == snapshots


@pytest.mark.parametrize("state", State)
def test_state_selects_those_in_it(state):
    found = Selection(conditions=frozenset({state})).apply([make(each) for each in State], {})
    assert [item.state for item in found] == [state]


def test_states_add_up():
    found = Selection(conditions=frozenset({"failed", "lost"})).apply([make(each) for each in State], {})
    assert {item.state for item in found} == {"failed", "lost"}


@pytest.mark.parametrize(("condition", "expected"), [("stalled", True), ("running", False), ("queued", False)])
def test_stalled_task_is_found_as_that_alone(condition, expected):
    assert apply(make().as_stalled(), conditions=frozenset({condition})) is expected


def test_task_that_lives_is_not_found_as_stalled():
    assert not apply(make(), conditions=frozenset({"stalled"}))


@pytest.mark.parametrize(("name", "expected"), [("shop.tasks.import_rows", True), ("shop.tasks.import", False)])
def test_name_selects_those_that_are_called_so(name, expected):
    assert apply(make(), task=name) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import_rows", True),
        ("IMPORT", True),
        ("Import rows", True),
        ("shop.tasks", True),
        ("8C1F", True),
        ("ana", True),
        ("STRASSE", True),
        ("42", True),
        ("nobody", False),
        ("rows 8c1f", False),
        ("\x00", False),
    ],
)
def test_text_is_looked_for_in_name_id_and_owner(text, expected):
    snapshot = make(task_id="8c1f", owner="421")
    assert apply(snapshot, {"421": "Ana Straße"}, text=text) is expected


def test_task_without_owner_has_no_owners_name():
    assert not apply(make(), {"7": "ana"}, text="ana")


def test_all_that_is_asked_for_must_hold():
    assert not apply(make(), conditions=frozenset({"failed"}), task="shop.tasks.import_rows", text="import")
    assert apply(make(), conditions=frozenset({"running"}), task="shop.tasks.import_rows", text="import")


@pytest.mark.parametrize(
    ("total", "number", "expected"),
    [
        (0, 1, (0, 0, 1, 1)),
        (0, 9, (0, 0, 1, 1)),
        (1, 1, (0, 1, 1, 1)),
        (PAGE_SIZE, 1, (0, PAGE_SIZE, 1, 1)),
        (PAGE_SIZE + 1, 1, (0, PAGE_SIZE, 1, 2)),
        (PAGE_SIZE + 1, 2, (PAGE_SIZE, PAGE_SIZE + 1, 2, 2)),
        (PAGE_SIZE + 1, 10**9, (PAGE_SIZE, PAGE_SIZE + 1, 2, 2)),
    ],
)
def test_list_is_cut_into_pages(total, number, expected):
    first, after, shown, count = expected
    snapshots = [make(task_id=f"t{number}") for number in range(total)]
    assert ListPage.cut(snapshots, number) == ListPage(snapshots[first:after], shown, count)


def test_summary_has_counts_failures_chart_and_names():
    snapshots = [make(), make(State.FAILED, finished_at=NOW), replace(make(), task="a")]
    summary = summarize(snapshots, now=NOW)
    assert summary == {
        "counts": count_conditions(snapshots),
        "failed_last_hour": 1,
        "chart": draw_chart(snapshots, now=NOW),
        "names": ["a", "shop.tasks.import_rows"],
    }
