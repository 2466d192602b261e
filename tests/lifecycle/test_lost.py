"""A process that was cut off for so long that its task was declared lost finds out, and takes it back."""

import pytest

from tasks_app import task_ended, wakeups
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.doubles import begin, controlled_cache, read, recorded_cache
from tests.support.waiting import DEADLINE


def lose(flusher, time, *, store_as=lambda snapshot, now: snapshot.lost(now=now)):
    """Return a task that others take for lost, after a pause in which it could not be written."""
    reporter = begin(flusher)
    flusher.flush()
    get_store().save([store_as(read(), time.now)])
    time.move(60)
    return reporter


def test_task_that_was_declared_lost_is_taken_back_by_its_living_job(flusher, time):
    reporter = lose(flusher, time)
    lost = read()
    reporter.progress.update(current=1, total=4)
    assert flusher.flush()
    assert (read().state, read().progress, read().finished_at) == ("running", 25, None)
    assert read().seq > lost.seq


def test_task_is_taken_back_by_a_mere_heartbeat(flusher, time):
    lose(flusher, time)
    lost = read()
    flusher.flush()
    assert (read().state, read().status, read().seq) == ("running", "Running", lost.seq + 1)


def test_task_that_was_declared_lost_ends_as_its_job_does(flusher, time):
    reporter = lose(flusher, time)
    lost = read()
    reporter.succeed(1)
    flusher.flush()
    assert (read().state, read().result, read().seq > lost.seq, flusher.find("t1")) == ("succeeded", 1, True, None)


def test_taking_a_task_back_is_news_for_its_viewers(flusher, time):
    lose(flusher, time)
    heard = []
    wakeups.listen(heard.extend)
    try:
        flusher.flush()
    finally:
        wakeups.ignore(heard.extend)
    assert heard == ["t1"]


def test_end_of_a_task_that_was_taken_back_is_told_once(flusher, time):
    ends = []
    receive = lambda snapshot, **kwargs: ends.append(snapshot.state)  # noqa: E731
    task_ended.connect(receive)
    try:
        reporter = lose(flusher, time)
        flusher.flush()
        reporter.succeed()
        flusher.flush()
        assert flusher.signals.drain(DEADLINE)
    finally:
        task_ended.disconnect(receive)
    assert ends == ["succeeded"]


def test_task_that_was_handed_back_while_it_was_declared_lost_waits_for_its_next_attempt(flusher, time):
    reporter = lose(flusher, time)
    reporter.hand_back()
    flusher.flush()
    assert (read().state, flusher.find("t1")) == ("queued", None)


def test_lines_that_were_logged_while_the_task_was_lost_are_kept(flusher, time):
    reporter = lose(flusher, time)
    reporter.progress.log("still here")
    reporter.succeed()
    flusher.flush()
    assert (read().logged, len(get_store().read_pages([("t1", 0)]))) == (1, 1)


def test_task_that_was_declared_lost_takes_no_other_along(flusher, time):
    lose(flusher, time)
    begin(flusher, "t2")
    flusher.flush()
    assert (read("t2").state, flusher.find("t2") is None) == ("running", False)


def test_task_that_was_declared_lost_is_logged_with_its_id(flusher, time, caplog):
    lose(flusher, time)
    flusher.flush()
    flusher.flush()
    (message,) = [record.getMessage() for record in caplog.records]
    assert ("task t1 was declared lost" in message, message.endswith("it goes on")) == (True, True)


def test_job_whose_task_was_declared_lost_goes_on_by_default(flusher, time):
    reporter = lose(flusher, time)
    flusher.flush()
    reporter.progress.update(current=2, total=4)
    assert (reporter.progress.cancelled, list(reporter.progress.track([1, 2]))) == (False, [1, 2])


def test_job_whose_task_was_declared_lost_is_cancelled_where_on_lost_says_so(flusher, time, settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "ON_LOST": "cancel"}
    reporter = lose(flusher, time)
    told = []
    reporter.on_cancel = lambda: told.append("stop")
    flusher.flush()
    assert (reporter.progress.cancelled, told) == (True, ["stop"])
    assert caplog.records[-1].getMessage().endswith("it is asked to stop")


@pytest.mark.parametrize("end", ["end_cancelled", "succeed"])
def test_end_of_a_job_that_on_lost_has_stopped_is_stored(flusher, time, settings, end):
    settings.TASKS_APP = {**settings.TASKS_APP, "ON_LOST": "cancel"}
    reporter = lose(flusher, time)
    flusher.flush()
    assert (read().state, read().cancel_requested) == ("running", True)
    getattr(reporter, end)()
    flusher.flush()
    assert read().state == {"end_cancelled": "cancelled", "succeed": "succeeded"}[end]


