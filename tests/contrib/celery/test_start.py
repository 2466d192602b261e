"""Starting and cancelling Celery tasks from a site: what goes to the broker, and what fails how. No worker runs."""

import asyncio
import base64
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Task, chain, chord, group, signals
from django.db import transaction
from django.test import AsyncClient, override_settings
from kombu.exceptions import EncodeError, OperationalError
from redis import Redis

from tasks_app import (
    BrokerUnavailable,
    InvalidArguments,
    StoreUnavailable,
    TaskIdTaken,
    TaskNotFound,
    announce,
    astart,
    cancel,
    get_snapshot,
    start,
    start_batch,
)
from tasks_app.checks import check_tasks
from tasks_app.contrib.celery import checks, groups, publishing, runner
from tasks_app.lifecycle.claims import claim_beginning
from tasks_app.lifecycle.signatures import check_arguments
from tasks_app.lifecycle.start import astart_named
from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import add_children, find_families
from tasks_app.store.store import get_store
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, disconnect, run_celery_site
from tests.support.doubles import controlled_cache
from tests.support.settings import TASKS_APP
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

STARTABLE = {
    "add": "tests.support.celery_app.add",
    "count": "tests.support.celery_app.count",
    "signed": "tests.contrib.celery.test_start.SIGNED",
}
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SIGNED = jobs.add.s(1)


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site:
        yield site


@pytest.fixture(autouse=True)
def _empty_queue(site: CelerySite) -> None:
    with Redis.from_url(site.broker_url) as client:
        client.flushdb()


@pytest.fixture
def eager() -> Iterator[None]:
    """Celery runs tasks where they are started."""
    jobs.app.conf.task_always_eager = True
    yield
    jobs.app.conf.task_always_eager = False


@pytest.fixture
def no_broker() -> Iterator[None]:
    """Nobody listens where the broker should be."""
    url, jobs.app.conf.broker_url = jobs.app.conf.broker_url, "redis://127.0.0.1:1/0"
    disconnect()
    yield
    jobs.app.conf.broker_url = url
    disconnect()


@pytest.fixture
def _dying_broker() -> Iterator[None]:
    """The broker dies once it has two messages."""
    broker, sent = ValkeyServer(), []

    def count(**kwargs: Any) -> None:
        sent.append(kwargs)
        if len(sent) == 2:
            broker.kill()

    broker.start()
    url, jobs.app.conf.broker_url = jobs.app.conf.broker_url, f"{broker.connection_url}/0"
    disconnect()
    signals.after_task_publish.connect(count)
    yield
    signals.after_task_publish.disconnect(count)
    jobs.app.conf.broker_url = url
    disconnect()


def read_messages(site: CelerySite) -> list[dict[str, Any]]:
    """Return the messages in the queue, the latest first."""
    with Redis.from_url(site.broker_url) as client:
        return [json.loads(text) for text in client.lrange("celery", 0, -1)]


# --- what is sent ---


def test_task_is_known_and_sent_when_start_returns(site: CelerySite):
    task_id = start(jobs.add, 1, b=2, owner=7)
    queued = get_snapshot(task_id)
    assert (queued.task, queued.state, queued.owner, queued.attempt) == (
        "tests.support.celery_app.add",
        "queued",
        "7",
        0,
    )
    (message,) = read_messages(site)
    assert message["headers"]["id"] == task_id
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[1], {"b": 2}]


async def test_task_is_known_and_sent_when_astart_returns(site: CelerySite):
    task_id = await astart(jobs.add, 1, owner=7)
    assert (await asyncio.to_thread(get_snapshot, task_id)).owner == "7"
    assert (await asyncio.to_thread(site.count_messages)) == 1


async def test_message_carries_name_and_owner_as_started(site: CelerySite):
    with override_settings(TASKS_APP=TASKS_APP | {"STARTABLE": STARTABLE}):
        task_id = await astart_named("add", {"a": 1}, owner="7")
    (message,) = await asyncio.to_thread(read_messages, site)
    assert message["headers"]["tasks_app"] == {"task": "add", "owner": "7"}
    assert (await asyncio.to_thread(get_snapshot, task_id)).task == "add"


