"""Tasks of `django.tasks` are tracked, however they were enqueued, and on whatever backend."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from types import SimpleNamespace

import pytest
from django.test import override_settings
from django.utils import timezone

from tasks_app import (
    TaskCancelled,
    get_snapshot,
    progress,
    start,
    task_run,
)
from tasks_app.lifecycle import attempts, compat, receivers
from tasks_app.reporting.context import get_bound
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.doubles import controlled_cache
from tests.support.jobs import task
from tests.support.waiting import wait_until

IMMEDIATE = f"{compat.Task.__module__.removesuffix('.base')}.backends.immediate.ImmediateBackend"


@task
def peek() -> str:
    """Return the id of the task that `progress` stands for."""
    return progress.task_id


@task
async def apeek() -> str:
    return progress.task_id


@task
def stop() -> None:
    progress.update(current=1, total=4)
    raise TaskCancelled("enough")


@task
async def astop() -> None:
    raise TaskCancelled("enough")


@task
def enqueue_another() -> list[str]:
    """Enqueue a task on the same backend, and tell what `progress` stands for before, in and after it."""
    before = progress.task_id
    inner = peek.using(backend="immediate").enqueue()
    return [before, inner.id, inner.return_value, progress.task_id]


@pytest.fixture(autouse=True)
def _nothing_stays_bound() -> Iterator[None]:
    yield
    assert get_bound() is None


@pytest.fixture
def immediate(settings) -> None:
    """Django's own backend, as a second alias."""
    settings.TASKS = {**settings.TASKS, "immediate": {"BACKEND": IMMEDIATE}}


def run(function, **kwargs):
    """Run a task to its end on Django's own backend; return its result and its snapshot."""
    result = function.using(backend="immediate").enqueue(**kwargs)
    return result, get_snapshot(result.id)


# --- the embedded default ---


def test_enqueued_task_is_tracked_without_start():
    task_id = jobs.count.enqueue(n=5).id
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.progress, snapshot.result) == ("succeeded", 100, {"counted": 5})


def test_task_that_waits_in_another_backend_is_kept_until_its_time():
    due = timezone.now() + timedelta(days=9)
    result = SimpleNamespace(id="later", task=jobs.count.using(run_after=due))
    receivers.on_enqueued(task_result=result)
    assert get_snapshot("later").waits_for == pytest.approx(9 * 86400, abs=5)


def test_started_task_belongs_to_its_owner():
    task_id = start(jobs.add, 1, owner=7)
    assert get_snapshot(task_id).owner == "7"


# --- Django's own backend ---


@pytest.mark.usefixtures("immediate")
def test_task_on_another_backend_is_tracked():
    result, snapshot = run(jobs.count, n=5)
    assert (snapshot.task_id, snapshot.task) == (result.id, "tests.support.jobs.count")
    assert (snapshot.state, snapshot.progress, snapshot.result) == ("succeeded", 100, {"counted": 5})
    assert (snapshot.current, snapshot.unit, snapshot.status, snapshot.attempt) == (5, "steps", "Counting", 1)


def test_task_on_the_dummy_backend_is_shown_as_queued(settings):
    settings.TASKS = {**settings.TASKS, "dummy": {"BACKEND": IMMEDIATE.replace("immediate.Immediate", "dummy.Dummy")}}
    assert get_snapshot(jobs.add.using(backend="dummy").enqueue(1).id).state == "queued"


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("function", [peek, apeek], ids=["sync", "async"])
def test_body_sees_its_own_progress(function):
    result, snapshot = run(function)
    assert snapshot.result == result.id


@pytest.mark.usefixtures("immediate")
async def test_body_enqueued_from_async_code_sees_its_own_progress():
    result = await apeek.using(backend="immediate").aenqueue()
    assert result.return_value == result.id


@pytest.mark.usefixtures("immediate")
def test_async_body_reports():
    _, snapshot = run(jobs.greet, name="Ada")
    assert (snapshot.state, snapshot.status, snapshot.result) == ("succeeded", "Greeting Ada", "Hello, Ada!")


