"""What the framework logs of a cancelled task: nothing that mails the admins."""

import logging

import pytest

from tasks_app import cancel, get_snapshot, start
from tasks_app.lifecycle import compat
from tasks_app.lifecycle.framework_logs import lower_cancel
from tests.support import jobs
from tests.support.waiting import wait_until

LOGGERS = [signals.logger.name for signals in compat.signal_modules()]


def find_levels(caplog: pytest.LogCaptureFixture, task_id: str) -> list[str]:
    """Return the level of each record of a framework that names the task."""
    records = [item for item in caplog.records if item.name in LOGGERS and task_id in item.getMessage()]
    return [item.levelname for item in records]


def wait_for(task_id: str, state: str) -> None:
    wait_until(lambda: get_snapshot(task_id).state == state, f"the task is {state}")


@pytest.fixture(autouse=True)
def _log_everything(caplog):
    for name in LOGGERS:
        caplog.set_level(logging.INFO, name)


def test_cancel_of_a_running_task_is_logged_at_info(caplog):
    task_id = start(jobs.wait)
    wait_for(task_id, "running")
    cancel(task_id)
    wait_for(task_id, "cancelled")
    wait_until(lambda: len(find_levels(caplog, task_id)) == 2, "its end was logged")
    assert find_levels(caplog, task_id) == ["INFO", "INFO"]


def test_cancel_of_a_waiting_task_is_logged_at_info(caplog):
    running = [start(jobs.wait) for _ in range(4)]
    for task_id in running:
        wait_for(task_id, "running")
    task_id = start(jobs.wait)
    cancel(task_id)
    wait_until(lambda: find_levels(caplog, task_id), "its end was logged")
    assert find_levels(caplog, task_id) == ["INFO"]
    jobs.gate.set()


def test_failure_is_logged_as_an_error(caplog):
    task_id = start(jobs.fail)
    wait_until(lambda: "ERROR" in find_levels(caplog, task_id), "its failure was logged")


@pytest.mark.parametrize("exc_info", [None, (None, None, None), (OSError, OSError(), None)])
def test_record_of_anything_else_is_kept_as_it_is(exc_info):
    record = logging.LogRecord("django.tasks", logging.ERROR, "file", 1, "Task", (), exc_info)
    assert lower_cancel(record)
    assert (record.levelno, record.exc_info) == (logging.ERROR, exc_info)