@pytest.mark.django_db(transaction=True)
def test_task_that_is_started_in_a_transaction_is_sent_under_its_id_at_the_commit(site: CelerySite):
    with transaction.atomic():
        task_id = start(jobs.add, 1, owner=7)
        assert site.count_messages() == 0
        with pytest.raises(TaskNotFound):
            get_snapshot(task_id)
    assert [message["headers"]["id"] for message in read_messages(site)] == [task_id]
    assert (get_snapshot(task_id).state, get_snapshot(task_id).owner) == ("queued", "7")


@pytest.mark.django_db(transaction=True)
def test_task_that_is_started_in_a_transaction_is_not_sent_after_a_rollback(site: CelerySite):
    with transaction.atomic():
        start(jobs.add, 1)
        transaction.set_rollback(True)
    assert site.count_messages() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_broker")
def test_task_that_can_not_be_sent_at_the_commit_has_failed(caplog):
    with transaction.atomic():
        task_id = start(jobs.add, 1)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "it ended")
    assert get_snapshot(task_id).state == "failed"
    assert f"task {task_id}: it could not be enqueued after the commit" in caplog.text


def test_signature_is_started_with_its_options_and_arguments(site: CelerySite):
    task_id = start(jobs.add.s(2).set(countdown=3600), 1, owner=7)
    (message,) = read_messages(site)
    assert (message["headers"]["id"], message["headers"]["eta"] is None) == (task_id, False)
    assert json.loads(base64.b64decode(message["body"]))[0] == [1, 2]
    assert get_snapshot(task_id).owner == "7"


def test_signature_keeps_the_id_that_it_has():
    signature = jobs.add.s(1).set(task_id="mine")
    assert start(signature) == "mine"
    assert get_snapshot("mine").state == "queued"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [nullcontext, transaction.atomic])
def test_id_of_a_task_of_another_owner_is_refused(site: CelerySite, opened):
    announce("report", owner=7, task_id="theirs")
    with opened(), pytest.raises(TaskIdTaken, match="'theirs' exists already, and is queued"):
        start(jobs.add.s(1).set(task_id="theirs"), owner=8)
    assert site.count_messages() == 0
    assert get_snapshot("theirs").owner == "7"


def test_batch_of_a_signature_is_refused():
    with pytest.raises(TypeError, match="a Celery task is needed, not the signature"):
        start_batch(jobs.add.s(1), [()])


@pytest.mark.parametrize("what", [jobs.app, jobs.add.run, "tests.support.celery_app.add"])
def test_what_is_not_one_task_is_refused(what: Any):
    with pytest.raises(TypeError, match=r"a task made by @task or a Celery task is needed, not "):
        start(what)


def test_task_that_celery_runs_itself_with_is_not_tracked():
    result = jobs.app.send_task("celery.backend_cleanup")
    with pytest.raises(TaskNotFound):
        get_snapshot(result.id)


def test_task_that_the_site_leaves_out_is_not_tracked(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "UNTRACKED": r".*\.add"}
    with pytest.raises(TaskNotFound):
        get_snapshot(jobs.add.delay(1).id)
    assert get_snapshot(jobs.fail.delay().id).state == "queued"


@pytest.mark.parametrize("task", [jobs.add, jobs.add.s()], ids=["task", "signature"])
def test_start_of_a_task_that_the_site_leaves_out_is_refused(site: CelerySite, settings, task: Any):
    settings.TASKS_APP = {**settings.TASKS_APP, "UNTRACKED": r".*\.add"}
    with pytest.raises(ValueError, match=r"celery_app\.add' is not tracked, since UNTRACKED says so"):
        start(task, 1)
    assert read_messages(site) == []


def test_task_that_is_sent_again_changes_nothing():
    task_id = start(jobs.add, 1, owner=7)
    before = get_snapshot(task_id)
    jobs.add.apply_async((1,), task_id=task_id)
    assert get_snapshot(task_id) == before