@pytest.mark.usefixtures("immediate")
@override_settings(TASKS_APP={"EXPOSE_ERRORS": True})
def test_task_that_raises_fails_with_the_type_and_message():
    _, snapshot = run(jobs.fail, message="two\nlines: of text")
    assert (snapshot.state, snapshot.progress) == ("failed", 37)
    assert snapshot.error == {"type": "RuntimeError", "message": "two\nlines: of text"}


@pytest.mark.usefixtures("immediate")
@override_settings(TASKS_APP={"EXPOSE_ERRORS": False})
def test_task_that_raises_keeps_its_message_back():
    _, snapshot = run(jobs.fail, message="password=secret")
    assert "secret" not in snapshot.to_json()


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("function", [stop, astop], ids=["sync", "async"])
def test_task_that_raises_task_cancelled_is_cancelled(function):
    _, snapshot = run(function)
    assert (snapshot.state, snapshot.error) == ("cancelled", None)


@pytest.mark.usefixtures("immediate")
def test_result_that_is_not_json_ends_the_task():
    _, snapshot = run(jobs.return_object)
    assert snapshot.is_terminal


@pytest.mark.usefixtures("immediate")
def test_inner_task_gives_progress_back_to_the_outer():
    result, _ = run(enqueue_another)
    before, inner_id, inside, after = result.return_value
    assert (before, inside, after) == (result.id, inner_id, result.id)


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("function", [peek, stop, jobs.fail, jobs.return_object])
def test_bound_progress_is_restored(function):
    with task_run("outer") as outer:
        run(function)
        assert progress.task_id == outer.task_id


@pytest.mark.usefixtures("immediate")
def test_ended_task_is_let_go():
    result, _ = run(peek)
    assert find_reporter(result.id) is None


# --- a cache that fails ---


@pytest.mark.usefixtures("immediate")
@pytest.mark.parametrize("function", [peek, apeek], ids=["sync", "async"])
def test_task_runs_without_a_cache_and_is_shown_when_it_is_back(function, caplog):
    with controlled_cache() as controls:
        controls.break_down()
        result = function.using(backend="immediate").enqueue()
        assert result.return_value == result.id
        controls.repair()
        assert get_flusher().drain(10)
        assert get_snapshot(result.id).state == "succeeded"
    assert f"task {result.id}: its first snapshot could not be stored at once" in caplog.text


@pytest.mark.parametrize("receiver", [receivers.on_enqueued, receivers.on_started, receivers.on_finished])
def test_receiver_logs_what_it_did_not_foresee(receiver, caplog, monkeypatch):
    monkeypatch.setattr(receivers, "find_reporter", lambda task_id: 1 / 0)
    receiver(task_result=make_result())
    assert f"task t1: {receiver.__name__} failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_end_of_a_task_that_is_not_known_is_ignored():
    receivers.on_finished(task_result=make_result("elsewhere", return_value=1))
    assert find_reporter("elsewhere") is None


def test_end_of_a_task_whose_own_process_died_is_told_by_another():
    now = get_flusher().clock.now()
    get_store().add(Snapshot.queued("t1", "demo", now=now, owner="7").begun(now=now))
    receivers.on_finished(task_result=make_result(return_value=1))
    ended = get_snapshot("t1")
    assert (ended.state, ended.result, ended.owner) == ("succeeded", 1, "7")


def test_receivers_listen_to_every_framework():
    for signals in compat.signal_modules():
        for signal in (signals.task_enqueued, signals.task_started, signals.task_finished):
            assert signal.has_listeners()


# --- a worker that is faster than the process that enqueues ---


def test_worker_waits_for_the_owner_of_a_task_that_it_begins_before_it_is_told_of(monkeypatch):
    monkeypatch.setattr(attempts, "PATIENCE", 60)
    began = Thread(target=receivers.on_started, kwargs={"task_result": make_result()})
    began.start()
    began.join(0.05)
    assert began.is_alive()
    get_store().add(Snapshot.queued("t1", "import", now=get_flusher().clock.now(), owner="7"))
    began.join()
    receivers.on_finished(task_result=make_result(return_value=1))
    ended = get_snapshot("t1")
    assert (ended.task, ended.owner, ended.state) == ("import", "7", "succeeded")


