"""How the main process of a worker ends the tasks whose process has died, or that never began."""

import os
import threading
from collections.abc import Iterator
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from celery.app.task import Context
from celery.exceptions import Retry, TimeLimitExceeded, WorkerLostError

from tasks_app import Snapshot, State
from tasks_app.contrib.celery import dead_workers, publishing, running
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.snapshot.state import Report
from tasks_app.store.store import get_store
from tests.contrib.celery.test_start import NOW
from tests.support.celery_site import knows, wait_for_end
from tests.support.doubles import controlled_cache
from tests.support.waiting import DEADLINE, wait_until


class SimpleRequest:
    """What a worker knows of a task in its hands, which process 1 runs."""

    type = "demo"
    task = SimpleNamespace(acks_late=False)
    worker_pid = 1
    expires = chain = chord = None
    request_dict: dict[str, Any]
    _context = Context()

    def __init__(self, task_id: str) -> None:
        self.id = task_id


class LateRequest(SimpleRequest):
    """One whose message is acknowledged late, and that a cold shutdown has just cancelled."""

    task = SimpleNamespace(acks_late=True)
    acknowledged = False
    _already_cancelled = True


def write_all() -> None:
    """Wait until all is said of orphans, and stored."""
    dead_workers.drain(DEADLINE)
    get_flusher().flush()


@pytest.fixture
def orphan() -> Snapshot:
    """A task that runs, according to the cache, in a process that is gone."""
    snapshot = Snapshot.queued("t1", "demo", now=NOW, owner="7", runner="celery").begun(now=NOW)
    get_store().add(snapshot)
    return snapshot


def test_end_of_an_orphan_is_said_when_the_cache_is_back(caplog):
    with controlled_cache() as controls:
        get_store().add(Snapshot.queued("t1", "demo", now=NOW).begun(now=NOW))
        controls.break_down()
        dead_workers.on_revoked(request=Context(id="t1"), terminated=True, expired=False)
        wait_until(lambda: "its snapshot could not be read; retrying" in caplog.text, "the cache was asked")
        controls.repair()
        assert wait_for_end("t1").state == "cancelled"


def test_orphan_that_has_ended_keeps_its_end(orphan):
    get_store().save([orphan.succeeded(now=NOW)])
    dead_workers.on_revoked(request=Context(id="t1"), terminated=True, expired=False)
    write_all()
    assert get_store().get("t1").state == "succeeded"


@pytest.mark.parametrize(("error", "state"), [(WorkerLostError(), "lost"), (TimeLimitExceeded(2), "failed")])
def test_task_of_which_nobody_could_store_anything_is_known_by_its_message(error, state):
    request = SimpleRequest("t1")
    request.request_dict = {"id": "t1", "task": "demo", "tasks_app": {"task": "import", "owner": "7"}}
    dead_workers.on_received(request=request)
    dead_workers.fail("t1", error)
    wait_until(lambda: knows("t1"), "it is known")
    snapshot = wait_for_end("t1")
    assert (snapshot.state, snapshot.task, snapshot.owner) == (state, "import", "7")
    wait_until(lambda: get_store().find_recent() == ["t1"], "it is listed")


def test_end_of_a_task_that_the_cache_has_lost_is_later_than_all_that_viewers_have_seen():
    request = SimpleRequest("t1")
    request.request_dict = {"id": "t1", "task": "demo"}
    dead_workers.on_received(request=request)
    dead_workers.fail("t1", WorkerLostError())
    wait_until(lambda: knows("t1"), "it is known")
    assert wait_for_end("t1").seq > 100_000


def test_failure_of_which_nothing_is_stored_is_left_to_the_process_that_may_have_begun_it():
    request = SimpleRequest("t1")
    request.request_dict = {"id": "t1", "task": "demo"}
    dead_workers.on_received(request=request)
    dead_workers.fail("t1", ValueError())
    write_all()
    assert get_store().get("t1") is None


def test_failure_of_what_runs_elsewhere_is_left_to_that_process(orphan):
    dead_workers.fail("t1", RuntimeError())
    write_all()
    assert get_store().get("t1").state == "running"


def test_failure_of_what_could_not_begin_is_told(orphan):
    get_store().save([orphan.requeued(now=NOW)])
    dead_workers.fail("t1", RuntimeError())
    assert wait_for_end("t1").error["type"] == "Exception"


def test_end_of_a_killed_process_is_said_after_its_last_word(orphan, monkeypatch):
    def look(pid: int) -> bool:
        """The process writes once more, and is dead the second time that someone looks."""
        is_first = not looked
        looked.append(pid)
        if is_first:
            get_store().save([orphan.reported(Report(current=3, total=10), now=NOW)])
        return is_first

    looked: list[int] = []
    request = SimpleRequest("t1")
    dead_workers.on_received(request=request)
    monkeypatch.setattr(dead_workers, "_is_alive", look)
    dead_workers.on_revoked(request=request, terminated=True, expired=False)
    ended = wait_for_end("t1")
    assert (ended.state, ended.progress, looked) == ("cancelled", 30, [1, 1])


