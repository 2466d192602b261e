"""A process that begins a task goes on from what is known of it, as soon as that can be read."""

from tasks_app.attempts import adopt, begin
from tasks_app.flusher import get_flusher
from tasks_app.log import PAGE_LINES
from tasks_app.state import Snapshot
from tasks_app.store import get_store
from tests.doubles import controlled_cache, read
from tests.viewers import NOW, save_text


def add_queued() -> Snapshot:
    """Store the first snapshot of a task that has an owner."""
    snapshot = Snapshot.queued("t1", "import", now=NOW, owner="7")
    get_store().add(snapshot)
    return snapshot


def make_anew() -> Snapshot:
    """Return the task as it is known without the cache."""
    return Snapshot.queued("t1", "shop.tasks.work", now=NOW)


def end(reporter) -> Snapshot:
    """End a task, and return what is stored of it then."""
    reporter.succeed()
    assert get_flusher().drain(10)
    return read()


def test_task_goes_on_from_its_first_snapshot():
    add_queued()
    snapshot = end(begin(make_anew()))
    assert (snapshot.task, snapshot.owner, snapshot.attempt) == ("import", "7", 1)


def test_task_of_which_nothing_is_known_is_named_by_its_function():
    snapshot = end(begin(make_anew()))
    assert (snapshot.task, snapshot.owner, snapshot.attempt) == ("shop.tasks.work", None, 1)


def test_task_that_was_cancelled_before_stops_at_its_first_check():
    add_queued()
    get_store().request_cancel("t1")
    reporter = begin(make_anew())
    assert reporter.cancelled
    reporter.end_cancelled()


def test_owner_outlives_an_outage_of_the_cache_in_the_moment_of_the_beginning(caplog):
    with controlled_cache() as controls:
        queued = add_queued()
        controls.break_down("get_many")
        reporter = begin(make_anew())
        get_flusher().flush()
        assert read_raw() == queued.to_json()
        controls.repair()
        snapshot = end(reporter)
    assert (snapshot.task, snapshot.owner, snapshot.created_at) == ("import", "7", NOW)
    assert snapshot.seq > queued.seq
    assert "task t1: its snapshot could not be read" in caplog.text


def read_raw() -> str:
    """Return the stored text, although reads of many fail."""
    return get_store()._cache.get("tasks_app:task:t1")


def test_attempt_that_follows_one_whose_beginning_was_in_an_outage_keeps_the_owner():
    with controlled_cache() as controls:
        add_queued()
        controls.break_down("get_many")
        first = begin(make_anew())
        first.fail(ValueError())
        second = begin(make_anew(), first)
        controls.repair()
        snapshot = end(second)
    assert (snapshot.owner, snapshot.attempt) == ("7", 2)


def test_stored_text_that_is_no_snapshot_is_replaced(caplog):
    save_text("t1", "nonsense")
    assert end(begin(make_anew())).task == "shop.tasks.work"
    assert "task t1: what is stored of it is no snapshot" in caplog.text


def test_next_attempt_goes_on_from_the_end_of_the_last():
    with controlled_cache("set_many"):
        first = begin(make_anew())
        first.meta(rows=3)
        first.fail(ValueError())
        second = begin(make_anew(), first)
    snapshot = end(second)
    assert (snapshot.state, snapshot.attempt, snapshot.error) == ("succeeded", 2, None)
    assert snapshot.seq > first.snapshot.seq


def test_log_of_an_attempt_that_began_in_an_outage_leaves_that_of_the_last_alone():
    with controlled_cache() as controls:
        first = begin(make_anew())
        first.log("of the first")
        get_flusher().flush()
        get_flusher().remove(first)
        controls.break_down("get_many")
        second = begin(make_anew())
        second.log("of the second")
        controls.repair()
        snapshot = end(second)
        pages = get_store()._cache.get_many(["tasks_app:log:t1:0", "tasks_app:log:t1:1"])
    assert snapshot.logged == PAGE_LINES + 1
    assert ["first" in pages["tasks_app:log:t1:0"], "second" in pages["tasks_app:log:t1:1"]] == [True, True]


def test_task_that_has_ended_is_not_looked_after_any_more():
    adopt(add_queued().cancelled(now=NOW))
    assert get_flusher().find("t1") is None
