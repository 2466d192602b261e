"""Labels: what people call a task, from its start to its last attempt."""

from dataclasses import replace

import pytest
from django.db import transaction
from django.utils.translation import gettext_lazy

from tasks_app import aannounce, aget_snapshot, announce, astart, get_snapshot, start, task_run
from tasks_app.lifecycle import attempts
from tasks_app.snapshot import Snapshot, as_sent, make_follower, rebase
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.viewers import NOW, make_running
from tests.support.waiting import wait_until


@jobs.task
def take_label(label: str) -> str:
    return label


def wait_for_end(task_id: str) -> Snapshot:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    return get_snapshot(task_id)


def run(task_id: str, **options) -> Snapshot:
    """Run a task under this id to its end."""
    with task_run("nightly", task_id=task_id, **options):
        pass
    return get_snapshot(task_id)


def run_attempt(known: Snapshot) -> Snapshot:
    """Begin an attempt of a task, as a worker that knows this of it, and return its end."""
    reporter = attempts.begin(known)
    reporter.succeed()
    return reporter.snapshot


# --- what a label is ---


def test_started_task_has_its_label_at_once_and_at_its_end():
    task_id = start(jobs.add, 1, label="Add one")
    assert get_snapshot(task_id).label == "Add one"
    assert wait_for_end(task_id).to_wire()["label"] == "Add one"


async def test_async_functions_take_a_label():
    for task_id in (await astart(jobs.add, 1, label="Add one"), await aannounce("nightly", label="Add one")):
        assert (await aget_snapshot(task_id)).label == "Add one"


def test_task_without_a_label_has_none():
    assert wait_for_end(start(jobs.add, 1)).to_wire()["label"] is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("", None),
        (" \n", None),
        (" Import ", "Import"),
        ("x" * 500, "x" * 200),
        ("r\udce9sum\udce9.csv", "r\ufffdsum\ufffd.csv"),
        (gettext_lazy("Import"), "Import"),
        (2026, "2026"),
        ("Import \u202egpj.exe", "Import gpj.exe"),
    ],
)
def test_label_is_kept_as_a_page_can_show_it(given: object, kept: str | None):
    assert get_snapshot(announce("nightly", label=given)).label == kept


def test_argument_of_the_task_that_is_called_label_is_passed_by_its_position():
    ended = wait_for_end(start(take_label, "mine", label="Import"))
    assert (ended.result, ended.label) == ("mine", "Import")


def test_snapshot_that_an_older_release_stored_has_no_label():
    text = make_running().to_json().replace('"label":null,', "")
    assert '"label"' not in text
    assert Snapshot.from_json(text).label is None


# --- what keeps it ---


@pytest.mark.django_db(transaction=True)
def test_task_that_is_enqueued_at_the_commit_keeps_its_label():
    with transaction.atomic():
        task_id = start(jobs.add, 1, label="Add one")
    assert wait_for_end(task_id).label == "Add one"


def test_next_attempt_keeps_the_label():
    first = replace(make_running(), label="Import")
    get_store().add(first)
    attempts.pass_on(attempts.adopt(first))
    assert run_attempt(Snapshot.queued("t1", "demo", now=NOW)).label == "Import"


def test_task_that_the_cache_knew_nothing_of_has_the_label_of_the_one_who_begins_it():
    assert run_attempt(Snapshot.queued("t1", "demo", now=NOW, label="Import")).label == "Import"


@pytest.mark.parametrize(("here", "there", "kept"), [(None, "A", "A"), ("B", "A", "B"), ("B", None, "B")])
def test_read_that_was_put_off_keeps_the_label(here: str | None, there: str | None, kept: str):
    known, stored = (replace(make_running(), label=label) for label in (here, there))
    assert rebase(known, stored, since=known, now=NOW).label == kept


@pytest.mark.parametrize("label", [None, "Send report"])
def test_follower_has_a_label_of_its_own(label: str | None):
    before = replace(make_running(), label="Import")
    follower = make_follower("t2", "demo", after=before, now=NOW, label=label)
    assert follower.label == label
    assert as_sent(follower, Snapshot.queued("t2", "demo", now=NOW)).label == label


# --- task_run ---


def test_code_that_is_no_task_has_a_label():
    with task_run("nightly", label="Import of Monday") as progress:
        task_id = progress.task_id
    assert wait_for_end(task_id).label == "Import of Monday"


def test_announced_task_keeps_its_label_unless_its_run_has_another():
    announce("nightly", label="Monday", task_id="mine")
    assert run("mine").label == "Monday"
    assert run("mine", label="Tuesday").label == "Tuesday"


def test_announcement_of_another_run_has_the_label_of_that_run():
    run("mine", label="Monday")
    announce("nightly", task_id="mine")
    assert get_snapshot("mine").label is None
