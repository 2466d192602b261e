"""Celery tasks under ids that callers choose: one run after another, and nobody sees what another one's run does."""

from collections.abc import Iterator
from contextlib import nullcontext
from uuid import uuid4

import pytest
from celery import chain, chord, group
from django.db import transaction
from redis import Redis

from tasks_app import TaskIdTaken, get_snapshot, start
from tasks_app.store.families import find_families
from tasks_app.store.store import get_store
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site
from tests.support.viewers import NOW, put_silently
from tests.support.waiting import wait_until

NAMED = jobs.add.s(1).set(task_id="report-7")


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(autouse=True)
def _empty_queue(site: CelerySite) -> None:
    with Redis.from_url(site.broker_url) as client:
        client.flushall()


def end(task_id: str) -> None:
    """Store the end of a task, as its worker does."""
    put_silently(get_snapshot(task_id).begun(now=NOW).succeeded("the first one's", now=NOW))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [nullcontext, transaction.atomic])
@pytest.mark.parametrize("owner", [7, 8, None])
def test_id_of_a_task_that_has_not_ended_is_refused(site: CelerySite, opened, owner):
    start(NAMED, owner=7)
    before = get_snapshot("report-7")
    with opened(), pytest.raises(TaskIdTaken, match="'report-7' exists already, and is queued"):
        start(NAMED, owner=owner)
    assert (get_snapshot("report-7"), site.count_messages()) == (before, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [nullcontext, transaction.atomic])
@pytest.mark.parametrize("owner", [8, None])
def test_id_of_an_ended_task_of_somebody_else_is_refused(site: CelerySite, opened, owner):
    start(NAMED, owner=7)
    end("report-7")
    with opened(), pytest.raises(TaskIdTaken, match="'report-7' has ended, and is not of this owner"):
        start(NAMED, owner=owner)
    assert (get_snapshot("report-7").result, site.count_messages()) == ("the first one's", 1)


@pytest.mark.parametrize(("first", "second"), [(7, 7), (None, 8), (None, None)])
def test_ended_id_is_a_new_task_of_its_new_owner(site: CelerySite, first, second):
    start(NAMED, owner=first)
    get_store().request_cancel("report-7")
    end("report-7")
    ended = get_snapshot("report-7")
    start(NAMED, owner=second, label="Second")
    found = get_snapshot("report-7")
    assert (found.state, found.result, found.label) == ("queued", None, "Second")
    assert found.owner == (None if second is None else str(second))
    assert found.seq > ended.seq
    assert get_store().find_cancelled(["report-7"]) == set()


@pytest.mark.parametrize("owner", [7, 8, None])
def test_random_id_of_a_signature_is_one_that_its_caller_chose(site: CelerySite, owner):
    signature = jobs.add.s(1).set(task_id=str(uuid4()))
    start(signature, owner=7)
    with pytest.raises(TaskIdTaken, match="exists already, and is queued"):
        start(signature, owner=owner)
    assert site.count_messages() == 1


def test_message_that_reuses_an_ended_id_is_a_new_task_without_its_owner(site: CelerySite):
    start(NAMED, owner=7)
    end("report-7")
    NAMED.apply_async()
    found = get_snapshot("report-7")
    assert (found.state, found.result, found.owner) == ("queued", None, None)


@pytest.mark.slow
def test_message_under_the_id_of_somebody_elses_task_shows_them_nothing(site: CelerySite):
    """The site's own code sends it: nothing can refuse that."""
    job = jobs.count.s(1, wait=True).set(task_id="report-7")
    start(job, owner=7)
    with site.run_worker("--concurrency=2"):
        wait_until(lambda: get_snapshot("report-7").status == "Waiting", "the first one runs")
        jobs.add.apply_async((1, 41), task_id="report-7")
        next_id = start(jobs.add, 1)  # the child that ran the second one stores its end with all before it
        wait_until(lambda: get_snapshot(next_id).is_terminal, "the second one has ended")
        assert (get_snapshot("report-7").state, get_snapshot("report-7").attempt) == ("running", 1)
        site.say("report-7")
        wait_until(lambda: get_snapshot("report-7").is_terminal, "the first one ends")
    assert (get_snapshot("report-7").owner, get_snapshot("report-7").result) == ("7", {"counted": 1})


def test_retry_of_a_chosen_id_is_an_attempt_of_its_run(site: CelerySite):
    start(jobs.retry.s().set(task_id="report-7"), owner=7)
    with site.run_worker("--concurrency=1"):
        wait_until(lambda: get_snapshot("report-7").is_terminal, "it ended")
    found = get_snapshot("report-7")
    assert (found.state, found.owner, found.attempt) == ("succeeded", "7", 2)


def test_id_whose_end_is_kept_no_longer_begins_without_the_cancel_of_its_past(site: CelerySite):
    get_store().request_cancel("report-7")
    start(NAMED, owner=8)
    assert get_store().find_cancelled(["report-7"]) == set()