def test_job_that_has_ended_is_not_cancelled(flusher, time, settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "ON_LOST": "cancel"}
    reporter = lose(flusher, time)
    reporter.succeed()
    flusher.flush()
    assert (reporter.progress.cancelled, caplog.records[-1].getMessage().endswith("it goes on")) == (False, True)


def test_task_that_can_not_be_written_yet_is_taken_back_and_logged_once(flusher, time, caplog):
    with controlled_cache() as controls:
        lose(flusher, time)
        controls.break_down("set_many")
        flusher.flush()
        flusher.flush()
        controls.repair()
        flusher.flush()
        assert read().state == "running"
    assert ["taken back" in record.getMessage() for record in caplog.records].count(True) == 1


def test_attempt_that_was_begun_anew_elsewhere_is_written_no_more(flusher, time):
    lose(flusher, time, store_as=lambda snapshot, now: snapshot.begun(now=now))
    flusher.flush()
    assert (read().attempt, flusher.find("t1")) == (2, None)


def test_attempt_hears_at_the_next_sweep_that_the_task_goes_on_elsewhere(flusher, time, caplog):
    reporter = begin(flusher)
    flusher.flush()
    get_store().save([read().begun(now=time.now)])
    get_store().claim_attempt("t1", 2)
    flusher.sweep()
    reporter.progress.update(current=1, total=4)
    flusher.flush()
    assert (read().attempt, flusher.find("t1")) == (2, None)
    assert "task t1 was begun again elsewhere" in caplog.text


def test_attempt_is_not_told_of_itself(flusher):
    begin(flusher)
    get_store().claim_attempt("t1", 1)
    flusher.sweep()
    assert flusher.find("t1") is not None


def test_attempt_after_one_that_was_lost_is_written(flusher, time):
    first = Snapshot.queued("t1", "demo", now=time.now).begun(now=time.now).lost(now=time.now)
    get_store().add(first)
    second = flusher.make_reporter(first)
    second.begin()
    flusher.add(second)
    time.move(60)
    flusher.flush()
    assert (read().state, read().attempt) == ("running", 2)


def test_attempt_that_takes_the_place_of_a_lost_one_meanwhile_is_kept(flusher, time, cache, caplog):
    lost = lose(flusher, time)
    lost.progress.update(current=1, total=4)
    second = flusher.make_reporter(read())
    cache.after_read = lambda: flusher.add(second)
    flusher.flush()
    assert flusher.find("t1") is second
    assert caplog.records == []


def test_task_that_was_merely_late_is_written(flusher, time):
    reporter = begin(flusher)
    flusher.flush()
    time.move(60)
    reporter.progress.update(current=1, total=4)
    flusher.flush()
    assert (read().state, read().progress) == ("running", 25)


def test_job_that_lives_while_reads_fail_and_writes_work_is_written_to_its_end(flusher, time):
    reporter = begin(flusher)
    flusher.flush()
    with controlled_cache("get_many") as controls:
        for _ in range(20):
            time.move(5)
            assert flusher.flush()
        reporter.succeed(1)
        assert flusher.flush()
        controls.repair()
        assert (read().state, read().result) == ("succeeded", 1)


def test_task_that_vanished_meanwhile_is_written(flusher, time):
    begin(flusher)
    flusher.flush()
    get_store().cache.clear()
    time.move(60)
    flusher.flush()
    assert read().state == "running"


def test_garbage_that_was_stored_meanwhile_is_written_over(flusher, time, caplog):
    begin(flusher)
    flusher.flush()
    get_store().cache.set("tasks_app:task:t1", "garbage", None)
    time.move(60)
    flusher.flush()
    assert read().state == "running"
    assert "task t1" in caplog.text


def test_task_is_not_written_after_a_pause_as_long_as_nobody_can_tell_whether_it_goes_on_elsewhere(flusher, time):
    with controlled_cache() as controls:
        lose(flusher, time, store_as=lambda snapshot, now: snapshot.begun(now=now))
        controls.break_down("get_many")
        assert not flusher.flush()
        assert flusher.find("t1") is not None
        controls.repair()
        flusher.flush()
        assert (read().attempt, flusher.find("t1")) == (2, None)


def test_task_that_is_written_in_time_is_not_read(flusher, time):
    reporter = begin(flusher)
    with recorded_cache() as calls:
        flusher.flush()
        time.move(15)
        reporter.progress.update(current=1)
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many", "set_many"]
