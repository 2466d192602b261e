"""A process that was cut off for so long that its task was declared lost finds out, and holds its peace."""

from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.doubles import begin, controlled_cache, read, recorded_cache


def lose(flusher, time, *, store_as=lambda snapshot, now: snapshot.lost(now=now)):
    """Return a task that others take for lost, after a pause in which it could not be written."""
    reporter = begin(flusher)
    flusher.flush()
    get_store().save([store_as(read(), time.now)])
    time.move(60)
    return reporter


def test_task_that_was_declared_lost_is_written_no_more(flusher, time):
    reporter = lose(flusher, time)
    reporter.progress.update(current=1, total=4)
    assert flusher.flush()
    assert (read().state, flusher.find("t1")) == ("lost", None)


def test_end_of_a_task_that_was_declared_lost_is_not_written(flusher, time):
    reporter = lose(flusher, time)
    reporter.succeed(1)
    flusher.flush()
    assert (read().state, read().result, flusher.find("t1")) == ("lost", None, None)


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


def test_job_that_has_ended_is_not_cancelled(flusher, time, settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "ON_LOST": "cancel"}
    reporter = lose(flusher, time)
    reporter.succeed()
    flusher.flush()
    assert (reporter.progress.cancelled, caplog.records[-1].getMessage().endswith("it goes on")) == (False, True)


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
    assert "task t1 was declared lost, or begun again elsewhere" in caplog.text


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


def test_task_is_not_written_after_a_pause_as_long_as_nobody_can_tell_whether_it_is_lost(flusher, time):
    lose(flusher, time)
    with controlled_cache("get_many") as controls:
        assert not flusher.flush()
        assert flusher.find("t1") is not None
        controls.repair()
        flusher.flush()
        assert (read().state, flusher.find("t1")) == ("lost", None)


def test_task_that_is_written_in_time_is_not_read(flusher, time):
    reporter = begin(flusher)
    with recorded_cache() as calls:
        flusher.flush()
        time.move(15)
        reporter.progress.update(current=1)
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many", "set_many"]
