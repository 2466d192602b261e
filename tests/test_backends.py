"""`InProcessBackend`: what `django.tasks` promises, bounds, order, cancel, and that nothing is left behind."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from tasks_app import StoreUnavailable, TaskCancelled, TaskQueueFull, cancel, get_snapshot, progress, start
from tasks_app.backends import InProcessBackend, get_executor
from tasks_app.lifecycle import compat
from tasks_app.lifecycle.bursts import Bursts
from tasks_app.lifecycle.compat import TaskResult, TaskResultDoesNotExist, TaskResultStatus
from tasks_app.lifecycle.executor import Executor
from tasks_app.reporting.process import get_flusher
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.viewers import until
from tests.support.waiting import DEADLINE, wait_until

signals = next(compat.signal_modules())
task = jobs.task


@dataclass
class Diary:
    """What the tasks of this module wrote down."""

    names: list[str] = field(default_factory=list)
    running: int = 0
    most: int = 0
    objects: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


diary = Diary()
leak: contextvars.ContextVar[str] = contextvars.ContextVar("leak", default="nothing")


@pytest.fixture(autouse=True)
def _new_diary() -> Iterator[None]:
    """Each test begins with an empty diary, and leaves no coroutine that waits for ever."""
    diary.__init__()
    yield
    for reporter in get_flusher().reporters:
        reporter.request_cancel()


@task
def note(name: str) -> None:
    diary.names.append(name)


@task
def occupy() -> None:
    """Hold a thread until the gate opens, or until cancelled."""
    with diary.lock:
        diary.running += 1
        diary.most = max(diary.most, diary.running)
    try:
        jobs.wait.func()
    finally:
        with diary.lock:
            diary.running -= 1


@task
async def linger() -> None:
    """Run until cancelled."""
    diary.running += 1
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        diary.names.append("cancelled inside")
        raise
    finally:
        diary.running -= 1


@task
async def shrug() -> str:
    """Take a cancel for a hint, and succeed."""
    diary.running += 1
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "done all the same"
    return "never"


@task
async def fail_async() -> None:
    raise RuntimeError("it broke")


@task
def exit_process() -> None:
    raise SystemExit(3)


@task
def read_leak() -> str:
    return leak.get()


@task
async def read_leak_async() -> str:
    return leak.get()


@task
def use_database() -> None:
    connections["default"].ensure_connection()
    diary.objects.append(connections["default"])


@task
async def use_database_async() -> None:
    await sync_to_async(use_database.func)()


@task
def name_thread() -> str:
    diary.objects.append(threading.current_thread())
    return progress.task_id


@task
def enqueue_another() -> str:
    return str(note.enqueue("inner").id)


@pytest.fixture
def backend(settings) -> Callable[..., Executor]:
    """Set the options of the backend, and return its executor."""

    def configure(**options: int) -> Executor:
        options = {"max_workers": 1, "max_queue": 20, **options}
        settings.TASKS = {"default": {"BACKEND": "tasks_app.backends.InProcessBackend", "OPTIONS": options}}
        return get_executor("default", **options)

    return configure


@pytest.fixture
def sent() -> Iterator[list[tuple[str, str, Any]]]:
    """Every signal of the framework that is sent: (signal, id, status)."""
    seen: list[tuple[str, str, Any]] = []
    receivers = {}
    for name in ("task_enqueued", "task_started", "task_finished"):

        def receive(*, task_result: TaskResult, name: str = name, **kwargs: Any) -> None:
            seen.append((name, task_result.id, task_result.status))

        receivers[name] = receive
        getattr(signals, name).connect(receive)
    yield seen
    for name, receive in receivers.items():
        getattr(signals, name).disconnect(receive)


def finish(task_result: TaskResult) -> TaskResult:
    """Wait for the end of a task, and return its result as the backend knows it."""
    wait_until(lambda: task_result.task.get_backend().get_result(task_result.id).is_finished, "the task ended")
    wait_until(lambda: get_snapshot(task_result.id).is_terminal, "its end was stored")
    task_result.refresh()
    return task_result


def occupy_all(workers: int) -> list[TaskResult]:
    """Hold all threads of the pool."""
    held = [occupy.enqueue() for _ in range(workers)]
    wait_until(lambda: diary.running == workers, "all threads are held")
    return held


# Results


@pytest.mark.parametrize(("job", "value"), [(jobs.add, 3), (jobs.greet, "Hello, 1!")], ids=["sync", "async"])
def test_result_can_be_read(job, value):
    result = finish(job.enqueue(1, **({"b": 2} if job is jobs.add else {})))
    assert (result.status, result.return_value, result.errors) == (TaskResultStatus.SUCCESSFUL, value, [])
    assert result.started_at <= result.finished_at
    assert len(result.worker_ids) == 1


@pytest.mark.parametrize("job", [jobs.fail, fail_async], ids=["sync", "async"])
def test_failure_can_be_read(job):
    result = finish(job.enqueue())
    (error,) = result.errors
    assert (result.status, error.exception_class) == (TaskResultStatus.FAILED, RuntimeError)
    assert error.traceback.rstrip().endswith("RuntimeError: it broke")
    assert get_snapshot(result.id).state == "failed"


def test_exit_of_a_task_fails_it_and_no_thread(backend):
    backend()
    assert finish(exit_process.enqueue()).status == TaskResultStatus.FAILED
    assert finish(jobs.add.enqueue(1)).return_value == 2


def test_result_that_is_not_json_is_left_out(caplog):
    result = finish(jobs.return_object.enqueue())
    snapshot = get_snapshot(result.id)
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, None)
    assert (snapshot.state, snapshot.progress, snapshot.result) == ("succeeded", 100, None)
    assert "not JSON" in snapshot.result_omitted
    assert "its result is not JSON" in caplog.text


@pytest.mark.parametrize("job", [occupy, linger])
def test_result_of_a_task_that_runs_can_be_read(job):
    result = job.enqueue()
    wait_until(lambda: diary.running, "it runs")
    assert job.get_result(result.id).status == TaskResultStatus.RUNNING
    cancel(result.id)


def test_result_of_a_task_that_waits_can_be_read(backend):
    backend()
    occupy_all(1)
    result = note.enqueue("x")
    assert note.get_result(result.id).status == TaskResultStatus.READY
    cancel(result.id)


async def test_result_can_be_read_from_async_code():
    result = await jobs.greet.aenqueue("you")
    await until(lambda: jobs.greet.get_result(result.id).is_finished, "the task ended")
    assert (await jobs.greet.aget_result(result.id)).return_value == "Hello, you!"


@pytest.mark.parametrize("result_id", ["unknown", "", "\0", "x" * 5000])
def test_unknown_result_does_not_exist(result_id):
    with pytest.raises(TaskResultDoesNotExist):
        jobs.add.get_result(result_id)


def test_result_is_dropped_after_retention(settings, monkeypatch):
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 60}
    result, now = finish(jobs.add.enqueue(1)), timezone.now()
    monkeypatch.setattr("tasks_app.lifecycle.run.timezone.now", lambda: now + timedelta(seconds=50))
    assert jobs.add.get_result(result.id).return_value == 2
    monkeypatch.setattr("tasks_app.lifecycle.run.timezone.now", lambda: now + timedelta(seconds=61))
    with pytest.raises(TaskResultDoesNotExist):
        jobs.add.get_result(result.id)


def test_results_are_dropped_though_nobody_asks_for_them(backend, settings, monkeypatch):
    backend(max_workers=2)
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 60}
    old = [finish(jobs.add.enqueue(1)) for _ in range(3)]
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr("tasks_app.lifecycle.run.timezone.now", lambda: now + timedelta(seconds=61))
        new = jobs.add.enqueue(1)
        wait_until(lambda: get_snapshot(new.id).is_terminal, "a new one ended")
    for result in old:  # by the clock that is right they would yet be there
        with pytest.raises(TaskResultDoesNotExist):
            jobs.add.get_result(result.id)
    assert jobs.add.get_result(new.id).return_value == 2


def test_context_is_passed_to_tasks_that_take_it():
    assert finish(jobs.tell_attempt.enqueue(extra=10)).return_value == 11


# Bounds


def test_no_more_than_max_workers_run_at_once(backend, open_gate):
    backend(max_workers=3)
    results = [occupy.enqueue() for _ in range(9)]
    wait_until(lambda: diary.running == 3, "three run")
    open_gate()
    for result in results:
        finish(result)
    assert diary.most == 3


def test_one_thread_serves_one_task_after_another(backend):
    backend()
    for _ in range(5):
        finish(name_thread.enqueue())
    assert len(set(diary.objects)) == 1


def test_full_queue_refuses_the_task_and_nothing_is_left_of_it(backend, sent, open_gate):
    executor = backend(max_queue=2)
    held = occupy_all(1)
    waiting = [note.enqueue("a"), note.enqueue("b")]
    before, sent_before = set(get_flusher().reporters), list(sent)
    with pytest.raises(TaskQueueFull, match=r"^2 tasks wait already; max_queue allows 2$"):
        note.enqueue("one too many")
    assert set(get_flusher().reporters) == before
    assert sent == sent_before
    for result in waiting:
        cancel(result.id)
    open_gate()
    finish(*held)
    wait_until(lambda: executor.is_idle, "nothing waits or runs but what was taken in")


def test_task_that_ended_makes_room(backend, open_gate):
    backend(max_queue=1)
    occupy_all(1)
    first = note.enqueue("first")
    open_gate()
    finish(first)
    finish(note.enqueue("second"))
    assert diary.names == ["first", "second"]


def test_task_that_was_cancelled_makes_room(backend):
    backend(max_queue=1)
    occupy_all(1)
    cancel(note.enqueue("first").id)
    cancel(note.enqueue("second").id)


def test_coroutines_count_against_max_queue_while_they_run(backend):
    executor = backend(max_queue=2)
    results = [linger.enqueue(), linger.enqueue()]
    with pytest.raises(TaskQueueFull):
        linger.enqueue()
    wait_until(lambda: diary.running == 2, "they run")
    for result in results:
        cancel(result.id)
        finish(result)
    wait_until(lambda: executor.is_idle, "they have made room")
    cancel(linger.enqueue().id)


def test_coroutines_take_no_threads(backend):
    backend(max_workers=4, max_queue=60)
    finish(jobs.greet.enqueue())
    before = threading.active_count()
    results = [linger.enqueue() for _ in range(50)]
    wait_until(lambda: diary.running == 50, "all fifty run at once")
    # A few are those of the flusher, and of receivers that have just been called.
    wait_until(lambda: threading.active_count() <= before + 1, "the threads of the receivers ended")
    assert diary.running == 50
    for result in results:
        cancel(result.id)
    for result in results:
        finish(result)


def test_sync_tasks_run_beside_any_number_of_coroutines(backend):
    backend(max_workers=1, max_queue=20)
    results = [linger.enqueue() for _ in range(10)]
    assert finish(jobs.add.enqueue(1)).return_value == 2
    for result in results:
        cancel(result.id)


def test_nothing_is_left_when_all_have_ended(backend, open_gate):
    executor = backend(max_workers=2)
    results = [*occupy_all(2), note.enqueue("a"), jobs.greet.enqueue(), jobs.fail.enqueue(), linger.enqueue()]
    cancel(results[-1].id)
    open_gate()
    for result in results:
        finish(result)
    wait_until(lambda: executor.is_idle, "nothing waits or runs")
    wait_until(lambda: not asyncio.all_tasks(executor.loop.loop), "no coroutine runs any more")


# Order


def test_higher_priority_goes_first_and_equals_in_order(backend, open_gate):
    backend()
    held = occupy_all(1)
    names = [("c", 0), ("d", 0), ("e", -5), ("a", 10), ("b", 10)]
    results = [note.using(priority=priority).enqueue(name) for name, priority in names]
    open_gate()
    for result in held + results:
        finish(result)
    assert diary.names == ["a", "b", "c", "d", "e"]


def find_positions(results: list[TaskResult]) -> list[int | None]:
    return [get_snapshot(result.id).queue_position for result in results]


def test_waiting_tasks_show_their_place_in_the_line(backend, open_gate):
    backend()
    held = occupy_all(1)
    results = [note.enqueue(name) for name in "abc"]
    assert find_positions(results) == [1, 2, 3]
    open_gate()
    for result in held + results:
        finish(result)
    assert find_positions(results) == [None, None, None]


def test_task_is_stored_with_its_place_in_the_line(backend, monkeypatch):
    backend()
    occupy_all(1)
    stored: list[int | None] = []
    add = get_store().add
    monkeypatch.setattr(Bursts, "note", lambda self: False)
    monkeypatch.setattr(get_store(), "add", lambda item: stored.append(item.queue_position) or add(item))
    for name in "ab":
        note.enqueue(name)
    assert stored == [1, 2]


def test_place_in_the_line_moves_up_when_another_leaves(backend):
    backend()
    occupy_all(1)
    results = [note.enqueue(name) for name in "abc"]
    cancel(results[0].id)
    wait_until(lambda: find_positions(results[1:]) == [1, 2], "the others moved up")


def test_urgent_task_moves_the_others_back(backend):
    backend()
    occupy_all(1)
    results = [note.enqueue(name) for name in "ab"]
    urgent = note.using(priority=1).enqueue("urgent")
    wait_until(lambda: find_positions([urgent, *results]) == [1, 2, 3], "the others moved back")


def test_task_that_is_not_due_stands_in_no_line(backend):
    backend()
    later = note.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    assert (find_positions([later]), get_snapshot(later.id).state) == ([None], "queued")
    cancel(later.id)


# run_after


@pytest.mark.parametrize("job", [note, jobs.greet], ids=["sync", "async"])
def test_task_does_not_run_before_its_time(job):
    due = timezone.now() + timedelta(seconds=0.2)
    result = finish(job.using(run_after=due).enqueue("x"))
    assert result.started_at >= due


def test_task_whose_time_has_passed_runs_at_once():
    finish(note.using(run_after=timezone.now() - timedelta(days=1)).enqueue("x"))
    assert diary.names == ["x"]


def test_deferred_task_is_kept_until_its_time(backend):
    backend()
    due = timezone.now() + timedelta(days=9)
    later = note.using(run_after=due).enqueue("later")
    assert get_snapshot(later.id).waits_for == pytest.approx(9 * 86400, abs=5)
    cancel(later.id)


@pytest.mark.parametrize("job", [note, jobs.greet], ids=["sync", "async"])
def test_deferred_task_that_is_cancelled_never_runs(backend, job):
    executor = backend()
    due = timezone.now() + timedelta(seconds=0.1)
    result = job.using(run_after=due).enqueue("cancelled")
    cancel(result.id)
    assert finish(result).status == TaskResultStatus.FAILED
    finish(note.using(run_after=due + timedelta(seconds=0.1)).enqueue("after"))
    assert diary.names == ["after"]
    assert result.started_at is None
    assert executor.is_idle


def test_deferred_tasks_count_against_max_queue(backend):
    backend(max_queue=1)
    later = note.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    with pytest.raises(TaskQueueFull):
        note.enqueue("now")
    cancel(later.id)


# Cancel


def test_waiting_task_that_is_cancelled_never_runs(backend, open_gate):
    backend()
    held = occupy_all(1)
    cancelled, other = note.enqueue("cancelled"), note.enqueue("other")
    cancel(cancelled.id)
    assert get_snapshot(cancelled.id).state == "cancelled"
    wait_until(lambda: get_snapshot(other.id).queue_position == 1, "the other is next")
    open_gate()
    for result in [*held, other]:
        finish(result)
    assert diary.names == ["other"]


def test_running_coroutine_that_is_cancelled_is_told_by_cancelled_error():
    result = linger.enqueue()
    wait_until(lambda: diary.running, "it runs")
    cancel(result.id)
    finish(result)
    assert (diary.names, get_snapshot(result.id).state) == (["cancelled inside"], "cancelled")


def test_coroutine_that_goes_on_after_a_cancel_succeeds():
    result = shrug.enqueue()
    wait_until(lambda: diary.running, "it runs")
    cancel(result.id)
    assert finish(result).return_value == "done all the same"
    assert get_snapshot(result.id).state == "succeeded"


def test_running_sync_task_is_cancelled_at_its_next_look():
    (result,) = occupy_all(1)
    cancel(result.id)
    finish(result)
    (error,) = result.errors
    assert (get_snapshot(result.id).state, error.exception_class) == ("cancelled", TaskCancelled)


def test_cancelled_coroutine_leaves_the_loop_to_others():
    first = linger.enqueue()
    wait_until(lambda: diary.running, "it runs")
    cancel(first.id)
    finish(first)
    assert finish(jobs.greet.enqueue("you")).return_value == "Hello, you!"


# Signals


@pytest.mark.parametrize(
    ("job", "status"),
    [
        (jobs.greet, TaskResultStatus.SUCCESSFUL),
        (jobs.count, TaskResultStatus.SUCCESSFUL),
        (jobs.fail, TaskResultStatus.FAILED),
        (fail_async, TaskResultStatus.FAILED),
    ],
    ids=["async", "sync", "sync failure", "async failure"],
)
def test_each_signal_is_sent_once_and_in_order(sent, job, status):
    result = finish(job.enqueue())
    wait_until(lambda: len(sent) == 3, "three signals were sent")
    assert sent == [
        ("task_enqueued", result.id, TaskResultStatus.READY),
        ("task_started", result.id, TaskResultStatus.RUNNING),
        ("task_finished", result.id, status),
    ]


def test_withdrawn_task_is_announced_as_finished_once_though_never_started(backend, sent):
    backend()
    occupy_all(1)
    sent.clear()
    result = note.enqueue("x")
    cancel(result.id)
    finish(result)
    wait_until(lambda: len(sent) == 2, "two signals were sent")
    finish(jobs.greet.enqueue())
    assert [entry for entry in sent if entry[1] == result.id] == [
        ("task_enqueued", result.id, TaskResultStatus.READY),
        ("task_finished", result.id, TaskResultStatus.FAILED),
    ]


def test_cancelled_coroutine_is_announced_as_finished(sent):
    result = linger.enqueue()
    wait_until(lambda: diary.running, "it runs")
    cancel(result.id)
    finish(result)
    wait_until(lambda: len(sent) == 3, "three signals were sent")
    assert sent[-1] == ("task_finished", result.id, TaskResultStatus.FAILED)


@pytest.fixture
def broken_receiver() -> Iterator[Callable[[str], None]]:
    """Connect a receiver that raises to a signal of the framework."""
    connected: list[tuple[str, Any]] = []

    def connect(name: str) -> None:
        def receive(**kwargs: Any) -> None:
            raise RuntimeError("a receiver broke")

        getattr(signals, name).connect(receive)
        connected.append((name, receive))

    yield connect
    for name, receive in connected:
        getattr(signals, name).disconnect(receive)


@pytest.mark.parametrize("job", [occupy, linger], ids=["sync", "async"])
def test_receiver_that_raises_at_enqueue_leaves_nothing_behind(backend, broken_receiver, job):
    executor = backend()
    broken_receiver("task_enqueued")
    with pytest.raises(RuntimeError, match="a receiver broke"):
        job.enqueue()
    assert executor.is_idle
    wait_until(lambda: not get_flusher().reporters, "its end was stored")
    assert diary.most == diary.running == 0


def test_task_refused_by_a_receiver_is_seen_as_failed(backend, broken_receiver):
    backend()
    seen: list[str] = []

    def receive(*, task_result: TaskResult, **kwargs: Any) -> None:
        seen.append(task_result.id)

    signals.task_enqueued.connect(receive)
    broken_receiver("task_enqueued")
    try:
        with pytest.raises(RuntimeError):
            note.enqueue("x")
    finally:
        signals.task_enqueued.disconnect(receive)
    wait_until(lambda: get_snapshot(seen[0]).state == "failed", "its end was stored")


def count_failures(caplog: pytest.LogCaptureFixture) -> int:
    """Return how often this app has logged that a receiver broke."""
    errors = [record.exc_info for record in caplog.records if record.name == "tasks_app" and record.exc_info]
    return [str(info[1]) for info in errors].count("a receiver broke")


@pytest.mark.parametrize("job", [jobs.count, jobs.greet], ids=["sync", "async"])
def test_receiver_that_raises_at_the_end_breaks_no_other_task(backend, broken_receiver, caplog, job):
    backend()
    broken_receiver("task_finished")
    first, second = job.enqueue(), job.enqueue()
    assert finish(first).status == finish(second).status == TaskResultStatus.SUCCESSFUL
    wait_until(lambda: count_failures(caplog) == 2, "both were logged")


# A cache that fails


@pytest.mark.parametrize("job", [occupy, linger], ids=["sync", "async"])
def test_start_with_a_cache_that_fails_runs_nothing(backend, cache, sent, job):
    executor = backend()
    cache.break_down()
    with pytest.raises(StoreUnavailable):
        start(job)
    cache.repair()
    assert executor.is_idle
    assert not get_flusher().reporters
    assert sent == []


def test_plain_enqueue_with_a_cache_that_fails_runs_all_the_same(cache, caplog):
    """The host's own views must not fail because progress can't be shown."""
    cache.break_down()
    result = note.enqueue("x")
    wait_until(lambda: diary.names == ["x"], "it ran")
    cache.repair()
    finish(result)
    assert "its first snapshot could not be stored at once" in caplog.text


# Threads, contexts, connections


@pytest.mark.parametrize("job", [read_leak, read_leak_async])
def test_task_runs_in_a_fresh_context(job):
    token = leak.set("a secret of the request")
    try:
        assert finish(job.enqueue()).return_value == "nothing"
    finally:
        leak.reset(token)


def test_context_of_one_task_is_not_that_of_the_next(backend):
    backend()
    first, second = finish(name_thread.enqueue()), finish(name_thread.enqueue())
    assert diary.objects[0] is diary.objects[1]
    assert (first.return_value, second.return_value) == (first.id, second.id)


def test_what_one_task_leaves_in_its_context_is_not_found_by_the_next(backend):
    backend()
    results = [finish(spill.enqueue()) for _ in range(2)]
    assert [result.return_value for result in results] == ["nothing", "nothing"]


@task
def spill() -> str:
    before = leak.get()
    leak.set("spilt")
    return before


def test_workers_are_daemons():
    finish(name_thread.enqueue())
    assert diary.objects[0].daemon


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("job", [use_database, use_database_async])
def test_database_connection_of_a_task_is_closed_after_it(job):
    finish(job.enqueue())
    (connection,) = diary.objects
    wait_until(lambda: connection.connection is None, "the connection was closed")


def test_thread_of_async_to_sync_code_ends_with_its_task():
    @sync_to_async
    def get_thread() -> threading.Thread:
        return threading.current_thread()

    diary.objects.append(get_thread)
    finish(keep_thread.enqueue())
    thread = diary.objects[1]
    wait_until(lambda: not thread.is_alive(), "the thread ended")


@task
async def keep_thread() -> None:
    diary.objects.append(await diary.objects[0]())


def test_task_may_enqueue_another(backend):
    backend()
    inner_id = finish(enqueue_another.enqueue()).return_value
    wait_until(lambda: get_snapshot(inner_id).is_terminal, "the inner task ended")
    assert diary.names == ["inner"]


def test_task_enqueued_many_times_at_once_runs_each_time(backend):
    backend(max_workers=4, max_queue=200)
    threads = [threading.Thread(target=lambda: [note.enqueue("x") for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    wait_until(lambda: len(diary.names) == 160, "all ran")
    wait_until(lambda: not get_flusher().reporters, "all were stored")


def withdraw(task_id: str) -> None:
    """Cancel a task unless it has ended already."""
    if (reporter := get_flusher().find(task_id)) is not None:
        reporter.request_cancel()


def test_cancel_and_begin_at_once_end_in_one_state(backend):
    """Whoever wins: a task that was withdrawn did not run, and one that ran was not withdrawn."""
    executor = backend(max_workers=4, max_queue=200)
    results = []
    for number in range(100):
        result = note.enqueue(str(number))
        canceller = threading.Thread(target=withdraw, args=(result.id,))
        canceller.start()
        results.append((result, canceller))
    for _, canceller in results:
        canceller.join(DEADLINE)
    for number, (result, _) in enumerate(results):
        finish(result)
        assert (get_snapshot(result.id).state == "succeeded") == (str(number) in diary.names)
    wait_until(lambda: executor.is_idle, "nothing waits or runs")
    assert not get_store().find_cancelled([result.id for result, _ in results])


# Options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_workers": 0}, "'max_workers': 0"),
        ({"max_workers": True}, "'max_workers': True"),
        ({"max_workers": "4"}, "'max_workers': '4'"),
        ({"max_queue": -1}, "'max_queue': -1"),
        ({"max_quueue": 5}, "'max_quueue': 5"),
    ],
)
def test_bad_option_is_a_check_error(options, named):
    (error,) = InProcessBackend("default", {"OPTIONS": options}).check()
    assert (error.id, named in error.msg) == ("tasks_app.E008", True)
    assert "['max_queue', 'max_workers']" in error.hint


def test_good_options_pass_the_check():
    assert list(InProcessBackend("default", {"OPTIONS": {"max_workers": 1, "max_queue": 1}}).check()) == []
    assert list(InProcessBackend("default", {}).check()) == []


def test_requests_share_the_executor_of_the_process(backend):
    """Django makes a backend anew in every thread and request."""
    backend()
    backends, results = [], []

    def enqueue() -> None:
        backends.append(name_thread.get_backend())
        results.append(name_thread.enqueue())

    threads = [threading.Thread(target=enqueue) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(set(map(id, backends))) == 5
    for result in results:
        finish(result)  # which asks the backend of this thread
    assert len(set(diary.objects)) == 1, "the one thread of the one executor has run them all"
