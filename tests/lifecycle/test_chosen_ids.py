"""Ids that are used for one run after another: each run is a task of its own."""

from dataclasses import replace
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest

from tasks_app import Snapshot, announce, get_snapshot, start, task_ended, task_run
from tasks_app.lifecycle.attempts import begin
from tasks_app.lifecycle.chosen_ids import is_chosen, name_run
from tasks_app.reporting import find_reporter, get_flusher
from tasks_app.reporting.backlog import Backlog
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.viewers import NOW, put_silently
from tests.support.waiting import wait_until

LATER = NOW + timedelta(milliseconds=1)


def make_queued(owner: str | None, *, created_at=NOW) -> Snapshot:
    return Snapshot.queued("report", "demo", now=created_at, owner=owner)


def receive(sent: Snapshot):
    """Begin a task as a worker does that knows it from its message alone."""
    return begin(replace(sent, seq=0), find_reporter(sent.task_id), run=name_run(sent))


@pytest.mark.parametrize(
    ("task_id", "expected"),
    [(str(uuid4()), False), ("report-7", True), (str(uuid5(NAMESPACE_URL, "report-7")), True)],
    ids=["random", "name", "made of a name"],
)
def test_id_that_may_come_again_is_known(task_id, expected):
    assert is_chosen(task_id) is expected


def test_message_of_the_stored_run_is_its_attempt():
    sent = make_queued("7")
    put_silently(sent)
    receive(sent).succeed(1)
    get_flusher().flush()
    found = get_snapshot("report")
    assert (found.result, found.owner, found.attempt) == (1, "7", 1)


@pytest.mark.parametrize("begun", [False, True], ids=["waits", "runs"])
def test_message_of_an_earlier_run_reports_to_nobody(begun, caplog):
    """As where a broker delivers it once more after its end."""
    earlier, stored = make_queued("7"), make_queued("8", created_at=LATER)
    put_silently(stored := stored.begun(now=LATER) if begun else stored)
    reporter = receive(earlier)
    reporter.progress.log("a secret of the first owner")
    reporter.progress.update(status="theirs")
    reporter.succeed("theirs")
    get_flusher().flush()
    assert get_snapshot("report") == stored
    assert "another run has this id" in caplog.text


def test_message_of_a_second_run_does_not_reach_the_task_that_runs():
    running, second = make_queued("7").begun(now=NOW), make_queued(None, created_at=LATER)
    put_silently(running)
    receive(second).succeed("of the second")
    get_flusher().flush()
    assert get_snapshot("report") == running


def test_attempt_of_this_process_stays_that_of_its_run():
    sent = make_queued("7")
    put_silently(sent)
    own = receive(sent)
    receive(make_queued("8", created_at=LATER)).succeed("of another")
    assert find_reporter("report") is own
    own.succeed("own")
    get_flusher().flush()
    assert get_snapshot("report").result == "own"


def test_new_run_follows_the_end_of_an_earlier_one_where_its_sender_could_not_store_it():
    put_silently(ended := make_queued("7").begun(now=NOW).succeeded("first", now=NOW))
    receive(make_queued("8", created_at=LATER)).succeed("second")
    get_flusher().flush()
    found = get_snapshot("report")
    assert (found.owner, found.result, found.attempt) == ("8", "second", 2)
    assert found.seq > ended.seq


@pytest.mark.parametrize("owner", ["7", "8"])
def test_run_that_began_while_the_cache_failed_is_told_apart_once_it_answers(cache, owner):
    """The first one's message comes while nothing can be read; the second one runs."""
    put_silently(stored := make_queued("8", created_at=LATER).begun(now=LATER))
    sent = make_queued(owner, created_at=LATER if owner == "8" else NOW)
    cache.break_down("get", "get_many")
    reporter = receive(sent)
    cache.repair()
    reporter.succeed("done")
    get_flusher().flush()
    assert (get_snapshot("report") == stored) is (owner == "7")


def run_under_one_id() -> None:
    with task_run("import", task_id=announce("import", task_id="import")):
        start(jobs.add, 1)
    wait_until(lambda: get_snapshot("import").is_terminal, "it has ended")


def expire() -> None:
    """Have the cache drop what it keeps for the shortest time."""
    for key in ("task:import", *(f"begin:import:{attempt}" for attempt in range(3))):
        get_store().cache.delete(f"tasks_app:{key}")
    get_flusher().backlog = Backlog(get_flusher().sums.end)


def test_run_has_no_children_of_the_one_before():
    for _ in range(2):
        run_under_one_id()
    assert get_snapshot("import").children["total"] == 1


def test_run_has_no_children_of_one_whose_end_is_kept_no_longer():
    run_under_one_id()
    expire()
    announce("import", task_id="import")
    with task_run("import", task_id="import"):
        get_flusher().sweep()
        assert get_snapshot("import").children is None


def test_end_is_told_of_each_run_of_a_parent():
    told = []

    def note(snapshot: Snapshot, **others: object) -> None:
        told.append(snapshot.task_id)

    task_ended.connect(note)
    for runs in range(1, 3):
        run_under_one_id()
        wait_until(lambda runs=runs: told.count("import") == runs, "its end is told")
        expire()
    task_ended.disconnect(note)
