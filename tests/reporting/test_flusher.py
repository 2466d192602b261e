"""The write path behind the jobs: batches, signs of life, cancels, and a cache that fails."""

import json

import pytest

from tasks_app import wakeups
from tasks_app.reporting import fate
from tasks_app.reporting.pauses import MAX_BACKOFF, get_pause
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.utils.backoff import Failures
from tests.support.caches import HANGING_CACHES
from tests.support.doubles import begin, controlled_cache, read, recorded_cache

# --- what is written, and when ---


def test_begun_task_is_written(flusher):
    begin(flusher)
    assert flusher.flush()
    assert read().state == "running"


def test_report_is_written_at_the_next_flush(flusher):
    reporter = begin(flusher)
    flusher.flush()
    reporter.progress.update(current=1, total=4, status="Going")
    flusher.flush()
    snapshot = read()
    assert (snapshot.progress, snapshot.status, snapshot.seq) == (25, "Going", 3)


def test_reports_between_two_flushes_are_one_version(flusher):
    reporter = begin(flusher)
    flusher.flush()
    for step in range(100):
        reporter.progress.update(current=step, total=100)
    flusher.flush()
    assert (read().current, read().seq) == (99, 3)


def test_nothing_new_is_not_written_again(flusher):
    begin(flusher)
    with recorded_cache() as calls:
        flusher.flush()
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]


def test_report_of_the_same_is_not_written_again(flusher):
    reporter = begin(flusher)
    reporter.progress.update(current=1, total=4)
    with recorded_cache() as calls:
        flusher.flush()
        reporter.progress.update(current=1, total=4)
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]


def test_many_tasks_are_written_in_one_round_trip(flusher):
    for number in range(200):
        begin(flusher, f"t{number}")
    with recorded_cache() as calls:
        flusher.flush()
        assert [(method, len(keys)) for method, keys, _ in calls] == [("set_many", 2 * 200)]  # and the details of each


def test_only_the_tasks_that_changed_are_written(flusher):
    tasks = [begin(flusher, f"t{number}") for number in range(5)]
    with recorded_cache() as calls:
        flusher.flush()
        tasks[3].progress.update(current=1)
        flusher.flush()
        assert calls[-1][1] == ["tasks_app:task:t3"]


def test_last_snapshot_is_written_and_the_task_let_go(flusher):
    reporter = begin(flusher)
    reporter.succeed({"n": 1})
    assert flusher.find("t1") is reporter
    flusher.flush()
    assert (read().state, read().result) == ("succeeded", {"n": 1})
    assert flusher.find("t1") is None


def test_task_that_begins_again_while_its_end_is_written_is_kept(flusher, settings):
    settings.CACHES = HANGING_CACHES  # while it is open, it is a cache outside this process
    begin(flusher).succeed()
    next_attempt = flusher.make_reporter(Snapshot.queued("t1", "demo", now=flusher.clock.now()))

    def begin_again(versions):
        flusher.add(next_attempt)

    wakeups.listen(begin_again)
    try:
        flusher.flush()
    finally:
        wakeups.ignore(begin_again)
    assert flusher.find("t1") is next_attempt
    assert not flusher.backlog.terminal_snapshots  # else it would be stored again over the next attempt


def test_job_that_is_handed_back_is_written_as_queued_and_let_go(flusher):
    reporter = begin(flusher)
    reporter.progress.update(current=1, total=4)
    reporter.hand_back()
    flusher.flush()
    assert (read().state, read().progress) == ("queued", 25)
    assert flusher.find("t1") is None


def test_job_that_is_handed_back_and_stored_is_not_written_again(flusher, time):
    reporter = begin(flusher)
    reporter.hand_back()
    flusher.flush()
    flusher.add(reporter)
    time.move(3600)
    with recorded_cache() as calls:
        flusher.flush()
        assert calls == []
    flusher.remove(reporter)


def test_attempt_that_has_taken_over_is_not_let_go_with_the_one_before(flusher):
    before = begin(flusher)
    before.hand_back()
    after = begin(flusher)
    flusher.remove(before)
    assert flusher.find("t1") is after


def test_report_after_the_end_changes_nothing(flusher):
    reporter = begin(flusher)
    reporter.progress.update(current=1, total=4)
    reporter.fail_as("ValueError", "no")
    reporter.progress.update(current=4, status="Too late")
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


def test_all_that_has_not_ended_can_be_ended_as_lost(flusher):
    begin(flusher, "t1").succeed()
    begin(flusher, "t2").progress.update(current=1, total=4)
    flusher.end_all()
    flusher.flush()
    assert [(read(name).state, read(name).progress) for name in ("t1", "t2")] == [("succeeded", 100), ("lost", 25)]


# --- logs ---


def read_page(task_id: str = "t1", slot: int = 0) -> list[str]:
    """Return the texts of the lines in a stored page."""
    text = get_store().read_pages([(task_id, slot)]).get((task_id, slot), '{"lines":[]}')
    return [line["text"] for line in json.loads(text)["lines"]]


