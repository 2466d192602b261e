"""A task framework of a stranger's own, connected by `tasks_app.integration` alone."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tasks_app import cancel, get_snapshot, integration, progress, start
from tests.support.waiting import wait_until


@dataclass
class Job:
    """A function that the framework can run."""

    function: Callable[..., Any]


class Later:
    """A framework whose worker runs what waits when it is told to."""

    name = "later"
    wanted = "a Job"
    is_threaded = False

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, Job, Sequence[Any], Mapping[str, Any]]] = deque()

    def takes(self, task: object) -> bool:
        return isinstance(task, Job)

    def unwrap(self, task: Job) -> tuple[Callable[..., Any], bool]:
        return task.function, False

    def hold_back(self) -> Any:
        return nullcontext()

    def enqueue(self, task: Job, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        task_id = str(uuid4())
        integration.queue(task_id, task.function.__name__, runner=self.name)
        self.waiting.append((task_id, task, args, kwargs))
        return task_id

    async def aenqueue(self, task: Job, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return self.enqueue(task, args, kwargs)

    def withdraw(self, task_id: str) -> None:
        snapshot = integration.get_store().get(task_id)
        if snapshot is not None and snapshot.state is integration.State.QUEUED:
            integration.adopt(snapshot).end_cancelled()

    def find_flaw(self, task: Job) -> None:
        return None

    def work(self) -> None:
        """Run what waits longest, as a worker does that knows its message alone."""
        task_id, job, args, kwargs = self.waiting.popleft()
        now = integration.get_flusher().clock.now()
        known = integration.Snapshot.queued(task_id, job.function.__name__, now=now)
        reporter = integration.begin(known, integration.find_reporter(task_id))
        integration.enter(reporter)
        try:
            reporter.succeed(job.function(*args, **kwargs))
        except Exception as error:
            reporter.fail(error)
        finally:
            integration.leave(task_id)


@pytest.fixture
def later() -> Iterator[Later]:
    framework = Later()
    integration.register(framework)
    yield framework
    integration.unregister(framework)


def count(total: int) -> int:
    for _ in progress.track(range(total), unit="rows"):
        pass
    return total


def fail() -> None:
    raise ValueError("no")


def wait_for_end(task_id: str) -> Any:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    return get_snapshot(task_id)


def test_task_is_queued_with_its_owner(later: Later):
    snapshot = get_snapshot(start(Job(count), 3, owner=7))
    assert (snapshot.task, snapshot.state, snapshot.owner) == ("count", "queued", "7")


def test_task_that_runs_reports_and_succeeds(later: Later):
    task_id = start(Job(count), 3, owner=7)
    later.work()
    ended = wait_for_end(task_id)
    assert (ended.state, ended.current, ended.unit, ended.result, ended.owner) == ("succeeded", 3, "rows", 3, "7")


def test_task_that_raises_fails(later: Later):
    task_id = start(Job(fail))
    later.work()
    assert wait_for_end(task_id).error == {"type": "Exception", "message": "The task failed."}


def test_task_that_waits_is_withdrawn_by_a_cancel(later: Later):
    task_id = start(Job(count), 3)
    cancel(task_id)
    assert wait_for_end(task_id).state == "cancelled"


def test_task_of_an_unknown_framework_is_refused():
    with pytest.raises(TypeError, match=r"is needed, not Job"):
        start(Job(count), 3)