def test_message_of_the_old_protocol_is_left_as_it_is():
    headers: dict[str, Any] = {}
    publishing.on_publish(headers=headers, body={"id": "t1"})
    assert headers == {}


# --- what is refused for its arguments ---


def find_stored() -> set[str]:
    """Return the ids of the recent tasks that are stored, once a later one is listed."""
    last = announce("last")
    wait_until(lambda: last in get_store().find_recent(), "the later task is listed")
    return set(get_store().read(get_store().find_recent())) - {last}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("opened", [nullcontext, transaction.atomic], ids=["at-once", "at-commit"])
@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1,), {"countdown": 3}, r"an unexpected keyword argument 'countdown'; .* go into a signature"),
        ((), {}, r"missing a required argument: 'a'$"),
        ((object(),), {}, r"arguments of task 'tests.support.celery_app.add' can't be serialized"),
    ],
    ids=["option", "missing", "no-json"],
)
@pytest.mark.parametrize("task", [jobs.add, jobs.add.s()], ids=["task", "signature"])
def test_start_that_is_refused_for_its_arguments_leaves_nothing(site, opened, task, args, kwargs, message):
    with opened(), pytest.raises(TypeError, match=message):
        start(task, *args, **kwargs, owner=7)
    assert (find_stored(), read_messages(site)) == (set(), [])


def test_canvas_whose_first_part_is_refused_leaves_nothing(site: CelerySite):
    with pytest.raises(TypeError):
        start(chain(jobs.add.s(1), jobs.add.s(2)), countdown=3)
    assert (find_stored(), read_messages(site)) == (set(), [])


def test_batch_with_a_call_that_can_not_be_sent_leaves_nothing(site: CelerySite):
    with pytest.raises(InvalidArguments, match=r"^calls\[1\]: the arguments of task .* can't be serialized"):
        start_batch(jobs.add, [(1,), (object(),)])
    assert (find_stored(), read_messages(site)) == (set(), [])


