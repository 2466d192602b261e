"""What a process records of its attempts for staff: beside the snapshots, in the same round trips."""

import os
import socket
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings

from tasks_app.conf import get_settings
from tasks_app.reporting.arguments import Call
from tasks_app.reporting.reporter import Reporter
from tasks_app.snapshot.details import MAX_TRACEBACK_BYTES, cut_traceback
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.utils.clock import format_time
from tasks_app.utils.release import VERSION
from tests.support.caches import controls
from tests.support.details import RECORDED, read_details
from tests.support.doubles import START, FakeTime, HandFlusher, begin, controlled_cache, read, recorded_cache

SECRET = "postgres://shop:s3cret@db"


def at(seconds: float) -> str | None:
    return format_time(START + timedelta(seconds=seconds))


def begin_call(flusher: HandFlusher, **kwargs: Any) -> Reporter:
    reporter = flusher.make_reporter(Snapshot.queued("t1", "demo", now=flusher.clock.now()))
    reporter.begin(lambda: Call(dict, (), kwargs))
    flusher.add(reporter)
    return reporter


def make_error() -> Exception:
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        return error


# --- what is recorded ---


def test_worker_and_the_times_of_the_attempt_are_recorded(flusher, time):
    reporter = begin(flusher)
    flusher.flush()
    assert read_details() == {
        "attempt": 1,
        "state": "running",
        "started_at": at(0),
        "finished_at": None,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "version": VERSION,
        "arguments": None,
        "error": None,
        "traceback": None,
        "stages": [],
    }
    time.move(3)
    reporter.succeed()
    flusher.flush()
    details = read_details()
    assert (details["state"], details["started_at"], details["finished_at"]) == ("succeeded", at(0), at(3))


def test_stage_has_the_times_at_which_the_job_entered_and_left_it(flusher, job, time):
    job.progress.stages({"Load": 1, "Render": 1, "Write": 1})
    with job.progress.stage("Load"):
        time.move(2)
    time.move(1)
    with job.progress.stage("Render"):
        flusher.flush()
        assert read_details()["stages"] == [
            {"name": "Load", "state": "succeeded", "started_at": at(0), "finished_at": at(2)},
            {"name": "Render", "state": "running", "started_at": at(3), "finished_at": None},
        ]


def test_stage_that_is_entered_again_begins_again(flusher, job, time):
    job.progress.stages({"Load": 1})
    for _ in range(2):
        with job.progress.stage("Load"):
            time.move(5)
    flusher.flush()
    (stage,) = read_details()["stages"]
    assert (stage["started_at"], stage["finished_at"]) == (at(5), at(10))


@override_settings(TASKS_APP=RECORDED)
def test_arguments_are_recorded_where_the_site_says_so(flusher):
    begin_call(flusher, path="/a", password="s3cret")
    flusher.flush()
    assert read_details()["arguments"] == [
        {"name": "path", "value": "'/a'"},
        {"name": "password", "value": "********"},
    ]


@override_settings(TASKS_APP=RECORDED)
def test_traceback_is_recorded_where_the_site_says_so(flusher):
    begin(flusher).fail(make_error())
    flusher.flush()
    lines = read_details()["traceback"].splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", f"RuntimeError: {SECRET}")


@pytest.mark.parametrize(("is_debug", "is_recorded"), [(True, True), (False, False)])
def test_arguments_and_traceback_are_recorded_by_default_only_while_debugging(
    settings, flusher, is_debug, is_recorded
):
    settings.DEBUG = is_debug
    begin_call(flusher, path="/a").fail(make_error())
    flusher.flush()
    details = read_details()
    assert [details["arguments"] is not None, details["traceback"] is not None] == [is_recorded] * 2


@override_settings(TASKS_APP=RECORDED)
def test_arguments_that_can_not_be_read_do_not_keep_a_job_from_beginning(flusher, caplog):
    reporter = flusher.make_reporter(Snapshot.queued("t1", "demo", now=flusher.clock.now()))
    reporter.begin(lambda: 1 / 0)
    flusher.add(reporter)
    flusher.flush()
    assert read_details()["arguments"] is None
    assert "task t1: its arguments can't be shown" in caplog.text


@override_settings(TASKS_APP=RECORDED)
def test_cancel_has_no_traceback(flusher, job):
    job.request_cancel()
    try:
        job.progress.raise_if_cancelled()
    except Exception as error:
        job.fail(error)
    flusher.flush()
    assert (read_details()["state"], read_details()["traceback"]) == ("cancelled", None)


