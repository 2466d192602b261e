"""The notes that an executor holds tasks: each soon, all again and again, and none once it holds the task no more."""

import pytest

from tasks_app.store import received
from tasks_app.store.received import Notes, find_received
from tasks_app.store.store import get_store
from tests.support.waiting import wait_until


@pytest.fixture
def quick(settings) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.05}


@pytest.mark.usefixtures("quick")
def test_note_is_renewed_while_the_task_is_held():
    held = {"t1", "t2"}
    notes = Notes(held.__contains__)
    for task_id in ("t1", "t2"):
        notes.add(task_id)
    wait_until(lambda: find_received(["t1", "t2"]) == {"t1", "t2"}, "both are noted")
    held.remove("t1")
    get_store().cache.clear()
    wait_until(lambda: find_received(["t1", "t2"]) == {"t2"}, "what is held is noted again")
    held.clear()
    wait_until(lambda: not notes._is_running, "the thread ended")
    get_store().cache.clear()
    held.add("t3")
    notes.add("t3")
    wait_until(lambda: find_received(["t2", "t3"]) == {"t3"}, "it began again")
    held.clear()


def test_new_note_is_written_alone(monkeypatch):
    held, written = set(), []
    monkeypatch.setattr(received, "note_received", lambda task_ids: written.append(set(task_ids)))
    notes = Notes(held.__contains__)
    for task_id in ("t1", "t2"):
        held.add(task_id)
        notes.add(task_id)
        wait_until(lambda task_id=task_id: written and task_id in written[-1], "it was written")
    assert written[:2] == [{"t1"}, {"t2"}]
    held.clear()
    notes._has_more.set()


@pytest.mark.usefixtures("quick")
def test_note_that_can_not_be_written_is_logged_and_written_later(monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(get_store().cache, "set_many", None)
        held = {"t1"}
        notes = Notes(held.__contains__)
        notes.add("t1")
        wait_until(lambda: "viewers may be told that tasks expired which this worker holds" in caplog.text, "logged")
    wait_until(lambda: find_received(["t1"]), "it was written")
    held.clear()


def test_note_lasts_for_lost_after(monkeypatch):
    asked = []
    monkeypatch.setattr(get_store().cache, "set_many", lambda values, ttl: asked.append((list(values), ttl)))
    received.note_received(["t1"])
    assert asked == [(["tasks_app:received:t1"], 60)]