def test_process_that_outlives_its_end_is_left_the_last_word(orphan, monkeypatch, caplog):
    request = SimpleRequest("t1")
    dead_workers.on_received(request=request)
    monkeypatch.setattr(dead_workers, "DEATH_SECONDS", 0)
    monkeypatch.setattr(dead_workers, "_is_alive", lambda pid: True)
    dead_workers.on_revoked(request=request, terminated=True, expired=False)
    write_all()
    assert get_store().get("t1").state == "running"
    assert "task t1: process 1 was told to die, but goes on and reports the task" in caplog.text


def test_retry_whose_message_was_sent_is_left_to_the_next_attempt(orphan):
    running.on_retry(sender=SimpleNamespace(acks_late=True), request=SimpleNamespace(id="t1"), reason=Retry())
    write_all()
    assert get_store().get("t1").state == "running"


def test_task_that_the_worker_took_back_from_a_killed_process_waits_to_be_begun_anew(orphan):
    running.on_retry(sender=SimpleNamespace(acks_late=True), request=SimpleNamespace(id="t1"))
    wait_until(lambda: get_store().get("t1").state is State.QUEUED, "the task waits")
    wait_until(lambda: find_reporter("t1") is None, "nobody reports it here any more")


def test_task_whose_message_is_acknowledged_is_lost_with_the_process_that_the_worker_killed(orphan):
    running.on_retry(sender=SimpleNamespace(acks_late=False), request=SimpleNamespace(id="t1"))
    wait_until(lambda: get_store().get("t1").state is State.LOST, "the task is lost")


def test_task_that_a_worker_sends_anew_for_a_dead_process_is_queued_before(orphan):
    headers: dict[str, Any] = {"id": "t1", "task": "demo", "retries": 1}
    publishing.on_publish(headers=headers)
    assert get_store().get("t1").state == "queued"
    assert {"task": "demo", "owner": "7", "attempt": 1}.items() <= headers["tasks_app"].items()


def test_message_that_the_worker_can_not_read_is_the_end_of_its_task(orphan):
    dead_workers.on_rejected(message=SimpleNamespace(headers={"id": "t1"}), exc=None)
    assert wait_for_end("t1").error["type"] == "InvalidTaskError"


def receive_late(**changes: Any) -> LateRequest:
    """Have the worker get `t1`, which is then as these say."""
    request = LateRequest("t1")
    dead_workers.on_received(request=request)
    vars(request).update(changes)
    return request


def test_task_that_a_cold_shutdown_gives_back_waits(orphan, monkeypatch):
    monkeypatch.setattr(dead_workers, "_await_death", lambda pid: True)
    receive_late()
    dead_workers.hand_back_cancelled()
    assert get_store().get("t1").state == "queued"


@pytest.mark.parametrize(
    "changes",
    [{"_already_cancelled": False}, {"acknowledged": True}, {"worker_pid": None}, {"worker_pid": os.getpid()}],
)
def test_task_that_a_shutdown_does_not_give_back_is_left_alone(orphan, monkeypatch, changes):
    monkeypatch.setattr(dead_workers, "_await_death", lambda pid: True)
    receive_late(**changes)
    dead_workers.hand_back_cancelled()
    assert get_store().get("t1").state == "running"


def test_task_that_was_handed_back_is_not_handed_back_once_more_when_the_worker_ends(orphan, monkeypatch):
    monkeypatch.setattr(dead_workers, "_await_death", lambda pid: True)
    receive_late()
    dead_workers.hand_back("t1")
    write_all()
    get_store().save([get_store().get("t1").begun(now=NOW)])  # elsewhere
    dead_workers.hand_back_cancelled()
    assert get_store().get("t1").state == "running"


@pytest.fixture
def gated_load(monkeypatch) -> Iterator[threading.Event]:
    """What is stored of an orphan can be read once this event is set."""
    gate, load = threading.Event(), dead_workers._load

    def load_late(task_id: str) -> Snapshot | None:
        assert gate.wait(DEADLINE)
        return load(task_id)

    monkeypatch.setattr(dead_workers, "_load", load_late)
    yield gate
    gate.set()
    dead_workers.drain(DEADLINE)


def test_cold_shutdown_waits_for_the_end_of_what_it_kills(orphan, gated_load, monkeypatch):
    drain = dead_workers.drain

    def drain_at_last(timeout: float) -> None:
        gated_load.set()
        drain(timeout)

    monkeypatch.setattr(dead_workers, "drain", drain_at_last)
    running.on_retry(sender=SimpleNamespace(acks_late=False), request=SimpleNamespace(id="t1"))
    dead_workers.hand_back_cancelled()
    assert get_flusher().drain(DEADLINE)
    assert get_store().get("t1").state is State.LOST


def test_what_was_waited_for_in_vain_is_not_waited_for_again(orphan, gated_load):
    dead_workers.fail("t1", WorkerLostError())
    (ending,) = dead_workers.get_held().unfinished
    dead_workers.drain(0)
    began = monotonic()
    dead_workers.drain(DEADLINE)
    assert monotonic() - began < 10
    gated_load.set()
    ending.result(DEADLINE)


def test_request_is_let_go_once_its_message_is_acknowledged():
    request = receive_late(acknowledged=True)
    dead_workers.on_received(request=SimpleRequest("t2"))
    assert request not in dead_workers.get_held().unacknowledged.values()
