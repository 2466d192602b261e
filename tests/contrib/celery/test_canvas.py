"""Chains, chords and callbacks, whose ids are known before they are sent, and what Celery never sends of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import Signature, chain, chord, group
from celery.utils import uuid

from tasks_app import cancel, get_snapshot, start
from tasks_app.store.store import get_store
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, knows, run_celery_site, wait_for, wait_for_end, wait_for_status
from tests.support.servers import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(scope="module", autouse=True)
def _worker(site: CelerySite) -> Iterator[Server]:
    with site.run_worker("--pool=prefork", "--concurrency=2") as worker:
        yield worker


def wait_for_promised_end(task_id: str) -> tuple[str, str | None]:
    """Return the state and the type of the error with which a task ends that may not be known yet."""
    wait_until(lambda: knows(task_id), f"task {task_id} is known")
    ended = wait_for_end(task_id)
    return ended.state, ended.error and ended.error["type"]


@pytest.mark.parametrize(
    "by",
    [
        "failing-task",
        "failing-chain",
        "chain-that-fails-last",
        "failing-group",
        "failing-chord",
        "chord-that-fails-last",
        "chord-of-failing-chains",
    ],
)
def test_task_that_replaces_itself_fails_with_what_takes_its_place(by: str):
    ended = wait_for_end(start(jobs.replace_self, by=by, owner=7))
    assert (ended.state, ended.error["type"], ended.owner) == ("failed", "Exception", "7")


def test_later_steps_of_a_chain_fail_with_an_earlier_one():
    last = chain(jobs.add.s(1), jobs.fail.si(), jobs.add.si(2), jobs.add.si(3)).apply_async()
    ends = [wait_for_promised_end(result.id) for result in (last, last.parent, last.parent.parent)]
    assert ends == [("failed", "Exception")] * 3


@pytest.mark.parametrize(
    "canvas",
    [
        lambda: chord([jobs.add.s(1), jobs.fail.si()], jobs.add_all.s()),
        lambda: chain(group(jobs.add.s(1), jobs.fail.si()), jobs.add_all.s(), jobs.add.s(1)),
        lambda: chain(jobs.fail.si(), group(jobs.add.si(1), jobs.add.si(2)), jobs.add_all.s()),
        lambda: chord([jobs.add.s(1), jobs.replace_self.s(by="failing-chain")], jobs.add_all.s()),
        lambda: chain(jobs.replace_self.s(by="failing-group"), jobs.add.si(1)),
    ],
    ids=["body", "chain-after-chord", "chord-after-step", "replaced-member", "replaced-step"],
)
def test_what_follows_a_member_that_fails_fails_with_it(canvas: Callable[[], Signature]):
    task_id = wait_for_end(start(jobs.send, canvas())).result
    state, error = wait_for_promised_end(task_id)
    assert (state, error) == ("failed", "Exception")


def test_each_step_of_a_chain_has_a_label_of_its_own_before_it_is_sent_and_after():
    first = jobs.add.s(1).set(headers={"tasks_app": {"label": "Read"}}, countdown=2)
    last = chain(first, jobs.add.s(2), jobs.add.s(3).set(headers={"tasks_app": {"label": "Send"}})).apply_async()
    steps = [last.parent.parent.id, last.parent.id, last.id]
    assert [get_snapshot(task_id).label for task_id in steps] == ["Read", None, "Send"]
    ends = [wait_for_end(task_id) for task_id in steps]
    assert [(ended.state, ended.label) for ended in ends] == [
        ("succeeded", "Read"),
        ("succeeded", None),
        ("succeeded", "Send"),
    ]


def test_label_of_a_task_stays_that_of_what_takes_its_place():
    ended = wait_for_end(start(jobs.replace_self, by="failing-chain", label="Import"))
    assert ended.label == "Import"


def test_later_steps_are_cancelled_with_one_that_is_cancelled_while_it_runs():
    last = chain(jobs.run_until_cancelled.si(), jobs.add.si(2)).apply_async()
    wait_until(lambda: knows(last.parent.id), "the first step is known")
    wait_for_status(last.parent.id, "Working")
    cancel(last.parent.id)
    assert wait_for_promised_end(last.id) == ("cancelled", None)


def test_later_steps_are_cancelled_with_one_that_is_cancelled_while_it_waits():
    first = jobs.add.si(1).set(countdown=3)
    last = chain(first, jobs.add.si(2)).apply_async()
    cancel(last.parent.id)
    assert wait_for_promised_end(last.id) == ("cancelled", None)


def test_later_steps_are_cancelled_with_one_that_expires():
    first = jobs.add.si(1).set(expires=datetime.now(UTC) - timedelta(hours=1))
    assert wait_for_promised_end(chain(first, jobs.add.si(2)).apply_async().id) == ("cancelled", None)


def test_later_steps_are_cancelled_with_one_that_is_ignored():
    assert wait_for_promised_end(chain(jobs.ignore.si(), jobs.add.si(2)).apply_async().id) == ("cancelled", None)


def test_later_steps_fail_with_one_that_no_worker_knows():
    unknown = jobs.app.signature("nowhere.to_be_found", immutable=True)
    assert wait_for_promised_end(chain(unknown, jobs.add.si(2)).apply_async().id) == ("failed", "NotRegistered")


def test_later_steps_are_lost_with_one_whose_process_dies(site: CelerySite):
    last = chain(jobs.die.si(), jobs.add.si(2)).apply_async()
    site.say(last.parent.id)
    assert wait_for_promised_end(last.id) == ("lost", None)


def test_steps_of_a_chain_that_succeeds_are_left_alone():
    last = chain(jobs.retry.si(1), jobs.add.si(2)).apply_async()
    assert [wait_for_promised_end(item.id) for item in (last.parent, last)] == [("succeeded", None)] * 2


# --- what is known before it is sent ---

#: A queue that no worker looks at.
UNREAD = {"queue": "unread"}


@pytest.mark.parametrize(
    "canvas",
    [
        chain(jobs.add.si(1).set(**UNREAD), jobs.add.si(2), jobs.add.si(3)),
        chain(jobs.add.si(1).set(**UNREAD), group(jobs.add.si(2), jobs.add.si(3)), jobs.add_all.s(), jobs.add.si(4)),
        chord([jobs.add.si(1).set(**UNREAD), chain(jobs.add.si(2).set(**UNREAD), jobs.add.si(3))], jobs.add_all.s()),
    ],
    ids=["chain", "chord-after-step", "chord"],
)
def test_each_step_is_queued_as_soon_as_a_canvas_is_sent(canvas: Signature):
    task_ids = wait_for_end(start(jobs.send_and_name, canvas)).result
    assert len(task_ids) >= 3
    assert [get_snapshot(task_id).state for task_id in task_ids] == ["queued"] * len(task_ids)


def test_callback_whose_id_is_known_is_queued_for_the_owner_of_what_calls_it():
    task_id = uuid()
    start(jobs.add.si(1).set(link=jobs.add.si(2).set(task_id=task_id), **UNREAD), owner=7)
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.owner, snapshot.attempt) == ("queued", "7", 0)


def test_callback_of_a_task_that_fails_fails_with_it():
    task_id = uuid()
    jobs.fail.apply_async(link=jobs.add.si(2).set(task_id=task_id))
    assert wait_for_promised_end(task_id) == ("failed", "Exception")


def test_promised_steps_are_listed_as_one():
    task_ids = jobs.find_ids(chain(jobs.add.si(1).set(**UNREAD), jobs.add.si(2)).apply_async())
    parent = get_snapshot(task_ids[0]).parent
    wait_until(lambda: parent in get_store().find_recent(), "their chain is listed")
    assert [item for item in get_store().find_recent() if item in (parent, *task_ids)] == [parent]


def test_promised_step_goes_on_from_there_when_it_is_sent(site: CelerySite):
    last = chain(jobs.count.si(1, wait=True), jobs.count.si(1, wait=True)).apply_async()
    promised = get_snapshot(last.id)
    wait_for_status(last.parent.id, "Waiting")
    site.say(last.parent.id)
    begun = wait_for_status(last.id, "Waiting")
    assert (begun.attempt, begun.created_at, begun.seq > promised.seq) == (1, promised.created_at, True)
    site.say(last.id)
    assert wait_for_end(last.id).state == "succeeded"


def test_nothing_is_left_waiting_of_a_canvas_that_succeeds():
    canvas = chain(jobs.add.si(1), group(jobs.add.si(2), jobs.add.si(3)), jobs.add_all.s(), jobs.add.si(4))
    task_ids = wait_for_end(start(jobs.send_and_name, canvas)).result
    assert [wait_for_end(task_id).state for task_id in task_ids] == ["succeeded"] * 5


def test_steps_that_an_earlier_one_leaves_out_are_cancelled():
    last = chain(jobs.stop_chain.si(), jobs.add.si(2), jobs.add.si(3)).apply_async()
    ends = [wait_for_end(task_id) for task_id in jobs.find_ids(last)]
    left_out = ("cancelled", "Left out by an earlier step")
    assert [(end.state, end.status) for end in ends] == [left_out, left_out, ("succeeded", "Completed")]


def test_promised_step_that_is_cancelled_does_not_run(site: CelerySite):
    last = chain(jobs.count.si(1, wait=True), jobs.add.si(2)).apply_async()
    wait_for_status(last.parent.id, "Waiting")
    cancel(last.id)
    site.say(last.parent.id)
    assert wait_for_end(last.parent.id).state == "succeeded"
    ended = wait_for_end(last.id)
    assert (ended.state, ended.attempt) == ("cancelled", 0)


# --- one task that calls a function for each of many items ---


@pytest.mark.parametrize("call", [lambda: jobs.add.starmap([(1, 2), (3, 4)]), lambda: jobs.add.map([2, 6])])
def test_map_shows_the_items_that_it_has_done_under_the_name_of_its_task(call: Callable[[], Signature]):
    ended = wait_for_end(call().apply_async().id)
    assert (ended.state, ended.task, ended.result) == ("succeeded", jobs.add.name, [3, 7])
    assert (ended.current, ended.total, ended.unit) == (2, 2, "items")


def test_map_that_follows_a_task_is_queued_under_the_name_of_its_task():
    task_ids = wait_for_end(start(jobs.send_and_name, chain(jobs.add.si(1).set(**UNREAD), jobs.add.map([1])))).result
    assert [get_snapshot(task_id).task for task_id in task_ids] == [jobs.add.name] * 2


def test_chunks_are_tasks_that_show_their_items():
    members = jobs.add.chunks([(1, 2), (3, 4), (5, 6)], 2).apply_async().results
    ends = [wait_for_end(member.id) for member in members]
    assert [(ended.task, ended.total, ended.result) for ended in ends] == [
        (jobs.add.name, 2, [3, 7]),
        (jobs.add.name, 1, [11]),
    ]


def test_map_that_is_cancelled_stops_at_its_next_item(site: CelerySite):
    task_id = jobs.hear_of.map(["first-item", "second-item", "third-item"]).apply_async().id
    site.say("first-item")
    wait_for(task_id, lambda snapshot: snapshot.current == 1)
    cancel(task_id)
    wait_for(task_id, lambda snapshot: snapshot.cancel_requested)
    site.say("second-item")
    assert wait_for_end(task_id).state == "cancelled"