#: Canvases that carry the id of another task at each of the places where one can stand.
CANVASES = {
    "group": lambda: group(NAMED.clone(), jobs.add.s(2)),
    "generator": lambda: group(signature for signature in [jobs.add.s(2), NAMED.clone()]),
    "first-step": lambda: chain(NAMED.clone(), jobs.add.s(2)),
    "last-step": lambda: chain(jobs.add.s(1), jobs.add.s(2)).set(task_id="report-7"),
    "callback": lambda: chord([jobs.add.s(1)], jobs.add_all.s().set(task_id="report-7")),
    "step-in-a-group": lambda: group(chain(jobs.add.s(1), jobs.add.s(2).set(task_id="report-7")), jobs.add.s(3)),
    "link": lambda: group(jobs.add.s(1).on_error(jobs.add.s(2)).set(link=[NAMED.clone()]), jobs.add.s(3)),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [nullcontext, transaction.atomic])
@pytest.mark.parametrize("kind", CANVASES)
def test_canvas_with_the_id_of_a_task_that_has_not_ended_is_refused(site: CelerySite, kind: str, opened):
    start(NAMED, owner=7)
    before = get_snapshot("report-7")
    with opened(), pytest.raises(TaskIdTaken, match="'report-7' exists already, and is queued"):
        start(CANVASES[kind](), owner=8)
    assert (get_snapshot("report-7"), site.count_messages()) == (before, 1)


@pytest.mark.parametrize("kind", CANVASES)
def test_canvas_with_the_id_of_an_ended_task_of_somebody_else_is_refused(site: CelerySite, kind: str):
    start(NAMED, owner=7)
    end("report-7")
    with pytest.raises(TaskIdTaken, match="'report-7' has ended, and is not of this owner"):
        start(CANVASES[kind](), owner=8)
    assert (get_snapshot("report-7").result, site.count_messages()) == ("the first one's", 1)


def test_canvas_begins_an_ended_task_of_its_owner_again(site: CelerySite):
    start(NAMED, owner=7)
    end("report-7")
    parent = start(CANVASES["group"](), owner=7)
    found = get_snapshot("report-7")
    assert (found.state, found.owner, found.parent) == ("queued", "7", parent)


@pytest.mark.django_db(transaction=True)
def test_canvas_whose_id_is_taken_until_the_commit_has_failed(site: CelerySite):
    with transaction.atomic():
        parent = start(CANVASES["group"](), owner=8)
        start(NAMED, owner=7, on_commit=False)
    assert (get_snapshot(parent).state, get_snapshot("report-7").owner, site.count_messages()) == ("failed", "7", 1)


@pytest.mark.parametrize("kind", ["group", "last-step"])
def test_canvas_that_is_sent_as_ever_has_no_task_of_somebody_else_as_a_child(site: CelerySite, kind: str):
    start(NAMED, owner=7)
    CANVASES[kind]().apply_async()
    parents = [found for task_id in find_listed() if (found := get_snapshot(task_id)).children is not None]
    assert parents
    assert all("report-7" not in find_families({found.task_id: 1})[found.task_id].members for found in parents)


def find_listed() -> list[str]:
    wait_until(lambda: len(get_store().find_recent()) > 1, "the parent is listed")
    return get_store().find_recent()


def read_group(task_id: str) -> tuple[str, int]:
    """Return the state of a parent, and how many of its children wait."""
    found = get_snapshot(task_id)
    return str(found.state), found.children["queued"]


def end_children(task_id: str) -> None:
    for child in find_families({task_id: 1})[task_id].members:
        end(child)
    assert get_snapshot(task_id).state == "succeeded"


@pytest.mark.parametrize("ids", [(None, None), ("one", "two")], ids=["random", "chosen"])
def test_group_under_an_ended_id_is_a_new_parent(site: CelerySite, ids):
    canvas = [jobs.add.s(1).set(**({"task_id": task_id} if task_id else {})) for task_id in ids]
    group(canvas).apply_async(task_id="nightly")
    end_children("nightly")
    group(canvas).apply_async(task_id="nightly")
    assert read_group("nightly") == ("queued", 2)
    end_children("nightly")


def test_chain_under_ended_ids_is_a_new_parent(site: CelerySite):
    canvas = chain(jobs.add.s(1).set(task_id="one"), jobs.add.s(2).set(task_id="two"))
    canvas.apply_async()
    end_children("one-chain")
    canvas.apply_async()
    assert read_group("one-chain") == ("queued", 2)
    end("one")
    assert read_group("one-chain") == ("running", 1)
    end_children("one-chain")


@pytest.mark.parametrize("make", [lambda: group(jobs.add.s(1)), lambda: chain(NAMED.clone(), jobs.add.s(2))])
def test_canvas_under_an_id_that_is_taken_is_no_parent_and_the_log_says_so_in_a_line(site: CelerySite, caplog, make):
    start(NAMED, owner=7)
    make().apply_async(**({"task_id": "report-7"} if len(make().tasks) == 1 else {}))
    (record,) = [item for item in caplog.records if item.name == "tasks_app"]
    assert "is not shown: task 'report-7' exists already, and is queued" in record.getMessage()
    assert record.exc_info is None
