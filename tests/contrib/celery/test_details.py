"""What staff may know of Celery tasks: worker, arguments and tracebacks, attempt by attempt, from a real worker."""

from collections.abc import Iterator

import pytest

from tasks_app import start
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site, wait_for_end, wait_for_status
from tests.support.details import RECORDED, list_arguments, read_details


@pytest.fixture(scope="module", autouse=True)
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site, site.run_worker("--pool=prefork", "--concurrency=1", **RECORDED):
        yield site


def test_worker_and_arguments_of_a_task_are_recorded():
    task_id = start(jobs.add, 1, b=2)
    wait_for_end(task_id)
    details = read_details(task_id)
    assert (list_arguments(details), details["state"]) == ({"a": "1", "b": "2"}, "succeeded")
    assert details["host"]
    assert isinstance(details["process"], int)


def test_arguments_that_the_sender_has_hidden_are_not_recorded():
    task_id = jobs.fail.apply_async(("s3cret",), argsrepr="('<hidden>',)").id
    wait_for_end(task_id)
    assert read_details(task_id)["arguments"] is None


def test_traceback_of_a_failure_is_recorded():
    task_id = start(jobs.fail, "out of memory")
    wait_for_end(task_id)
    traceback = read_details(task_id)["traceback"]
    assert "tests/support/celery_app.py" in traceback
    assert traceback.endswith("RuntimeError: out of memory\n")


def test_each_attempt_of_a_retried_task_is_recorded():
    task_id = start(jobs.fail_once)
    wait_for_end(task_id)
    first, second = (read_details(task_id, attempt) for attempt in (1, 2))
    assert first["state"] == "queued"
    assert first["traceback"].endswith("ConnectionError: the first time\n")
    assert first["started_at"] <= first["finished_at"] <= second["started_at"]
    assert (second["state"], second["traceback"]) == ("succeeded", None)


def test_details_of_an_attempt_outlive_its_process(site: CelerySite):
    task_id = start(jobs.die)
    wait_for_status(task_id, "Dying")
    site.say(task_id)
    assert wait_for_end(task_id).state == "lost"
    details = read_details(task_id)
    assert (details["state"], details["finished_at"], details["arguments"]) == ("running", None, [])
