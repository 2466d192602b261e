"""A process that begins a task goes on from what is known of it, as soon as that can be read."""

import threading
from dataclasses import replace

import pytest
from django.core.cache import caches

from tasks_app.lifecycle import attempts
from tasks_app.lifecycle.attempts import Delivery, adopt, begin
from tasks_app.lifecycle.claims import claim_beginning
from tasks_app.reporting import pauses
from tasks_app.reporting.flusher import Flusher
from tasks_app.reporting.process import get_flusher
from tasks_app.reporting.reporter import Reporter
from tasks_app.snapshot.log_page import PAGE_LINES
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.store.words import find_words
from tests.support.doubles import begin as begin_by_hand
from tests.support.doubles import controlled_cache, read
from tests.support.viewers import NOW, make_running, save_text


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


def test_attempt_after_the_cache_was_emptied_is_later_than_all_that_viewers_have_seen():
    seen = replace(make_running(), seq=100_000)
    get_store().save([seen])
    caches["default"].clear()
    assert end(begin(make_anew())).seq > seen.seq


def test_attempt_that_began_in_an_outage_which_emptied_the_cache_is_later_than_all_that_viewers_have_seen():
    with controlled_cache() as controls:
        seen = replace(make_running(), seq=100_000)
        get_store().save([seen])
        controls.break_down("get_many")
        reporter = begin(make_anew())
        get_store().cache.clear()
        controls.repair()
        assert end(reporter).seq > seen.seq


def test_task_that_was_cancelled_before_stops_at_its_first_check():
    add_queued()
    get_store().request_cancel("t1")
    reporter = begin(make_anew())
    assert reporter.progress.cancelled
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
    return get_store().cache.get("tasks_app:task:t1")


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
    assert "task t1: its stored snapshot can't be decoded" in caplog.text


def test_next_attempt_goes_on_from_the_end_of_the_last():
    with controlled_cache("set_many"):
        first = begin(make_anew())
        first.progress.meta(rows=3)
        first.fail(ValueError())
        second = begin(make_anew(), first)
    snapshot = end(second)
    assert (snapshot.state, snapshot.attempt, snapshot.error) == ("succeeded", 2, None)
    assert snapshot.seq > first.snapshot.seq


def test_log_of_an_attempt_that_began_in_an_outage_leaves_that_of_the_last_alone():
    with controlled_cache() as controls:
        first = begin(make_anew())
        first.progress.log("of the first")
        get_flusher().flush()
        get_flusher().remove(first)
        controls.break_down("get_many")
        second = begin(make_anew())
        second.progress.log("of the second")
        controls.repair()
        snapshot = end(second)
        pages = get_store().cache.get_many(["tasks_app:log:t1:0", "tasks_app:log:t1:1"])
    assert snapshot.logged == PAGE_LINES + 1
    assert ["first" in pages["tasks_app:log:t1:0"], "second" in pages["tasks_app:log:t1:1"]] == [True, True]


def test_task_that_has_ended_is_not_looked_after_any_more():
    adopt(add_queued().cancelled(now=NOW))
    assert get_flusher().find("t1") is None


def test_second_attempt_leaves_word_for_the_first():
    begin(add_queued()).end_lost()
    assert get_flusher().drain(10)
    assert find_words(["t1"]).attempts == {}
    end(begin(make_anew()))
    assert find_words(["t1", "t2"]).attempts == {"t1": 2}


def test_word_that_can_not_be_left_is_logged_and_the_attempt_begins(caplog):
    begin(add_queued()).end_lost()
    assert get_flusher().drain(10)
    with controlled_cache() as controls:
        controls.break_down("set")
        reporter = begin(make_anew())
        assert reporter.attempt == 2
        reporter.succeed()
        assert get_flusher().drain(10)
    assert "task t1: its new attempt could not be stored" in caplog.text


def test_job_that_is_passed_on_in_an_outage_is_queued_when_the_cache_is_back(flusher, time, monkeypatch):
    monkeypatch.setattr(attempts, "get_flusher", lambda: flusher)
    progress = begin_by_hand(flusher)
    flusher.flush()
    with controlled_cache("set_many"):
        assert not attempts.pass_on(progress)
    flusher.flush()
    assert (read().state, flusher.find("t1")) == ("queued", None)


def test_job_that_is_passed_on_in_an_outage_does_not_write_over_the_next_attempt(flusher, time, monkeypatch, caplog):
    monkeypatch.setattr(attempts, "get_flusher", lambda: flusher)
    progress = begin_by_hand(flusher)
    flusher.flush()
    with controlled_cache("set_many"):
        attempts.pass_on(progress)
    get_store().save([read().begun(now=time.now)])
    caplog.clear()
    flusher.flush()
    assert (read().state, read().attempt, flusher.find("t1"), caplog.text) == ("running", 2, None, "")


