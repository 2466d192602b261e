"""The frameworks whose tasks can be started: what is one of theirs, and how it is taken back."""

from unittest.mock import Mock

import pytest
from django.db import OperationalError

from tasks_app import start
from tasks_app.lifecycle import django_tasks_db
from tasks_app.lifecycle.compat import task_classes
from tasks_app.lifecycle.frameworks import DatabaseTasks
from tasks_app.reporting.process import find_reporter, get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support import jobs


@pytest.mark.parametrize("thing", [None, "tests.support.jobs.add", len, jobs.add.func])
def test_thing_that_is_no_task_is_refused(thing):
    with pytest.raises(TypeError, match="a task made by @task is needed"):
        start(thing)


def test_task_of_either_framework_is_a_task():
    assert isinstance(jobs.add, task_classes())


def test_database_that_fails_a_cancel_is_logged(caplog, monkeypatch):
    monkeypatch.setattr(django_tasks_db, "withdraw", Mock(side_effect=OperationalError("gone")))
    get_store().add(Snapshot.queued("t1", "demo", now=get_flusher().clock.now()))
    DatabaseTasks().withdraw("t1")
    assert "task t1: it could not be withdrawn" in caplog.text
    assert find_reporter("t1") is None