@override_settings(TASKS_APP=RECORDED)
def test_task_that_never_began_has_a_traceback_and_no_worker(flusher):
    reporter = flusher.make_reporter(Snapshot.queued("t1", "demo", now=flusher.clock.now()), is_stored=True)
    flusher.add(reporter)
    reporter.fail_as("ImportError", "no module", traceback="Traceback …\nImportError: no module")
    flusher.flush()
    details = read_details(attempt=0)
    assert (details["traceback"][-22:], details["host"]) == ("ImportError: no module", None)


def test_who_ends_a_task_of_another_process_writes_over_nothing(flusher, job):
    flusher.flush()
    before = read_details()
    other = HandFlusher(flusher.clock)
    adopted = other.make_reporter(read(), is_stored=True)
    other.add(adopted)
    adopted.end_lost()
    other.flush()
    assert read().state == "lost"
    assert read_details() == before


def test_end_of_a_traceback_is_kept():
    text = "".join(f"line {number} ä\n" for number in range(5000)) + "ValueError: the end"
    kept = cut_traceback(text)
    assert kept.endswith("ValueError: the end")
    assert kept.startswith("…\nline ")
    assert len(kept.encode()) <= MAX_TRACEBACK_BYTES + len("…\n".encode())
    assert [cut_traceback(short) for short in ("", "short", "\udcff")] == ["", "short", "\ufffd"]
    assert len(cut_traceback("x" * 10**6)) <= MAX_TRACEBACK_BYTES + 2


# --- attempts ---


@override_settings(TASKS_APP=RECORDED)
def test_each_attempt_keeps_its_details(flusher, time):
    first = begin(flusher)
    time.move(2)
    first.note_error(make_error())
    first.hand_back()
    flusher.flush()
    time.move(3)
    second = flusher.make_reporter(first.snapshot)
    second.follow(first)
    second.begin()
    flusher.add(second)
    flusher.flush()
    earlier, latest = read_details(attempt=1), read_details(attempt=2)
    assert (earlier["state"], earlier["finished_at"], SECRET in earlier["traceback"]) == ("queued", at(2), True)
    assert (latest["state"], latest["started_at"], latest["traceback"]) == ("running", at(5), None)


def test_attempt_that_was_not_written_yet_is_written_with_the_next_one(flusher, time):
    first = begin(flusher)
    flusher.flush()
    time.move(2)
    first.hand_back()
    second = flusher.make_reporter(first.snapshot)
    second.follow(first)
    second.begin()
    flusher.add(second)
    flusher.flush()
    assert [read_details(attempt=number)["finished_at"] for number in (1, 2)] == [at(2), None]


# --- how it is written ---


def test_details_cost_no_round_trip_of_their_own(flusher):
    with recorded_cache() as calls:
        job = begin(flusher)
        flusher.flush()
        job.succeed()
        flusher.flush()
        keys = ["tasks_app:details:t1:1", "tasks_app:task:t1"]
        settings = get_settings()
        writes = [call for call in calls if call[0] != "get_many"]
        assert writes == [("set_many", keys, settings.ACTIVE_TTL), ("set_many", keys, settings.RETENTION)]


def test_details_are_written_only_when_they_change(flusher, job, time):
    flusher.flush()
    with recorded_cache() as calls:
        job.progress.update(current=1, total=4)
        flusher.flush()
        time.move(get_settings().HEARTBEAT)
        flusher.flush()
        assert [keys for _, keys, _ in calls] == [["tasks_app:task:t1"]] * 2


def test_details_of_a_long_attempt_are_written_again_before_the_cache_drops_them(
    flusher: HandFlusher, job: Reporter, time: FakeTime
):
    flusher.flush()
    caches["default"].delete("tasks_app:details:t1:1")
    time.move(get_settings().ACTIVE_TTL / 2 + 1)
    flusher.flush()
    assert read_details()["started_at"] == at(0)


def test_details_that_a_failing_cache_did_not_take_are_written_later(flusher, time):
    with controlled_cache("set_many"):
        begin(flusher)
        assert not flusher.flush()
        controls.repair()
        time.move(10)
        assert flusher.flush()
        assert read_details()["started_at"] == at(0)


def test_task_is_stored_even_if_the_cache_refuses_its_details(flusher, caplog):
    with controlled_cache():
        controls.refused = ":details:"
        job = begin(flusher)
        assert flusher.flush()
        job.succeed()
        assert flusher.flush()
        assert (read().state, flusher.reporters) == ("succeeded", [])
    assert "the cache refused the details for staff in ['tasks_app:details:t1:1']" in caplog.text