def test_line_is_written_with_the_snapshot_that_counts_it(flusher):
    reporter = begin(flusher)
    reporter.progress.log("one")
    flusher.flush()
    assert (read_page(), read().logged) == (["one"], 1)


def test_line_alone_is_no_new_version(flusher):
    reporter = begin(flusher)
    flusher.flush()
    reporter.progress.log("one")
    flusher.flush()
    assert (read().seq, read().logged) == (2, 1)


def test_line_alone_is_published_and_sends_no_signal(flusher, monkeypatch):
    reporter = begin(flusher)
    flusher.flush()
    heard, sent = [], []
    monkeypatch.setattr(flusher.signals, "send", sent.append)
    listener = heard.extend
    wakeups.listen(listener)
    try:
        reporter.progress.log("one")
        flusher.flush()
        flusher.flush()
    finally:
        wakeups.ignore(listener)
    assert (heard, sent) == (["t1"], [])


def test_line_and_report_are_published_once(flusher):
    reporter = begin(flusher)
    heard = []
    listener = heard.extend
    wakeups.listen(listener)
    try:
        reporter.progress.log("one")
        flusher.flush()
    finally:
        wakeups.ignore(listener)
    assert heard == ["t1"]


def test_logs_and_snapshots_of_many_tasks_are_one_round_trip(flusher):
    for number in range(20):
        begin(flusher, f"t{number}").progress.log("one")
    with recorded_cache() as calls:
        flusher.flush()
        assert [(method, len(keys)) for method, keys, _ in calls] == [("set_many", 3 * 20)]  # and the details of each


def test_line_is_not_written_again(flusher):
    reporter = begin(flusher)
    reporter.progress.log("one")
    flusher.flush()
    reporter.progress.update(current=1)
    with recorded_cache() as calls:
        flusher.flush()
        assert [keys for _, keys, _ in calls] == [["tasks_app:task:t1"]]


def test_line_before_the_end_is_counted_by_the_last_snapshot(flusher):
    reporter = begin(flusher)
    reporter.progress.log("last words")
    reporter.succeed()
    flusher.flush()
    assert (read_page(), read().state, read().logged) == (["last words"], "succeeded", 1)


def test_line_after_a_failure_of_the_cache_is_written_with_those_before(flusher):
    reporter = begin(flusher)
    with controlled_cache("set_many") as controls:
        reporter.progress.log("one")
        assert not flusher.flush()
        reporter.progress.log("two")
        controls.repair()
        assert flusher.flush()
        assert (read_page(), read().logged) == (["one", "two"], 2)


def test_page_that_the_cache_refused_is_written_again(flusher, monkeypatch):
    reporter = begin(flusher)
    reporter.progress.log("one")
    monkeypatch.setattr(get_store().cache, "set_many", lambda texts, ttl: [key for key in texts if ":log:" in key])
    assert not flusher.flush()
    monkeypatch.undo()
    assert flusher.flush()
    assert read_page() == ["one"]


def test_no_more_than_log_lines_wait_in_an_outage(flusher, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "LOG_LINES": 10}
    reporter = begin(flusher)
    with controlled_cache("set_many"):
        for number in range(1000):
            reporter.progress.log(number)
            flusher.flush()
    assert sum(len(json.loads(page)["lines"]) for page in reporter.pages.values()) <= 100
    assert flusher.flush()


# --- signs of life ---


def test_quiet_task_gives_a_sign_of_life_after_heartbeat(flusher, time):
    begin(flusher)
    flusher.flush()
    before = read()
    time.move(5)
    flusher.flush()
    assert read() == before.beating().written(now=time.now)


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
    reporter = begin(flusher)
    flusher.flush()
    time.move(4)
    reporter.progress.update(current=1)
    flusher.flush()
    beat = read().beat
    time.move(4)
    flusher.flush()
    assert read().beat == beat


def test_queued_task_gives_signs_of_life_too(flusher, time):
    snapshot = Snapshot.queued("t1", "demo", now=time.now)
    get_store().add(snapshot)
    flusher.add(flusher.make_reporter(snapshot, is_stored=True))
    flusher.flush()
    assert read().beat is None
    time.move(5)
    flusher.flush()
    assert (read().beat, read().state) == (1, "queued")


# --- rate and eta ---


def test_rate_and_eta_come_from_the_clock(flusher, time):
    reporter = begin(flusher)
    for second in range(5):
        reporter.progress.update(current=second * 10, total=100)
        flusher.flush()
        time.move(1)
    assert (read().rate, read().eta) == (pytest.approx(10), pytest.approx(6))


def test_rate_is_null_before_a_second_has_passed(flusher, time):
    reporter = begin(flusher)
    for step in range(5):
        reporter.progress.update(current=step, total=100)
        flusher.flush()
        time.move(0.2)
    assert (read().rate, read().eta) == (None, None)


