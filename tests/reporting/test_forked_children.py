"""Children that a job forks, and that have the progress of its task in a variable."""

import json
import os

import pytest

from tasks_app.reporting.context import bind
from tests.support.doubles import take


@pytest.fixture
def bound(job):
    """A job whose thread is this one."""
    bind(job)
    yield job
    bind(None)


@pytest.fixture
def fork(caplog):
    """Return what a forked child logs while it calls a function."""

    def call(function):
        source, target = os.pipe()
        if (child := os.fork()) == 0:
            try:
                function()
                os.write(target, json.dumps(caplog.messages).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(target)
        with os.fdopen(source) as answer:
            return json.load(answer)

    return call


CALLS = {
    "advance": lambda progress: progress.advance(),
    "update": lambda progress: progress.update(status="Working"),
    "track": lambda progress: list(progress.track(range(3))),
    "log": lambda progress: progress.log("a line"),
    "cancelled": lambda progress: progress.cancelled,
}


@pytest.mark.parametrize("name", CALLS)
def test_child_that_reports_to_the_task_of_its_parent_is_told_once_how_to(bound, fork, name):
    task = bound.progress

    def report_twice():
        CALLS[name](task)
        CALLS[name](task)

    (message,) = fork(report_twice)
    assert "a process with a task has started; have threads and processes of a job call progress.handle()" in message


def test_child_that_reports_by_a_part_of_its_parent_is_told_how_to(bound, fork):
    with bound.progress.handle() as part:
        assert len(fork(part.advance)) == 1


def test_child_that_is_forked_in_a_loop_is_told_how_to_report(bound, fork):
    for _ in bound.progress.track([1]):
        assert len(fork(lambda: list(bound.progress.track(range(3))))) == 1


def test_child_that_is_given_a_method_of_the_task_is_told_how_to_report(bound, fork):
    assert len(fork(bound.progress.advance)) == 1


def test_name_of_a_task_in_a_forked_child_is_no_report(bound, fork):
    assert fork(lambda: bound.progress.task_id) == []


def test_handle_that_a_forked_child_takes_of_the_task_of_its_parent_works(bound, fork):
    bound.progress.handle()

    def report():
        with bound.progress.handle() as part:
            part.advance(5)

    assert (fork(report), take(bound).current) == ([], 5)


def test_child_that_is_forked_in_a_part_and_reports_nothing_is_told_nothing(bound, fork):
    with bound.progress.handle():
        assert fork(lambda: None) == []