class Sender(Task):  # type: ignore[misc]
    """A task that changes its arguments where it is sent."""

    name = "tests.sender"

    def run(self, a: int) -> None:
        """Do nothing."""

    def apply_async(self, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        return super().apply_async((1,), kwargs, **options)


class Caller(Task):  # type: ignore[misc]
    """A task that changes its arguments where it is called."""

    name = "tests.caller"

    def run(self, a: int) -> None:
        """Do nothing."""

    def __call__(self) -> None:
        self.run(1)


@pytest.mark.parametrize("kind", [Sender, Caller])
def test_arguments_of_a_task_that_changes_them_are_left_to_it(site: CelerySite, kind: type[Task]):
    task = jobs.app.register_task(kind())
    try:
        start(task)
    finally:
        jobs.app.tasks.unregister(task.name)
    assert site.count_messages() == 1


# --- canvases ---


def find_children(task_id: str) -> list[str]:
    return list(find_families({task_id: 1})[task_id].members)


CANVASES = [
    lambda: group(jobs.add.s(1), jobs.add.s(2)),
    lambda: chain(jobs.add.s(1), jobs.add.s(2)),
    lambda: group(chain(jobs.add.s(1), jobs.add.s(2)), jobs.add.s(3)),
]


@pytest.mark.usefixtures("no_broker")
@pytest.mark.parametrize("make", CANVASES, ids=["group", "chain", "group-of-chains"])
def test_canvas_that_can_not_be_sent_has_failed_and_leaves_nothing_waiting(make):
    with pytest.raises(BrokerUnavailable):
        start(make(), owner=7)
    wait_until(get_store().find_recent, "the canvas is listed")
    (task_id,) = get_store().find_recent()
    wait_until(lambda: get_snapshot(task_id).is_terminal, "it ended")
    ended = get_snapshot(task_id)
    assert (ended.state, ended.status.partition(";")[0]) == (
        "failed",
        "Failed: 0 of 2 parts were sent, then it failed",
    )
    assert {get_snapshot(child).state for child in find_children(task_id)} == {"cancelled"}


@pytest.mark.usefixtures("no_broker")
@pytest.mark.parametrize("replace", [{}, {"link": jobs.add.si(3)}], ids=["alone", "with-a-callback"])
def test_chain_whose_sending_fails_has_failed_and_leaves_nothing_waiting(replace: dict[str, Any]):
    with pytest.raises(OperationalError):
        chain(jobs.add.s(1).set(task_id="first", **replace), jobs.add.s(2)).apply_async()
    wait_for_chain()
    ended = get_snapshot("first-chain")
    assert (ended.state, ended.status) == ("failed", "Failed: 0 of 2 parts were sent, then it failed")
    assert {get_snapshot(child).state for child in find_children("first-chain")} == {"cancelled"}


def test_chain_that_can_not_be_encoded_has_failed():
    with pytest.raises(EncodeError):
        chain(jobs.add.s(object()).set(task_id="first"), jobs.add.s(2)).apply_async()
    wait_for_chain()
    assert get_snapshot("first-chain").state == "failed"


def wait_for_chain() -> None:
    """Wait until all is written of a chain whose sending failed."""
    steps = ["first-chain", *find_children("first-chain")]
    wait_until(lambda: all(get_snapshot(step).is_terminal for step in steps), "the chain and its steps have ended")
    wait_until(lambda: "first-chain" in get_store().find_recent(), "the chain is listed")


@pytest.mark.usefixtures("_dying_broker")
@pytest.mark.parametrize(
    ("send", "state", "status"),
    [
        (start, "cancelled", "Failed: 2 of 4 parts were sent, then it failed; these were cancelled"),
        (lambda canvas: canvas.apply_async(), "queued", "Failed: 2 of 4 parts were sent, then it failed"),
    ],
    ids=["start", "plain"],
)
def test_group_whose_broker_fails_in_the_middle_says_how_much_was_sent(send, state: str, status: str):
    with pytest.raises((BrokerUnavailable, OperationalError)):
        send(group([jobs.add.s(number) for number in range(4)]))
    wait_until(get_store().find_recent, "the group is listed")
    (task_id,) = get_store().find_recent()
    children = find_children(task_id)
    wait_until(lambda: get_snapshot(children[-1]).is_terminal, "what was not sent has ended")
    assert [get_snapshot(child).state for child in children] == [state, state, "cancelled"]
    assert get_snapshot(task_id).status == status


@pytest.mark.parametrize("task_id", ["not an id", "x" * 129])
def test_group_with_an_id_that_no_task_can_have_is_sent_as_ever(site: CelerySite, task_id: str):
    result = group(jobs.add.s(1), jobs.add.s(2)).apply_async(task_id=task_id)
    assert site.count_messages() == 2
    assert [get_snapshot(member.id).parent for member in result.results] == [None] * 2


@pytest.mark.parametrize("broken", [("add", "get_many"), ("set",), ("set_many",)])
def test_group_is_sent_as_ever_while_the_cache_fails(site: CelerySite, broken: tuple[str, ...]):
    with controlled_cache(*broken):
        group(jobs.add.s(1), jobs.add.s(2)).apply_async()
    assert site.count_messages() == 2


def test_canvas_is_not_sent_when_its_parent_can_not_be_stored(site: CelerySite):
    with controlled_cache("add"), pytest.raises(StoreUnavailable, match="could not be stored"):
        start(group(jobs.add.s(1), jobs.add.s(2)))
    assert site.count_messages() == 0


@pytest.mark.django_db(transaction=True)
def test_canvas_that_is_started_in_a_transaction_is_sent_under_its_id_at_the_commit(site: CelerySite):
    with transaction.atomic():
        task_id = start(group(jobs.add.s(1), jobs.add.s(2)), owner=7)
        assert site.count_messages() == 0
    assert site.count_messages() == 2
    queued = get_snapshot(task_id)
    assert (queued.state, queued.owner, queued.children["total"]) == ("queued", "7", 2)


async def test_canvas_is_started_from_async_code(site: CelerySite):
    task_id = await astart(group(jobs.add.s(1), jobs.add.s(2)), owner=7)
    assert (await asyncio.to_thread(get_snapshot, task_id)).children["total"] == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: group(jobs.add.s(1), jobs.add.s(2)),
        lambda: chain(jobs.add.s(1), jobs.add.s(2)),
        lambda: chain(jobs.add.s(1), jobs.count.si(2)),
        lambda: chord([jobs.add.s(1)], jobs.count.si(2)),
        lambda: group(jobs.count.s(1), chain(jobs.add.s(1), jobs.count.si(2))),
    ],
    ids=["group", "chain", "first-step", "header", "chain-in-a-group"],
)
@override_settings(TASKS_APP=TASKS_APP | {"UNTRACKED": r".*\.add"})
def test_canvas_that_begins_with_tasks_that_are_not_tracked_is_not_started(site: CelerySite, make):
    with pytest.raises(ValueError, match="tracked, since UNTRACKED says so"):
        start(make())
    assert site.count_messages() == 0