@pytest.mark.parametrize("values", [(0, 1e308, 1e308), (-1e308, 1e308, 0.5), (1e308, 5e-324, 1)])
def test_absurd_numbers_of_one_task_do_not_stop_the_others(flusher, time, values):
    absurd, other = begin(flusher, "absurd"), begin(flusher, "other")
    for value in values:
        absurd.progress.update(current=value, total=0.5)
        flusher.flush()
        time.move(0.6)
    other.progress.update(status="Still told")
    assert flusher.flush()
    assert read("other").status == "Still told"


# --- a cache that fails ---


def test_failure_of_the_cache_keeps_the_latest_state(flusher):
    reporter = begin(flusher)
    with controlled_cache("set_many") as controls:
        reporter.progress.update(current=1, total=4)
        assert not flusher.flush()
        reporter.progress.update(current=2)
        assert not flusher.flush()
        controls.repair()
        assert flusher.flush()
        assert read().progress == 50


def test_last_snapshot_is_written_when_the_cache_is_back(flusher):
    reporter = begin(flusher)
    with controlled_cache("set_many") as controls:
        reporter.succeed("done")
        assert not flusher.flush()
        assert flusher.find("t1") is reporter
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
    reporter = begin(flusher)
    with controlled_cache("set_many") as controls:
        for _ in range(2):
            flusher.flush()
        controls.repair()
        flusher.flush()
        caplog.clear()
        controls.break_down("set_many")
        reporter.progress.update(current=1)
        flusher.flush()
    assert len(caplog.records) == 1


def fail_times(count: int) -> Failures:
    failures = Failures()
    for _ in range(count):
        failures.note()
    return failures


def test_pause_grows_with_the_failures_and_has_a_limit():
    pauses = [get_pause(fail_times(count), 0.1) for count in (0, 1, 2, 3, 10, 10_000)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, MAX_BACKOFF, MAX_BACKOFF]


def test_pause_is_never_longer_than_heartbeat(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 2}
    assert get_pause(fail_times(100), 0.1) == 2


def test_pause_is_never_shorter_than_flush_interval():
    assert get_pause(fail_times(3), 60) == 60


# --- cancels ---


def test_cancel_is_found_at_the_sweep(flusher):
    reporter, other = begin(flusher, "t1"), begin(flusher, "t2")
    get_store().request_cancel("t1")
    flusher.sweep()
    assert (reporter.progress.cancelled, other.progress.cancelled) == (True, False)


def test_sweep_is_one_round_trip_for_all_tasks(flusher):
    for number in range(50):
        begin(flusher, f"t{number}")
    with recorded_cache() as calls:
        flusher.sweep()  # this one also looks whether the cache was emptied, which is due every HEARTBEAT
        calls.clear()
        flusher.sweep()
        assert [(method, len(keys)) for method, keys, _ in calls] == [("get_many", 150)]  # three words for each


def test_sweep_asks_nothing_about_tasks_that_ended_or_know_it(flusher):
    begin(flusher, "t1").succeed()
    begin(flusher, "t2").request_cancel()
    with recorded_cache() as calls:
        flusher.sweep()
        calls.clear()
        flusher.sweep()
        assert calls == []


def test_sweep_that_fails_is_logged_and_made_up_for(flusher, caplog):
    reporter = begin(flusher)
    get_store().request_cancel("t1")
    with controlled_cache("get_many") as controls:
        flusher.sweep()
        assert not reporter.progress.cancelled
        controls.repair()
        flusher.sweep()
    assert reporter.progress.cancelled
    assert "the cache failed" in caplog.text


def test_chores_are_done_at_the_sweep(flusher):
    done = []
    flusher.chores.add(lambda: done.append(1))
    flusher.sweep()
    assert done == [1]


def test_task_that_cannot_be_taken_over_does_not_stop_the_others(flusher, monkeypatch, caplog):
    broken, other = begin(flusher, "t1"), begin(flusher, "t2")
    monkeypatch.setattr(broken, "take", lambda: 1 / 0)
    other.progress.update(status="Going")
    assert flusher.flush()
    assert get_store().get("t2").status == "Going"
    assert "task t1" in caplog.text


# --- which tasks it looks at ---


def test_flush_asks_only_those_tasks_that_told_of_a_change(flusher, monkeypatch):
    reporters = [begin(flusher, f"t{number}") for number in range(3)]
    flusher.flush()
    asked: list[str] = []
    monkeypatch.setattr(fate, "take", lambda reporter, loaded: asked.append(reporter.task_id))
    reporters[1].progress.update(current=1)
    flusher.flush()
    assert asked == ["t1"]


def test_task_whose_loop_runs_is_asked_at_each_flush(flusher):
    loop = iter(begin(flusher).progress.track(range(4)))
    for step in range(3):
        next(loop)
        flusher.flush()
        assert read().current == step
