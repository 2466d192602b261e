"""The ends of tasks whose backends tell little of them, late or nothing: only their status counts."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tasks_app import TaskCancelled, get_snapshot
from tasks_app.lifecycle import late_outcomes, outcome
from tasks_app.reporting.process import drain_process
from tests.support import jobs
from tests.support.jobs import task
from tests.support.sparse_backend import SparseBackend, Talk
from tests.support.waiting import wait_until


@task
def stop() -> None:
    raise TaskCancelled("enough")


@pytest.fixture(autouse=True)
def talk(settings) -> Iterator[Talk]:
    path = f"{SparseBackend.__module__}.{SparseBackend.__qualname__}"
    settings.TASKS = {
        **settings.TASKS,
        "silent": {"BACKEND": path},
        "keeping": {"BACKEND": path, "OPTIONS": {"keeps": True}},
    }
    settings.TASKS_APP = {**settings.TASKS_APP, "EXPOSE_ERRORS": True}
    SparseBackend.talk = Talk()
    yield SparseBackend.talk
    SparseBackend.stored.clear()
    SparseBackend.complete.clear()


def run(function, backend: str, **kwargs):
    """Run a task on a backend, and return its snapshot."""
    return get_snapshot(function.using(backend=backend).enqueue(**kwargs).id)


# --- a backend that tells the status alone ---


def test_success_without_a_result_is_a_success():
    snapshot = run(jobs.add, "silent", a=1)
    assert (snapshot.state, snapshot.progress, snapshot.result) == ("succeeded", 100, None)


def test_failure_without_errors_is_a_failure():
    snapshot = run(jobs.fail, "silent")
    assert (snapshot.state, snapshot.error) == ("failed", {"type": "Exception", "message": "The task failed."})


def test_end_of_a_task_whose_begin_nobody_told_is_told(talk):
    talk.starts = False
    assert run(jobs.add, "silent", a=1).state == "succeeded"


def test_task_that_is_to_run_again_is_queued(talk):
    talk.status = outcome.READY
    assert run(jobs.add, "silent", a=1).state == "queued"


def test_end_without_an_outcome_is_lost_and_logged(talk, caplog):
    talk.status = "RUNNING"
    assert run(jobs.add, "silent", a=1).state == "lost"
    assert "its backend says that it has ended, but not how: 'RUNNING'" in caplog.text


# --- a backend that can be asked ---


def test_result_is_asked_for():
    assert run(jobs.add, "keeping", a=1).result == 2


def test_error_is_asked_for():
    assert run(jobs.fail, "keeping", message="no file").error == {"type": "RuntimeError", "message": "no file"}


def test_cancel_is_asked_for():
    assert run(stop, "keeping").state == "cancelled"


@pytest.mark.parametrize(("function", "state"), [(jobs.add, "succeeded"), (stop, "cancelled")])
def test_status_that_comes_late_is_asked_for(talk, function, state):
    talk.status = "RUNNING"
    assert run(function, "keeping", **({"a": 1} if function is jobs.add else {})).state == state


def test_result_that_is_stored_later_is_waited_for(talk, monkeypatch):
    monkeypatch.setattr(late_outcomes, "PATIENCE", 60)
    talk.is_late = True
    snapshot = run(jobs.add, "keeping", a=1)
    assert snapshot.state == "running"
    SparseBackend.store(snapshot.task_id)
    wait_until(lambda: get_snapshot(snapshot.task_id).is_terminal, "its end was told")
    assert get_snapshot(snapshot.task_id).result == 2


def test_result_that_is_never_stored_keeps_no_task_from_its_end(talk, monkeypatch):
    monkeypatch.setattr(late_outcomes, "PATIENCE", 0)
    talk.is_late = True
    task_id = run(jobs.add, "keeping", a=1).task_id
    wait_until(lambda: get_snapshot(task_id).is_terminal, "its end was told")
    assert (get_snapshot(task_id).state, get_snapshot(task_id).result) == ("succeeded", None)


def test_process_that_ends_asks_once_more(talk, monkeypatch):
    monkeypatch.setattr(late_outcomes, "PATIENCE", 60)
    monkeypatch.setattr(late_outcomes, "PAUSE", 60)
    talk.is_late = True
    task_id = run(jobs.add, "keeping", a=1).task_id
    SparseBackend.store(task_id)
    drain_process()
    assert (get_snapshot(task_id).state, get_snapshot(task_id).result) == ("succeeded", 2)


# --- a backend that fails ---


def test_backend_that_can_not_be_asked_keeps_no_task_from_its_end(monkeypatch, caplog):
    monkeypatch.setattr(SparseBackend, "get_result", lambda backend, result_id: 1 / 0)
    snapshot = run(jobs.add, "keeping", a=1)
    assert snapshot.state == "succeeded"
    assert f"task {snapshot.task_id}: its backend could not tell its outcome" in caplog.text


class Broken(SimpleNamespace):
    """A result that has a status, and nothing else that works."""

    @property
    def errors(self) -> list[object]:
        raise ConnectionError("away")

    return_value = errors


@pytest.mark.parametrize("status", [outcome.FAILED, outcome.SUCCESSFUL])
def test_result_that_can_not_be_read_has_a_status(status):
    assert outcome.read(Broken(id="t1", status=status)) == outcome.Outcome(status)


def test_error_with_nothing_in_it_is_a_failure():
    error = SimpleNamespace(exception_class_path=None, traceback=None)
    found = outcome.read(SimpleNamespace(id="t1", status=outcome.FAILED, errors=[error]))
    assert (found.status, found.kind) == (outcome.FAILED, "")


def test_errors_that_are_none_of_its_framework_keep_no_task_from_its_end(talk, monkeypatch, caplog):
    monkeypatch.setattr(late_outcomes, "PATIENCE", 60)
    talk.is_late = True
    odd, other = run(jobs.fail, "keeping").task_id, run(jobs.add, "keeping", a=1).task_id
    SparseBackend.complete[odd] = replace(SparseBackend.complete[odd], errors=["no file"])
    SparseBackend.store(odd)
    wait_until(lambda: get_snapshot(odd).is_terminal, "its end was told")
    SparseBackend.store(other)
    wait_until(lambda: get_snapshot(other).is_terminal, "the end of the other was told")
    assert [get_snapshot(task_id).state for task_id in (odd, other)] == ["failed", "succeeded"]
    assert f"task {odd}: its backend could not tell its outcome" in caplog.text