@override_settings(TASKS_APP=TASKS_APP | {"UNTRACKED": r".*\.add"})
def test_canvas_is_the_parent_of_those_of_its_tasks_that_are_tracked(site: CelerySite):
    task_id = start(group(jobs.add.s(1), jobs.count.s(2)))
    assert (get_snapshot(task_id).state, get_snapshot(task_id).children["total"]) == ("queued", 1)
    assert site.count_messages() == 2


@override_settings(TASKS_APP=TASKS_APP | {"MAX_CHILDREN": 2})
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: group([jobs.add.s(1)] * 3), "3"),
        (lambda: group(jobs.add.s(number) for number in itertools.count()), "more than 2"),
    ],
    ids=["list", "endless"],
)
def test_canvas_with_more_parts_than_allowed_is_not_started(site: CelerySite, make, said: str):
    with pytest.raises(ValueError, match=f"there are {said} parts; MAX_CHILDREN allows 2"):
        start(make())
    assert site.count_messages() == 0


@override_settings(TASKS_APP=TASKS_APP | {"MAX_CHILDREN": 2})
def test_group_with_more_members_than_allowed_is_sent_as_ever(site: CelerySite):
    result = group([jobs.add.s(1)] * 3).apply_async()
    assert [get_snapshot(member.id).parent for member in result.results] == [None] * 3
    with pytest.raises(TaskNotFound):
        get_snapshot(result.id)


@override_settings(TASKS_APP=TASKS_APP | {"MAX_CHILDREN": 2})
def test_further_members_of_a_generator_are_sent_without_a_parent(site: CelerySite, caplog):
    result = group(jobs.add.s(1) for _ in range(4)).apply_async()
    parents = [get_snapshot(member.id).parent for member in result.results]
    assert (parents, get_snapshot(result.id).children["total"]) == ([result.id] * 2 + [None] * 2, 2)
    assert caplog.text.count("MAX_CHILDREN") == 1


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("make", CANVASES, ids=["group", "chain", "group-of-chains"])
def test_eager_canvas_has_ended_with_its_parts_when_it_is_started(make):
    task_id = start(make(), owner=7)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "its parts are stored")
    ended = get_snapshot(task_id)
    children = [get_snapshot(child) for child in find_children(ended.task_id)]
    assert (ended.state, len(children)) == ("succeeded", ended.children["succeeded"])
    assert {(child.owner, child.parent) for child in children} == {("7", ended.task_id)}


def test_chain_whose_first_step_is_known_has_no_parent(site: CelerySite):
    task_id = jobs.add.delay(1).id
    chain(jobs.add.si(1).set(task_id=task_id), jobs.add.si(2)).apply_async()
    assert get_snapshot(task_id).parent is None
    with pytest.raises(TaskNotFound):
        get_snapshot(f"{task_id}-chain")


