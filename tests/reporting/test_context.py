"""`progress` stands for the task of the running context, and `task_run` makes one."""

import asyncio
import contextvars
import pickle
import threading
from collections.abc import Callable, Iterator
from unittest.mock import Mock, call, patch

import pytest
from django.contrib.auth.models import User

from tasks_app import TaskCancelled, get_snapshot, progress, task_run
from tasks_app.reporting.context import bind, get_bound
from tasks_app.reporting.missing import get_missing_task
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.reporting.progress import Progress
from tasks_app.users import identify_owner
from tests.support.doubles import agenerate


def test_every_call_works_outside_a_task():
    progress.update(current=1, total=2, status="x", unit="rows")
    progress.update()
    progress.advance()
    progress.advance(2)
    progress.advance(n=2)
    progress.meta(a=1)
    progress.log("x")
    progress.log("x", level="error")
    progress.stages({"a": 1})
    with progress.stage("a"):
        pass
    progress.raise_if_cancelled()
    assert progress.cancelled is False


def test_track_outside_a_task_is_the_iterable():
    assert list(progress.track([1, 2], total=2, status="x", unit="rows")) == [1, 2]


async def test_async_track_outside_a_task_is_the_iterable():
    assert [item async for item in progress.track(agenerate(2))] == [0, 1]


def test_stage_outside_a_task_lets_exceptions_through():
    with pytest.raises(ValueError, match="no"), progress.stage("a"):
        raise ValueError("no")


def test_proxy_says_where_it_stands():
    assert repr(progress) == "<progress outside a task>"
    with task_run("demo") as task:
        assert repr(progress) == f"<progress of task {task.task_id!r}>"


def test_proxy_has_every_public_name_of_a_task():
    assert [name for name in dir(Progress) if not name.startswith("_") and name not in dir(progress)] == []


def test_proxy_has_no_other_names():
    with task_run("demo"):
        assert not hasattr(progress, "finish")
    with pytest.raises(AttributeError, match="no attribute 'finish'"):
        progress.finish()


def test_copy_of_the_proxy_is_the_proxy():
    copied = pickle.loads(pickle.dumps(progress))
    with task_run("demo") as task:
        assert copied.task_id == task.task_id


def test_method_of_the_proxy_reports_to_the_task_it_was_taken_in_from_any_thread():
    """As a library's callback does: `download(url, callback=progress.update)`."""
    with task_run("demo") as task:
        thread = threading.Thread(target=progress.update, kwargs={"current": 5})
        thread.start()
        thread.join()
    assert get_snapshot(task.task_id).current == 5


@pytest.fixture
def patched() -> Iterator[None]:
    """Whatever a test puts in place of a name of the proxy, it is gone afterwards."""
    yield
    assert vars(progress) == {}
    with task_run("demo") as task:
        progress.update(current=7)
        assert (progress.update, progress.cancelled) == (task.update, False)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("options", [{}, {"autospec": True}, {"new": Mock()}], ids=["plain", "autospec", "new"])
def test_double_stands_for_a_method_inside_and_outside_of_tasks(options):
    with patch.object(progress, "update", **options) as update:
        progress.update(current=1)
        with task_run("demo") as task:
            progress.update(current=2)
    assert update.call_args_list == [call(current=1), call(current=2)]
    assert get_snapshot(task.task_id).current is None


@pytest.mark.usefixtures("patched")
def test_double_in_place_of_a_double_gives_way_to_it():
    with patch.object(progress, "update") as outer:
        with patch.object(progress, "update"):
            progress.update(current=1)
        progress.update(current=2)
    outer.assert_called_once_with(current=2)


@pytest.mark.usefixtures("patched")
def test_monkeypatch_puts_back_a_method_that_it_read_in_a_task():
    called = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        with task_run("demo"):
            monkeypatch.setattr(progress, "update", lambda **values: called.append(values))
        progress.update(current=1)
    assert called == [{"current": 1}]


@pytest.mark.usefixtures("patched")
def test_cancel_can_be_feigned():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(progress, "cancelled", True)
        assert progress.cancelled is True
    assert progress.cancelled is False


def test_name_that_the_proxy_does_not_have_is_not_set():
    with pytest.raises(AttributeError, match="no 'updaet'"):
        progress.updaet = print


def test_proxy_stands_for_the_task_of_its_thread():
    both_run, seen = threading.Barrier(2), {}

    def work(name: str) -> None:
        with task_run(name) as task:
            both_run.wait(10)
            seen[name] = progress.task_id == task.task_id
            both_run.wait(10)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": True, "b": True}


async def test_proxy_stands_for_the_task_of_its_coroutine():
    async def work(name: str) -> bool:
        async with task_run(name) as task:
            await asyncio.sleep(0)
            return progress.task_id == task.task_id

    assert await asyncio.gather(*(work(name) for name in "abc")) == [True, True, True]
    assert progress.task_id == ""


def test_plain_thread_of_a_job_is_outside_the_task():
    seen = []
    with task_run("demo"):
        thread = threading.Thread(target=lambda: seen.append(progress.task_id))
        thread.start()
        thread.join()
    assert seen == [""]


def test_bind_returns_what_was_bound_before(job):
    assert bind(job) is None
    assert get_bound() is job
    assert bind(None) is job