def test_job_does_not_wait_for_a_cache_that_is_known_to_fail(monkeypatch):
    add_queued()
    monkeypatch.setattr(type(get_flusher()), "is_failing", True)
    monkeypatch.setattr(type(get_store()), "load", lambda self, task_id: 1 / 0)
    reporter = begin(make_anew())
    monkeypatch.undo()
    assert end(reporter).owner == "7"


# --- first attempts of tasks that were sent ---


def begin_first(monkeypatch: pytest.MonkeyPatch) -> Reporter:
    """Begin the task; nothing is written of it before it ends."""
    monkeypatch.setattr(pauses, "BEGIN_PAUSE", 10)
    return begin(make_anew(), delivery=Delivery.FIRST)


def test_first_attempt_begins_without_a_read(monkeypatch):
    add_queued()
    with controlled_cache("get", "get_many"):
        add_queued()
        reporter = begin_first(monkeypatch)
        assert (reporter.is_read, get_flusher().is_failing) == (False, False)
    reporter.succeed()


def test_first_attempt_goes_on_from_what_is_stored(monkeypatch):
    stored = add_queued()
    snapshot = end(begin_first(monkeypatch))
    assert (snapshot.task, snapshot.owner, snapshot.attempt) == ("import", "7", 1)
    assert (snapshot.created_at, snapshot.seq > stored.seq) == (stored.created_at, True)


def test_task_whose_message_comes_twice_is_read_the_second_time(monkeypatch):
    add_queued()
    assert not begin_first(monkeypatch).is_read
    get_flusher().flush()
    get_flusher().remove(get_flusher().find("t1"))  # the process is gone
    reporter = begin_first(monkeypatch)
    assert (reporter.is_read, end(reporter).attempt) == (True, 2)


def test_attempt_that_died_before_it_was_written_counts_when_its_message_comes_again(monkeypatch):
    add_queued()
    get_flusher().remove(begin_first(monkeypatch))  # the process is gone
    assert end(begin(make_anew(), delivery=Delivery.AGAIN)).attempt == 2


def test_first_delivery_of_a_message_whose_task_began_elsewhere_is_its_second_attempt(monkeypatch):
    add_queued()
    get_flusher().remove(begin_first(monkeypatch))  # as if another process had it
    assert end(begin_first(monkeypatch)).attempt == 2


def test_message_that_comes_again_for_a_task_that_never_began_is_its_first_attempt():
    add_queued()
    assert end(begin(make_anew(), delivery=Delivery.AGAIN)).attempt == 1


def test_message_that_comes_again_for_an_attempt_that_was_written_counts_it_once(monkeypatch):
    add_queued()
    get_flusher().remove(begin_first(monkeypatch))
    get_store().save([read().begun(now=NOW)])
    assert end(begin(make_anew(), delivery=Delivery.AGAIN)).attempt == 2


def test_task_that_was_withdrawn_is_read_before_it_begins(monkeypatch):
    queued = add_queued()
    assert claim_beginning(queued)
    adopt(queued).end_cancelled()
    assert get_flusher().drain(10)
    reporter = begin_first(monkeypatch)
    assert reporter.is_read
    reporter.end_cancelled()


def test_task_that_begins_can_not_be_withdrawn(monkeypatch):
    queued = add_queued()
    reporter = begin_first(monkeypatch)
    assert not claim_beginning(queued)
    reporter.succeed()


def test_first_attempt_learns_of_a_cancel_that_came_before_with_the_first_write(monkeypatch):
    add_queued()
    get_store().request_cancel("t1")
    reporter = begin_first(monkeypatch)
    get_flusher().flush()
    assert reporter.progress.cancelled
    reporter.end_cancelled()


@pytest.fixture
def _only_test_writes(monkeypatch) -> None:
    """The flusher's own thread writes nothing until the test is over."""
    flush, test = Flusher.flush, threading.current_thread()

    def flush_here(self: Flusher, **options: bool) -> bool:
        return threading.current_thread() is not test or flush(self, **options)

    monkeypatch.setattr(Flusher, "flush", flush_here)
    get_flusher().flush()  # it waits for a write that is under way


@pytest.mark.usefixtures("_only_test_writes")
def test_tasks_that_began_without_a_read_are_read_in_one_round_trip():
    with controlled_cache() as controls:
        task_ids = [f"t{number}" for number in range(3)]
        known = [Snapshot.queued(task_id, "demo", now=NOW) for task_id in task_ids]
        reporters = [begin(snapshot, delivery=Delivery.FIRST) for snapshot in known]
        controls.take_reads()
        get_flusher().flush()
        reads = [read for read in controls.take_reads() if any("task:" in key for key in read)]
        for reporter in reporters:
            reporter.succeed()
        get_flusher().flush()
    assert [{key.rpartition(":")[2] for key in read} for read in reads] == [set(task_ids)]
