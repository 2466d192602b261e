"""What is known of a task, how it changes, and the text it is stored as."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.snapshot.follower import end_like
from tasks_app.snapshot.snapshot import Snapshot, encode_json, format_time
from tasks_app.snapshot.state import DEFAULT_STATUS, Report, Stage, State, floor_percent, percent_of
from tasks_app.snapshot.version import Version
from tasks_app.utils.clock import parse_time

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)
TERMINAL = [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST]

WIRE_FIELDS = {
    "task_id",
    "task",
    "state",
    "progress",
    "percent",
    "status",
    "label",
    "current",
    "total",
    "unit",
    "rate",
    "eta",
    "expected",
    "stages",
    "attempt",
    "queue_position",
    "parent",
    "children",
    "created_at",
    "started_at",
    "updated_at",
    "finished_at",
    "cancel_requested",
    "stalled",
    "meta",
    "result",
    "error",
    "seq",
}

ENDS = {
    "succeeded": lambda snapshot: snapshot.succeeded({"n": 1}, now=LATER),
    "failed": lambda snapshot: snapshot.failed("ValueError", "no", now=LATER),
    "cancelled": lambda snapshot: snapshot.cancelled(now=LATER),
    "lost": lambda snapshot: snapshot.lost(now=LATER),
}

texts = st.text(alphabet=st.characters(exclude_categories=()))  # lone surrogates, U+2028 and control characters too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)
amounts = st.none() | st.integers(-(10**308), 10**308) | st.floats(allow_nan=False, allow_infinity=False)


def make_queued(**changes):
    return replace(Snapshot.queued("t1", "demo", now=NOW), **changes)


def make_running(**report):
    running = make_queued().begun(now=NOW)
    return running.reported(Report(**report), now=NOW) if report else running


# --- transitions ---


def test_first_snapshot_is_queued():
    snapshot = Snapshot.queued("t1", "demo", now=NOW, owner="7")
    assert (snapshot.state, snapshot.status, snapshot.progress, snapshot.percent) == ("queued", "Queued", 0, None)
    assert (snapshot.attempt, snapshot.seq, snapshot.owner) == (0, 1, "7")
    assert (snapshot.created_at, snapshot.updated_at, snapshot.started_at, snapshot.finished_at) == (
        NOW,
        NOW,
        None,
        None,
    )


def test_begun_task_runs_its_first_attempt():
    snapshot = make_queued(queue_position=3).begun(now=LATER)
    assert (snapshot.state, snapshot.status, snapshot.attempt) == ("running", "Running", 1)
    assert (snapshot.started_at, snapshot.updated_at, snapshot.queue_position) == (LATER, LATER, None)


def test_new_attempt_starts_from_nothing():
    failed = make_running(current=5, total=10, status="Half", unit="rows").failed("ValueError", "no", now=NOW)
    again = failed.begun(now=LATER)
    assert (again.state, again.attempt, again.progress, again.percent) == ("running", 2, 0, None)
    assert (again.current, again.total, again.unit, again.status) == (None, None, None, "Running")
    assert (again.error, again.finished_at, again.stages) == (None, None, ())


@pytest.mark.parametrize("state", State)
def test_states_but_queued_and_running_are_terminal(state):
    assert state.is_terminal is (state in TERMINAL)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_terminal_state_is_final(first, second):
    ended = ENDS[first](make_running(current=1, total=4))
    assert ENDS[second](ended) is ended


@pytest.mark.parametrize("end", ENDS)
def test_end_sets_the_time_it_finished(end):
    ended = ENDS[end](make_running())
    assert (ended.state, ended.finished_at, ended.updated_at) == (end, LATER, LATER)


@pytest.mark.parametrize("end", ENDS)
def test_ended_task_has_no_rate_and_no_place_in_line(end):
    running = make_running(current=1, total=4)
    ended = ENDS[end](replace(running, rate=2.0, eta=1.5, queue_position=1))
    assert (ended.rate, ended.eta, ended.queue_position) == (None, None, None)


@pytest.mark.parametrize("end", ENDS)
def test_task_may_end_before_it_began(end):
    assert ENDS[end](make_queued()).state == end


def test_cancelled_task_was_asked_to_cancel():
    assert make_running().cancelled(now=NOW).cancel_requested


def test_task_that_stopped_for_a_reason_of_its_own_was_not_asked_to_cancel():
    ended = make_running().cancelled(now=NOW, status="Expired")
    assert (ended.state, ended.status, ended.cancel_requested) == ("cancelled", "Expired", False)


def test_reason_of_the_end_does_not_replace_what_the_task_said():
    running = make_running().reported(Report(status="Reading"), now=NOW)
    assert running.cancelled(now=NOW, status="Expired").status == "Reading"


# --- another attempt ---


def test_task_that_waits_to_be_begun_anew_keeps_what_it_reported():
    stages = (Stage(name="Read", percent=40.0, state=State.RUNNING),)
    report = Report(current=4, total=10, status="Reading", meta={"a": 1}, stages=stages)
    running = make_running().reported(report, now=NOW, rate=1.0, eta=6.0)
    waiting = running.requeued(now=LATER)
    assert (waiting.state, waiting.status, waiting.attempt, waiting.seq) == ("queued", "Queued", 1, running.seq + 1)
    assert (waiting.progress, waiting.current, waiting.meta) == (40, 4, {"a": 1})
    assert (waiting.rate, waiting.eta, waiting.stages[0].state) == (None, None, "queued")


def test_nobody_gives_signs_of_life_of_a_task_that_waits_to_be_begun_anew():
    assert make_running().requeued(now=NOW).beat is None


def test_next_attempt_begins_at_zero_and_counts():
    running = make_running().reported(Report(current=4, total=10), now=NOW).requeued(now=NOW).begun(now=LATER)
    assert (running.state, running.attempt, running.progress) == ("running", 2, 0)


@pytest.mark.parametrize("end", ENDS)
def test_ended_task_is_not_queued_anew(end):
    ended = ENDS[end](make_running())
    assert ended.requeued(now=LATER) is ended


def test_queue_position_is_news_only_when_it_changes():
    waiting = make_queued().waiting(2, now=LATER)
    assert (waiting.queue_position, waiting.seq) == (2, 2)
    assert waiting.waiting(2, now=LATER) is waiting


def test_running_task_has_no_queue_position():
    running = make_running()
    assert running.waiting(1, now=NOW) is running


# --- progress ---


@pytest.mark.parametrize(
    ("current", "total", "progress"),
    [
        (0, 10, 0),
        (29, 100, 29),
        (0.29, 1, 29),
        (0.57, 1, 57),
        (57, 100, 57),
        (1, 3, 33),
        (2, 3, 66),
        (99.999, 100, 99),
        (100, 100, 99),
        (150, 100, 99),
        (-5, 100, 0),
        (10**300 * 29, 10**302, 29),
        (-(10**308), 0.5, 0),
        (1e-320, 2e-320, 50),
    ],
)
def test_progress_is_floored_and_below_100_while_alive(current, total, progress):
    assert make_running(current=current, total=total).progress == progress


@pytest.mark.parametrize("total", [None, 0, -1, 0.0])
def test_percent_is_null_while_the_total_is_unknown(total):
    snapshot = make_running(current=5, total=total)
    assert (snapshot.percent, snapshot.progress) == (None, 0)


def test_percent_is_null_before_the_first_step():
    assert make_running(total=10).percent is None


def test_percent_is_not_rounded():
    assert make_running(current=1, total=3).percent == 100 / 3


def test_progress_is_100_on_success():
    snapshot = make_running(current=1, total=3).succeeded(now=NOW)
    assert (snapshot.progress, snapshot.percent) == (100, 100.0)


@pytest.mark.parametrize("end", ["failed", "cancelled", "lost"])
def test_progress_stays_what_it_was_when_it_did_not_succeed(end):
    ended = ENDS[end](make_running(current=37, total=100))
    assert (ended.progress, ended.percent) == (37, 37.0)


@pytest.mark.parametrize("end", ["failed", "cancelled", "lost"])
def test_progress_is_never_100_without_success(end):
    assert ENDS[end](make_running(current=100, total=100)).progress == 99


def test_progress_never_goes_back_within_an_attempt():
    snapshot = make_running(current=50, total=100).reported(Report(current=10, total=100), now=LATER)
    assert (snapshot.progress, snapshot.percent, snapshot.current) == (50, 50.0, 10)


def test_progress_stays_when_the_total_becomes_unknown():
    snapshot = make_running(current=50, total=100).reported(Report(current=60), now=LATER)
    assert (snapshot.progress, snapshot.percent) == (50, None)


@pytest.mark.parametrize("kind", [int, float])
def test_percent_of_huge_numbers_is_known(kind):
    assert make_running(current=kind(10**307), total=1e308).percent == pytest.approx(10)


@given(st.lists(st.tuples(amounts, amounts), max_size=8))
def test_no_report_breaks_the_rules_of_progress(reports):
    snapshot = make_running()
    for current, total in reports:
        before, snapshot = snapshot, snapshot.reported(Report(current=current, total=total), now=LATER)
        assert before.progress <= snapshot.progress <= 99
        assert snapshot.percent is None or 0 <= snapshot.percent <= 100
        assert snapshot.seq == before.seq + (snapshot is not before)
        assert Snapshot.from_json(snapshot.to_json()) == snapshot


@pytest.mark.parametrize(
    ("percent", "floored"), [(0.0, 0), (28.999999999999996, 29), (28.99, 28), (99.9999, 99), (100.0, 100)]
)
def test_floor_takes_a_rounding_error_for_what_it_is(percent, floored):
    assert floor_percent(percent) == floored


def test_percent_of_nothing_done_yet_is_0():
    assert percent_of(0, 7) == 0.0


# --- stages ---


def test_stages_fill_their_share_of_the_whole():
    stages = (Stage(name="Download", weight=1, percent=100.0), Stage(name="Parse", weight=3, percent=50.0))
    assert make_running(stages=stages).percent == 62.5


@pytest.mark.parametrize("weights", [(1e308, 1e308), (5e-324, 5e-324), (10**300, 10**300)])
def test_stages_of_extreme_weights_fill_their_share(weights):
    first, second = weights
    stages = (Stage(name="a", weight=first, percent=100.0), Stage(name="b", weight=second, percent=0.0))
    assert Report(stages=stages).percent == 50.0


def test_success_completes_all_stages():
    stages = (Stage(name="a", state=State.RUNNING, percent=10.0), Stage(name="b"))
    ended = make_running(stages=stages).succeeded(now=NOW)
    assert [(stage.percent, stage.state) for stage in ended.stages] == [(100.0, "succeeded"), (100.0, "succeeded")]


@pytest.mark.parametrize("end", ["failed", "cancelled", "lost"])
def test_end_marks_only_the_stage_that_ran(end):
    stages = (
        Stage(name="a", state=State.SUCCEEDED, percent=100.0),
        Stage(name="b", state=State.RUNNING, percent=10.0),
        Stage(name="c"),
    )
    ended = ENDS[end](make_running(stages=stages))
    assert [stage.state for stage in ended.stages] == ["succeeded", end, "queued"]


def test_stage_on_the_wire_has_the_documented_fields():
    stage = Stage(name="Parse", weight=3, percent=12.9, state=State.RUNNING)
    assert stage.to_wire() == {"name": "Parse", "weight": 3, "progress": 12, "state": "running"}


# --- status ---


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("queued", "Queued"),
        ("running", "Running"),
        ("succeeded", "Completed"),
        ("failed", "Failed"),
        ("cancelled", "Cancelled"),
        ("lost", "Lost: the worker stopped responding"),
    ],
)
def test_state_has_its_default_status(state, status):
    assert DEFAULT_STATUS[State(state)] == status


@pytest.mark.parametrize("end", ["succeeded", "cancelled", "lost"])
def test_end_of_a_task_that_set_no_status_says_the_default(end):
    assert ENDS[end](make_running()).status == DEFAULT_STATUS[State(end)]


@pytest.mark.parametrize("end", ENDS)
def test_end_keeps_the_status_that_the_task_set(end):
    assert ENDS[end](make_running(status="Importing")).status == "Importing"


def test_failure_shows_its_message_where_it_is_given():
    ended = make_running().failed("ValueError", "no such file", now=NOW)
    assert ended.status == "Failed: no such file"
    assert ended.error == {"type": "ValueError", "message": "no such file"}


@pytest.mark.parametrize("message", [None, ""])
def test_failure_without_a_message_says_no_more_than_that(message):
    ended = make_running().failed("ValueError", message, now=NOW)
    assert ended.status == "Failed"
    assert ended.error == {"type": "ValueError", "message": "The task failed."}


def test_status_has_500_characters_at_most():
    assert make_running(status="é" * 600).status == "é" * 500


def test_status_of_a_failure_has_500_characters_at_most():
    status = make_running().failed("ValueError", "x" * 600, now=NOW).status
    assert status == "Failed: " + "x" * 492


# --- seq and event ids ---


@pytest.mark.parametrize(
    "change",
    [
        lambda snapshot: snapshot.begun(now=LATER),
        lambda snapshot: snapshot.reported(Report(current=1), now=LATER),
        lambda snapshot: snapshot.waiting(4, now=LATER),
        *ENDS.values(),
    ],
)
def test_seq_grows_by_one_with_every_change(change):
    before = make_queued()
    after = change(before)
    assert (after.seq, after.updated_at) == (before.seq + 1, LATER)


def test_report_of_nothing_new_is_no_change():
    snapshot = make_running(current=1, total=4, status="Going", unit="rows", meta={"a": 1})
    report = Report(current=1, total=4, status="Going", unit="rows", meta={"a": 1})
    assert snapshot.reported(report, now=LATER, rate=5.0) is snapshot


def test_beat_is_no_public_change():
    before = make_running()
    after = before.beating()
    assert after != before
    assert after.to_wire() == before.to_wire()
    assert after.event_id == before.event_id


def test_stalled_version_has_an_event_id_of_its_own():
    snapshot = make_running()
    assert snapshot.as_stalled().event_id != snapshot.event_id
    assert snapshot.as_stalled().to_wire() == snapshot.to_wire() | {"stalled": True}


@pytest.mark.parametrize("end", ENDS)
def test_change_ends_the_stall(end):
    assert ENDS[end](make_running().as_stalled()).stalled is False


# --- the wire and the store ---


def test_wire_has_exactly_the_documented_fields():
    assert set(make_running().to_wire()) == WIRE_FIELDS


def test_wire_names_why_a_result_was_omitted():
    data = make_running().succeeded(now=NOW, omitted="too big").to_wire()
    assert set(data) == WIRE_FIELDS | {"result_omitted"}
    assert (data["result"], data["result_omitted"]) == (None, "too big")


def test_wire_names_a_conclusion_where_there_is_one():
    data = make_running().succeeded(now=NOW, said="3 files are new").to_wire()
    assert set(data) == WIRE_FIELDS | {"conclusion"}
    assert data["conclusion"] == "3 files are new"


@pytest.mark.parametrize("snapshot", [make_queued(owner="7"), make_running(), make_running().succeeded(now=NOW)])
def test_private_fields_are_not_on_the_wire(snapshot):
    assert not {"owner", "beat", "runner", "logged"} & set(snapshot.to_wire())


def test_wire_times_are_rfc_3339_in_utc():
    data = make_running().succeeded(now=NOW + timedelta(milliseconds=1.5)).to_wire()
    assert data["created_at"] == "2026-01-31T12:00:00.000Z"
    assert data["finished_at"] == "2026-01-31T12:00:00.001Z"


def test_time_of_another_zone_is_shown_in_utc():
    assert format_time(datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-31T12:00:00.000Z"


def test_time_round_trip():
    assert parse_time(format_time(NOW)) == NOW


@given(
    status=texts,
    unit=texts | st.none(),
    meta=json_objects,
    result=json_values,
    owner=texts | st.none(),
    names=st.lists(texts, max_size=3),
)
def test_stored_text_round_trips(status, unit, meta, result, owner, names):
    stages = tuple(Stage(name=name, weight=2.5, percent=40.0) for name in names)
    report = Report(current=1, total=3, status=status, unit=unit, meta=meta, stages=stages)
    snapshot = make_queued(owner=owner).begun(now=NOW).reported(report, now=NOW, rate=1.5, eta=2.5)
    for version in (snapshot, snapshot.succeeded(result, now=LATER), snapshot.failed("E", status, now=LATER)):
        text = version.to_json()
        assert text.isascii()
        assert "\n" not in text
        assert Snapshot.from_json(text).to_json() == text
        assert json.loads(Snapshot.from_json(text).to_json()) == json.loads(text)


def test_time_of_the_last_write_is_stored_and_not_shown():
    snapshot = make_running().written(now=LATER)
    assert Snapshot.from_json(snapshot.to_json()).written_at == LATER
    assert "written_at" not in snapshot.to_wire()


def test_snapshot_that_an_older_release_stored_has_no_time_of_its_last_write():
    text = make_running().to_json().replace(',"written_at":null', "")
    assert Snapshot.from_json(text) == make_running()


def test_task_that_waits_for_its_next_attempt_has_no_time_of_its_last_write():
    waiting = make_running().written(now=NOW).requeued(now=LATER)
    assert waiting.written_at is None
    assert waiting.written(now=LATER) is waiting


def test_end_has_no_time_of_its_last_write():
    ended = make_running().succeeded(now=NOW)
    assert ended.written(now=LATER) is ended


def test_stored_text_is_what_viewers_see_and_the_private_fields():
    version = Version.of(make_queued(owner="7", runner="celery").begun(now=NOW).having_logged(7))
    assert version.text == version.wire[:-1] + ',"owner":"7","beat":1,"runner":"celery","logged":7}'
    assert json.loads(version.wire) == version.snapshot.to_wire()


def test_log_is_no_public_change():
    snapshot = make_running()
    logged = snapshot.having_logged(7)
    assert (logged.logged, logged.event_id, logged.to_wire()) == (7, snapshot.event_id, snapshot.to_wire())


def test_log_without_news_is_no_change():
    snapshot = make_running().having_logged(7)
    assert snapshot.having_logged(7) is snapshot


def test_new_attempt_knows_how_far_the_log_goes():
    assert make_running().having_logged(7).begun(now=NOW).logged == 7


def test_stored_text_of_an_earlier_version_has_no_log():
    assert Snapshot.from_json(_without("logged")) == make_running()


def test_stored_text_of_an_earlier_version_says_nothing_of_how_long_it_takes():
    assert Snapshot.from_json(_without("expected")) == make_running()


def test_stored_text_keeps_the_private_fields():
    snapshot = make_queued(owner="7", runner="celery").begun(now=NOW).having_logged(7)
    assert (snapshot.owner, snapshot.runner, snapshot.beat, snapshot.logged) == ("7", "celery", 1, 7)
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


def test_stored_text_of_a_later_version_is_read():
    text = make_running().to_json()[:-1] + ',"field_of_the_future":1}'
    assert Snapshot.from_json(text) == make_running()


def _without(name):
    data = json.loads(make_running().to_json())
    del data[name]
    return json.dumps(data)


def _with(**changes):
    return json.dumps(json.loads(make_running().to_json()) | changes)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "not json",
        "null",
        "1",
        "[]",
        '"text"',
        "{}",
        '{"task_id":"t1"}',
        "\ud800",
        "[" * 100_000,
        _without("task_id"),
        _without("state"),
        _without("stages"),
        _without("updated_at"),
        _with(state="asleep"),
        _with(state=[]),
        _with(stages=7),
        _with(stages=[{}]),
        _with(stages=[None]),
        _with(created_at="yesterday"),
        _with(updated_at=5),
        _with(expected="soon"),
        _with(expected=10**400),
        1,
        None,
        [],
    ],
)
def test_garbage_in_the_cache_is_a_value_error(garbage):
    with pytest.raises(ValueError, match="not a stored snapshot"):
        Snapshot.from_json(garbage)


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": math.nan}])
def test_numbers_that_json_lacks_are_refused(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_json(value)


# --- what follows a task that did not succeed ---


@pytest.mark.parametrize(
    "other",
    [
        make_running().failed("RuntimeError", "a message", now=NOW),
        make_running().failed("RuntimeError", now=NOW),
        make_running().cancelled(now=NOW),
        make_running().cancelled(now=NOW, status="Ended without a result"),
        make_running().lost(now=NOW),
    ],
    ids=["message", "secret", "cancel", "reason", "lost"],
)
def test_follower_ends_as_the_other_did(other):
    ended = end_like(make_queued(), other, now=NOW)
    assert (ended.state, ended.status, ended.error, ended.cancel_requested) == (
        other.state,
        other.status,
        other.error,
        other.cancel_requested,
    )