def test_block_that_ends_succeeds():
    with task_run("nightly") as task:
        task.update(current=1, total=2)
        assert get_snapshot(task.task_id).state == "running"
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.state, snapshot.progress, snapshot.task, snapshot.owner) == ("succeeded", 100, "nightly", None)


async def test_async_block_that_ends_succeeds():
    async with task_run("nightly") as task:
        progress.update(status="Going")
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.state, snapshot.status) == ("succeeded", "Going")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("no"), "failed"),
        (TaskCancelled(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(1), "failed"),
    ],
)
def test_block_that_raises_ends_so_and_lets_the_error_through(error, state):
    tasks = []

    def work() -> None:
        with task_run("nightly") as task:
            tasks.append(task)
            raise error

    with pytest.raises(type(error)) as caught:
        work()
    assert caught.value is error
    assert get_snapshot(tasks[0].task_id).state == state


async def test_async_block_that_is_cancelled_ends_as_cancelled():
    began, tasks = asyncio.Event(), []

    async def work() -> None:
        async with task_run("nightly") as task:
            tasks.append(task)
            began.set()
            await asyncio.Event().wait()

    coroutine = asyncio.create_task(work())
    await began.wait()
    coroutine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coroutine
    assert get_snapshot(tasks[0].task_id).state == "cancelled"


async def test_async_block_that_raises_fails():
    tasks = []

    async def work() -> None:
        async with task_run("nightly") as task:
            tasks.append(task)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await work()
    assert get_snapshot(tasks[0].task_id).state == "failed"


def test_inner_block_gives_the_context_back_to_the_outer():
    with task_run("outer") as outer:
        with task_run("inner") as inner:
            assert progress.task_id == inner.task_id
        assert progress.task_id == outer.task_id
    assert get_bound() is None


def test_inner_block_that_fails_gives_the_context_back():
    with task_run("outer") as outer:
        with pytest.raises(ValueError, match="no"), task_run("inner"):
            raise ValueError("no")
        assert progress.task_id == outer.task_id


def test_block_may_be_entered_again_as_another_task():
    run = task_run("nightly")
    with run as first:
        pass
    with run as second:
        pass
    assert first.task_id != second.task_id
    assert [get_snapshot(task.task_id).attempt for task in (first, second)] == [1, 1]


def test_ended_task_is_let_go():
    with task_run("nightly") as task:
        assert find_reporter(task.task_id).progress is task
    assert get_flusher().drain(10)
    assert find_reporter(task.task_id) is None


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        (None, None),
        (7, "7"),
        (User(pk=7), "7"),
        ("07", "7"),
    ],
)
def test_owner_is_stored_as_its_primary_key(owner, key):
    assert identify_owner(owner) == key
    with task_run("nightly", owner=owner) as task:
        pass
    assert get_snapshot(task.task_id).owner == key


@pytest.mark.parametrize("owner", [User(), object(), [7], 1.5])
def test_owner_without_a_primary_key_is_named(owner):
    with pytest.raises(ValueError, match="owner must be") as caught:
        task_run("nightly", owner=owner)
    assert str(caught.value) == f"owner must be None, a saved user or a primary key, not {owner!r}"


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (None, "succeeded"), (3, "failed")])
def test_block_that_exits_ends_as_its_status_says(code, state):
    with pytest.raises(SystemExit), task_run("command") as task:
        raise SystemExit(code)
    assert get_snapshot(task.task_id).state == state


def test_block_entered_inside_itself_is_refused():
    run = task_run("nightly")
    with run, pytest.raises(RuntimeError, match="'nightly' runs already"):
        run.__enter__()


@pytest.fixture
def unsaid() -> Iterator[None]:
    """Nothing was said in this process of calls outside a task, before the test and after it."""
    get_missing_task.cache_clear()
    yield
    get_missing_task.cache_clear()


def call_in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function, name="own")
    thread.start()
    thread.join()


@pytest.mark.usefixtures("unsaid")
def test_thread_without_a_task_is_told_once_how_to_have_one(caplog):
    with task_run("demo"):
        for _ in range(2):
            call_in_thread(lambda: progress.advance())
    assert caplog.messages == [
        "progress was called in 'own', where it stands for no task and does nothing, while this process runs one; "
        "have threads and processes of a job call progress.handle().bind(function), or use progress.map()"
    ]


@pytest.mark.usefixtures("unsaid")
def test_thread_that_asks_whether_there_is_a_task_is_told_nothing(caplog):
    with task_run("demo"):
        call_in_thread(lambda: progress.task_id)
    assert caplog.messages == []


@pytest.mark.usefixtures("unsaid")
def test_process_without_a_task_is_told_nothing(caplog):
    with task_run("demo"):
        pass
    progress.advance()
    assert caplog.messages == []


def run_in_generator():
    with task_run("generated"):
        yield


def test_task_of_a_generator_that_is_closed_in_the_block_of_another_ends_alone():
    generator = run_in_generator()
    next(generator)
    with task_run("inner") as inner:
        generator.close()
        assert progress.task_id == inner.task_id
    assert progress.task_id == ""


def test_task_of_a_generator_that_is_closed_in_another_context_ends_alone():
    generator = run_in_generator()
    contextvars.copy_context().run(next, generator)
    with task_run("other") as other:
        generator.close()
        assert progress.task_id == other.task_id