@pytest.mark.usefixtures("eager")
def test_task_that_runs_inside_a_part_of_an_eager_canvas_is_no_part_of_it():
    task_id = start(group(jobs.apply_another.si(), jobs.add.si(1)))
    wait_until(lambda: get_snapshot(task_id).is_terminal, "its parts are stored")
    assert get_snapshot(task_id).children["total"] == 2


def test_group_is_sent_as_ever_where_its_sending_can_not_be_followed(site: CelerySite, monkeypatch, caplog):
    groups.unwrap()
    try:
        monkeypatch.setattr(groups, "_original", lambda self, args=None, kwargs=None: None)
        groups.wrap()
    finally:
        monkeypatch.undo()
    result = group(jobs.add.s(1), jobs.add.s(2)).apply_async()
    groups.wrap()
    assert "are not shown as parents" in caplog.text
    assert [get_snapshot(member.id).parent for member in result.results] == [None] * 2


# --- by name ---


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "missing argument 'a'"),
        ({"a": 1, "c": 2}, r"unexpected argument 'c'; allowed: \['a', 'b'\]"),
        ({"a": "1"}, "argument 'a' must be int, not '1'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(kwargs: dict[str, Any], message: str):
    with pytest.raises(InvalidArguments, match=message):
        check_arguments(jobs.add, kwargs)


def test_self_of_a_bound_task_is_no_argument():
    check_arguments(jobs.count, {"n": 3})
    with pytest.raises(InvalidArguments, match="unexpected argument 'self'"):
        check_arguments(jobs.count, {"self": 1})


def test_arguments_of_a_task_with_autoretry_are_checked():
    with pytest.raises(InvalidArguments, match="unexpected argument 'n'"):
        check_arguments(jobs.run_until_cancelled, {"n": 1})


@override_settings(TASKS_APP=TASKS_APP | {"STARTABLE": STARTABLE})
def test_signature_in_startable_is_a_check_error():
    (error,) = check_tasks(None)
    assert (error.id, "'signed'" in error.msg, "not the signature" in error.msg) == ("tasks_app.E003", True, True)


@pytest.mark.usefixtures("eager")
@override_settings(TASKS_APP=TASKS_APP | {"STARTABLE": {"add": "tests.support.celery_app.add"}, "DEFAULT_TASK": "add"})
def test_eager_celery_is_a_check_warning():
    (warning,) = check_tasks(None)
    assert (warning.id, "task_always_eager" in warning.msg) == ("tasks_app.W004", True)


# --- outages ---


def test_task_is_not_sent_when_its_snapshot_can_not_be_stored(site: CelerySite):
    with controlled_cache("add"), pytest.raises(StoreUnavailable, match="could not be stored"):
        start(jobs.add, 1)
    assert site.count_messages() == 0


def test_task_that_user_code_sends_does_not_notice_that_the_cache_is_down(site: CelerySite, caplog):
    with controlled_cache("add", "get_many"):
        task_id = jobs.add.delay(1).id
    assert f"task {task_id}: its first snapshot could not be stored at once" in caplog.text
    (message,) = read_messages(site)
    assert message["headers"]["tasks_app"] == {"task": "tests.support.celery_app.add", "owner": None}


@pytest.mark.usefixtures("no_broker")
def test_start_says_that_the_broker_is_down_and_leaves_no_task_waiting():
    with pytest.raises(BrokerUnavailable):
        start(jobs.add.s(1).set(task_id="t1"))
    wait_until(lambda: get_snapshot("t1").is_terminal, "the task that was not sent has ended")
    assert (get_snapshot("t1").state, get_snapshot("t1").attempt) == ("failed", 0)


@pytest.mark.usefixtures("no_broker")
@override_settings(TASKS_APP=TASKS_APP | {"STARTABLE": STARTABLE})
async def test_start_over_http_answers_503_when_the_broker_is_down():
    body = {"task": "add", "kwargs": {"a": 1}}
    response = await AsyncClient().post("/start-task", json.dumps(body), content_type="application/json")
    assert (response.status_code, response.json()["detail"]) == (503, "No task can be queued at the moment.")
    assert "Retry-After" in response.headers


def test_task_that_refuses_to_be_sent_itself_has_failed(monkeypatch):
    def refuse(self: Any, *args: Any, **options: Any) -> None:
        raise TypeError("not these")

    monkeypatch.setattr(type(jobs.app.tasks[jobs.add.name]), "apply_async", refuse, raising=False)
    with pytest.raises(TypeError, match="not these"):
        start(jobs.add.s().set(task_id="t1"))
    wait_until(lambda: get_snapshot("t1").state == "failed", "the task that was not sent has ended")


@pytest.mark.usefixtures("no_broker")
def test_cancel_of_what_waits_is_shown_although_the_broker_is_down(caplog):
    get_store().add(Snapshot.queued("t1", "add", now=NOW, runner="celery"))
    cancel("t1")
    assert get_snapshot("t1").state == "cancelled"
    assert "tasks ['t1']: the workers could not be told that they were cancelled" in caplog.text


def test_cancel_does_not_wait_for_a_broker_that_hangs(monkeypatch, caplog):
    hangs = threading.Event()
    monkeypatch.setattr(runner, "PATIENCE", 0.01)
    monkeypatch.setattr(runner, "_revoke", lambda app, task_ids: hangs.wait(DEADLINE))
    get_store().add(Snapshot.queued("t1", "add", now=NOW, runner="celery"))
    cancel("t1")
    hangs.set()
    assert get_snapshot("t1").state == "cancelled"
    assert "tasks ['t1']: the workers could not be told that they were cancelled" in caplog.text


def test_children_are_withdrawn_by_one_message(monkeypatch):
    told = []
    monkeypatch.setattr(runner, "_revoke", lambda app, task_ids: told.append(task_ids))
    get_store().add(expect_children(Snapshot.queued("p", "group", now=NOW, runner=BATCH), 3, now=NOW))
    for child in "abc":
        get_store().add(Snapshot.queued(child, "add", now=NOW, runner="celery", parent="p"))
    add_children("p", dict.fromkeys("abc", 1.0))
    cancel("p")
    assert (told, get_snapshot("p").state) == ([["a", "b", "c"]], "cancelled")


@pytest.mark.usefixtures("no_broker")
def test_message_of_what_was_cancelled_while_no_worker_heard_it_does_not_begin_hours_later(monkeypatch):
    get_store().add(queued := Snapshot.queued("t1", "add", now=NOW, runner="celery"))
    cancel("t1")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert not claim_beginning(queued)


def test_cancel_of_what_a_worker_begins_at_this_moment_leaves_its_end_to_the_worker():
    get_store().add(queued := Snapshot.queued("t1", "add", now=NOW, runner="celery"))
    assert claim_beginning(queued)
    cancel("t1")
    assert get_snapshot("t1").state == "queued"
    assert get_store().find_cancelled(["t1"]) == {"t1"}


def test_cancel_of_what_runs_leaves_its_end_to_the_worker():
    get_store().add(Snapshot.queued("t1", "add", now=NOW, runner="celery").begun(now=NOW))
    cancel("t1")
    assert get_snapshot("t1").state == "running"
    assert get_store().find_cancelled(["t1"]) == {"t1"}


# --- checks ---


def test_celery_that_is_not_installed_is_a_check_error(monkeypatch):
    assert checks.check_celery(None) == []
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    (error,) = checks.check_celery(None)
    assert (error.id, error.hint) == ("tasks_app.E010", "Run 'pip install celery'.")


@pytest.mark.parametrize("mistaken", [{"NO_SUCH_KEY": 1}, {"CACHE": "no-such-alias"}])
def test_check_of_the_cache_leaves_mistaken_settings_to_other_checks(mistaken):
    with override_settings(TASKS_APP=mistaken):
        assert checks.check_shared_cache(None) == []


def test_cache_that_workers_can_not_share_is_a_check_warning():
    assert checks.check_shared_cache(None) == []
    local = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with override_settings(CACHES=local):
        (warning,) = checks.check_shared_cache(None)
    assert (warning.id, "LocMemCache" in warning.msg) == ("tasks_app.W007", True)