def test_worker_begins_a_task_of_which_nobody_tells():
    receivers.on_started(task_result=make_result())
    receivers.on_finished(task_result=make_result(return_value=1))
    assert get_snapshot("t1").state == "succeeded"


# --- signals that come more than once ---


def make_result(task_id: str = "t1", **values: object) -> SimpleNamespace:
    backend = SimpleNamespace(supports_get_result=False)
    task = SimpleNamespace(module_path="tests.work", get_backend=lambda: backend)
    return SimpleNamespace(id=task_id, task=task, status="SUCCESSFUL", errors=[], **values)


def test_signal_that_comes_twice_is_one_attempt():
    result = make_result(return_value=None)
    for _ in range(2):
        receivers.on_started(task_result=result)
    receivers.on_finished(task_result=result)
    assert get_snapshot("t1").attempt == 1


def test_task_that_begins_again_before_its_end_is_stored_is_reported_again():
    with controlled_cache("set_many") as controls:
        receivers.on_started(task_result=make_result())
        receivers.on_finished(task_result=make_result(return_value="first"))
        receivers.on_started(task_result=make_result())
        assert progress.task_id == "t1"
        progress.update(status="again")
        controls.repair()
        assert get_snapshot("t1").status == "again"
        receivers.on_finished(task_result=make_result(return_value="second"))
        assert get_flusher().drain(10)
        snapshot = get_snapshot("t1")
    assert (snapshot.attempt, snapshot.result) == (2, "second")


def test_task_that_begins_again_although_nobody_told_of_its_end_is_reported_again():
    Thread(target=receivers.on_started, kwargs={"task_result": make_result()}).start()
    wait_until(lambda: find_reporter("t1"), "the first attempt began")
    receivers.on_started(task_result=make_result())
    assert progress.task_id == "t1"
    receivers.on_finished(task_result=make_result(return_value=None))
    assert get_snapshot("t1").attempt == 2


# --- backends that tell of a failure when the exception is gone ---


@pytest.fixture
def _job() -> None:
    """A task that runs, with the id t1."""
    flusher = get_flusher()
    job = flusher.make_reporter(Snapshot.queued("t1", "demo", now=flusher.clock.now()))
    job.begin()
    flusher.add(job)


def finish(path, traceback):
    error = compat.TaskError(exception_class_path=path, traceback=traceback)
    receivers.on_finished(task_result=SimpleNamespace(id="t1", status="FAILED", errors=[error]))


@pytest.mark.usefixtures("_job")
@override_settings(TASKS_APP={"EXPOSE_ERRORS": True})
@pytest.mark.parametrize(
    ("path", "last_lines", "kind", "message"),
    [
        ("builtins.ValueError", "ValueError: no such file\n", "ValueError", "no such file"),
        ("builtins.ValueError", "ValueError: two\nlines: of text\n", "ValueError", "two\nlines: of text"),
        ("builtins.ValueError", "ValueError\n", "ValueError", "The task failed."),
        ("app.errors.Broken", "app.errors.Broken: no: really\n", "Broken", "no: really"),
        ("app.errors.Broken", "app.errors.Broken\n", "Broken", "The task failed."),
        ("app.Outer.Inner", "app.Outer.Inner: no\n", "Inner", "no"),
        (
            "builtins.ValueError",
            "ValueError: first\n\nDuring handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n  File ...\nValueError: second\n",
            "ValueError",
            "second",
        ),
    ],
)
def test_failure_is_read_from_the_traceback(path, last_lines, kind, message):
    finish(path, f'Traceback (most recent call last):\n  File "x.py", line 1, in work\n{last_lines}')
    assert get_snapshot("t1").error == {"type": kind, "message": message}


@pytest.mark.usefixtures("_job")
def test_failure_by_task_cancelled_is_a_cancel():
    finish("tasks_app.exceptions.TaskCancelled", "Traceback …\ntasks_app.exceptions.TaskCancelled: enough\n")
    assert get_snapshot("t1").state == "cancelled"


@pytest.mark.usefixtures("_job")
def test_failure_by_a_cancelled_coroutine_is_a_cancel():
    finish("asyncio.exceptions.CancelledError", "Traceback …\nasyncio.exceptions.CancelledError\n")
    assert get_snapshot("t1").state == "cancelled"
