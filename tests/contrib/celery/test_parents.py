"""Groups, chords and chains as parents of what they consist of: started by `start()`, and sent as Celery has it."""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import VERSION, Signature, chain, chord, group, signals
from celery.result import AsyncResult
from django.core.cache import caches

from tasks_app import cancel, get_snapshot, start
from tasks_app.contrib.celery import publishing
from tasks_app.store.families import find_families
from tasks_app.store.store import get_store
from tasks_app.streaming.polling import observe_many
from tests.support import celery_app as jobs
from tests.support.celery_site import (
    CelerySite,
    known_results,
    knows,
    run_celery_site,
    wait_for,
    wait_for_end,
    wait_for_status,
)
from tests.support.readme import find_block
from tests.support.servers import Server
from tests.support.waiting import DEADLINE, wait_until

ADD, ADD_ALL = "tests.support.celery_app.add", "tests.support.celery_app.add_all"

#: A queue that no worker looks at.
UNREAD = {"queue": "unread"}


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site, known_results(site):
        yield site


@pytest.fixture(scope="module", autouse=True)
def _worker(site: CelerySite) -> Iterator[Server]:
    with site.run_worker("--pool=prefork", "--concurrency=2") as worker:
        yield worker


def find_children(task_id: str) -> list[str]:
    return list(find_families({task_id: 1})[task_id].members)


def find_top(task_id: str) -> str:
    """Return the id of the parent above all others."""
    above = get_snapshot(task_id).parent
    return task_id if above is None else find_top(above)


def find_all(task_id: str) -> list[str]:
    """Return this id, and those of all tasks below it."""
    return [task_id, *(item for child in find_children(task_id) for item in find_all(child))]


def read_tree(task_id: str) -> Any:
    """Return the name of a task; of a parent, its kind and what is below it."""
    kind, is_parent, _ = get_snapshot(task_id).task.partition(" of ")
    return {kind: [read_tree(child) for child in find_children(task_id)]} if is_parent else kind


def count(task_id: str) -> dict[str, int]:
    """Return how many children of a parent are in which state."""
    return {name: number for name, number in (get_snapshot(task_id).children or {}).items() if number}


def send(canvas: Signature) -> str:
    """Send a canvas as Celery has it, and return the id of the parent of all of it."""
    return find_top(canvas.apply_async().id)


CANVASES: dict[str, tuple[Callable[[], Signature], Any]] = {
    "group": (lambda: group(jobs.add.s(1), jobs.add.s(2)), {"group": [ADD] * 2}),
    "generator": (lambda: group(jobs.add.s(number) for number in range(3)), {"group": [ADD] * 3}),
    "group-in-group": (lambda: group(jobs.add.s(1), group(jobs.add.s(2), jobs.add.s(3))), {"group": [ADD] * 3}),
    "chain": (lambda: chain(jobs.add.s(1), jobs.add.s(2), jobs.add.s(3)), {"chain": [ADD] * 3}),
    "chord": (lambda: chord([jobs.add.s(1), jobs.add.s(2)], jobs.add_all.s()), {"chord": [ADD, ADD, ADD_ALL]}),
    "group-of-chains": (
        lambda: group(chain(jobs.add.s(1), jobs.add.s(2)), chain(jobs.add.s(3), jobs.add.s(4))),
        {"group": [{"chain": [ADD] * 2}] * 2},
    ),
    "chord-after-step": (
        lambda: chain(jobs.add.si(1), group(jobs.add.si(2), jobs.add.si(3)), jobs.add_all.s()),
        {"chain": [ADD, {"chord": [ADD, ADD, ADD_ALL]}]},
    ),
    "group-as-last-step": (
        lambda: chain(jobs.add.si(1), group(jobs.add.s(2), jobs.add.s(3))),
        {"chain": [ADD, {"group": [ADD] * 2}]},
    ),
    "chord-of-chains": (
        lambda: chord([chain(jobs.add.s(1), jobs.add.s(2)), jobs.add.s(3)], chain(jobs.add_all.s(), jobs.add.s(4))),
        {"chord": [{"chain": [ADD] * 2}, ADD, {"chain": [ADD_ALL, ADD]}]},
    ),
    "chord-of-chords": (
        lambda: chord([chord([jobs.add.s(1)] * 2, jobs.add_all.s())] * 2, jobs.add_all.s()),
        {"chord": [{"chord": [ADD, ADD, ADD_ALL]}, {"chord": [ADD, ADD, ADD_ALL]}, ADD_ALL]},
    ),
}

if VERSION >= (5, 7):  # before, Celery puts what follows a chord into its callback
    CANVASES |= {
        "group-after-chord": (
            lambda: chain(
                chord([jobs.add.s(1), jobs.add.s(2)], jobs.add_all.s()), group(jobs.add.s(3), jobs.add.s(4))
            ),
            {"chain": [{"chord": [ADD, ADD, ADD_ALL]}, {"group": [ADD] * 2}]},
        ),
        "group-of-chords-and-groups": (
            lambda: group(
                chain(chord([jobs.add.s(1)] * 2, jobs.add_all.s()), group(jobs.add.s(2), jobs.add.s(3))), jobs.add.s(4)
            ),
            {"group": [{"chain": [{"chord": [ADD, ADD, ADD_ALL]}, {"group": [ADD] * 2}]}, ADD]},
        ),
    }


@pytest.mark.parametrize("kind", CANVASES)
def test_canvas_that_is_sent_as_ever_is_the_parent_of_its_parts_and_ends_with_them(kind: str):
    make, tree = CANVASES[kind]
    task_id = send(make())
    assert wait_for_end(task_id).state == "succeeded"
    assert read_tree(task_id) == tree
    assert count(task_id) == {"total": len(find_children(task_id)), "succeeded": len(find_children(task_id))}


@pytest.mark.parametrize("kind", CANVASES)
def test_canvas_that_is_started_is_the_parent_of_its_parts_under_the_id_of_the_start(kind: str):
    make, tree = CANVASES[kind]
    task_id = start(make(), owner=7, label="All of it")
    ended = wait_for_end(task_id)
    assert (ended.state, ended.progress, ended.label, ended.parent) == ("succeeded", 100, "All of it", None)
    assert read_tree(task_id) == tree
    assert {get_snapshot(item).owner for item in find_all(task_id)} == {"7"}


def test_group_has_the_id_of_its_result_and_those_of_its_members_in_their_order():
    result = group(jobs.add.s(number) for number in range(5)).apply_async()
    assert find_children(result.id) == [member.id for member in result.results]
    wait_for_end(result.id)


def test_last_step_of_a_chain_keeps_its_id_and_names_the_chain():
    last = chain(jobs.add.s(1), jobs.add.s(2)).apply_async()
    steps = [last.parent.id, last.id]
    assert find_children(get_snapshot(last.id).parent) == steps
    assert [wait_for_end(task_id).result for task_id in steps] == [2, 4]


def load_example(module: str, code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a module of the documents defines, with tasks that the worker knows."""
    shop_tasks: Any = types.ModuleType("shop.tasks")
    shop_tasks.import_file, shop_tasks.report = jobs.add, jobs.add_all
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.tasks", shop_tasks)
    namespace: dict[str, Any] = {"__package__": "shop", "__name__": module}
    exec(code, namespace)
    return namespace


def test_canvases_of_the_documents_are_parents(monkeypatch: pytest.MonkeyPatch):
    namespace = load_example("shop.imports", find_block("python", "shop/imports.py"), monkeypatch)
    started = wait_for_end(namespace["import_all"]([1, 2], 7))
    assert (started.state, started.label, started.children["total"]) == ("succeeded", "All uploads", 2)
    assert read_tree(namespace["import_and_report"]([1, 2])) == {"chord": [ADD, ADD, ADD_ALL]}


def test_callback_of_the_documents_has_the_result_of_its_chord(monkeypatch: pytest.MonkeyPatch):
    namespace = load_example("shop.reports", find_block("python", "shop/reports.py"), monkeypatch)
    task_id, result = namespace["import_for_report"]([1, 2], 7)
    assert (result.get(timeout=DEADLINE), wait_for_end(task_id).owner) == (5, "7")


def test_chain_gives_its_last_step_the_id_that_was_set():
    start(chain(jobs.add.s(1), jobs.add.s(2)).set(task_id="last"))
    assert AsyncResult("last").get(timeout=DEADLINE) == wait_for_end("last").result == 4


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: group(jobs.add.s(1), jobs.add.s(2)), f"group of {ADD}"),
        (lambda: group(jobs.add.s(number) for number in range(2)), f"group of {ADD}"),
        (lambda: chain(jobs.add.si(1), jobs.count.si(1)), f"chain of {ADD}, {jobs.count.name}"),
        (lambda: chord([jobs.add.s(1)], jobs.add_all.s()), f"chord of {ADD}, {ADD_ALL}"),
        (lambda: group(chain(jobs.add.s(1), jobs.add_all.s())), f"group of {ADD}, {ADD_ALL}"),
    ],
    ids=["group", "generator", "chain", "chord", "group-of-chains"],
)
def test_canvas_has_the_name_of_its_kind_and_of_its_tasks(make: Callable[[], Signature], name: str):
    task_ids = [send(make()), start(make())]
    assert [wait_for(task_id, lambda snapshot: snapshot.is_terminal).task for task_id in task_ids] == [name] * 2


def test_chunks_are_one_parent():
    task_id = start(jobs.add.chunks([(1, 2), (3, 4), (5, 6)], 2))
    assert wait_for_end(task_id).state == "succeeded"
    assert read_tree(task_id) == {"group": [ADD] * 2}


@pytest.mark.parametrize("call", [lambda: jobs.add.starmap([(1, 2), (3, 4)]), lambda: jobs.add.map([2, 6])])
def test_map_is_started_as_one_task(call: Callable[[], Signature]):
    ended = wait_for_end(start(call(), owner=7))
    assert (ended.task, ended.total, ended.result, ended.children) == (ADD, 2, [3, 7], None)


def test_empty_group_has_ended():
    assert get_snapshot(start(group([]))).state == "succeeded"


def test_arguments_of_a_start_are_those_of_the_members():
    task_id = start(group(jobs.add.s(1), jobs.add.s(2)), 5)
    wait_for_end(task_id)
    assert [get_snapshot(child).result for child in find_children(task_id)] == [6, 7]


def test_chord_fails_with_counts_once_all_its_members_have_ended():
    task_id = send(chord([jobs.add.s(1), jobs.fail.si(), jobs.add.s(2), jobs.fail.si()], jobs.add_all.s()))
    ended = wait_for_end(task_id)
    assert (ended.state, ended.status) == ("failed", "2 of 5 done, 3 failed")
    assert get_snapshot(find_children(task_id)[-1]).state == "failed"  # the callback was not called


def test_chord_fails_with_a_callback_that_can_not_take_the_results():
    ended = wait_for_end(send(chord([jobs.add.s(1), jobs.add.s(2)], jobs.add.s())))
    assert (ended.state, ended.status) == ("failed", "2 of 3 done, 1 failed")


def test_chain_fails_with_its_first_step():
    ended = wait_for_end(send(chain(jobs.fail.si(), jobs.add.si(1), jobs.add.si(2))))
    assert (ended.state, ended.status) == ("failed", "0 of 3 done, 3 failed")


def test_retries_and_replacements_take_nothing_from_a_group():
    members = [jobs.retry.si(2), *(jobs.replace_self.si(by=by) for by in ("task", "chain", "group"))]
    task_id = send(group(members))
    assert wait_for_end(task_id).state == "succeeded"
    assert count(task_id) == {"total": 4, "succeeded": 4}
    assert get_snapshot(find_children(task_id)[0]).attempt == 3


@pytest.mark.parametrize("by", ["chain", "group"])
def test_what_takes_the_place_of_a_task_is_no_parent(by: str):
    owner = {"chain": "71", "group": "72"}[by]
    task_id = wait_for_end(start(jobs.replace_self, by=by, owner=owner)).task_id
    wait_until(lambda: task_id in get_store().find_recent(), "it is listed")
    listed = [item for item in observe_many(get_store().find_recent()) if item.owner == owner]
    assert [snapshot.children for snapshot in listed] == [None] * len(listed)


def test_steps_that_were_sent_by_who_does_not_track_them_have_no_parent():
    uid = "tasks_app.on_publish"
    signals.before_task_publish.disconnect(dispatch_uid=uid)
    result = chain(jobs.add.si(1), group(jobs.add.si(2), jobs.add.si(3))).apply_async()
    signals.before_task_publish.connect(publishing.on_publish, weak=False, dispatch_uid=uid)
    for member in result.results:
        wait_until(lambda member=member: knows(member.id), "the worker has told of it")
        assert wait_for_end(member.id).parent is None
    assert not knows(result.id)


def test_group_is_cancelled_with_a_member_that_is_revoked():
    revoked = jobs.add.si(1).set(countdown=2)
    result = group(revoked, jobs.add.si(2)).apply_async()
    jobs.app.control.revoke(result.results[0].id)
    ended = wait_for_end(result.id)
    assert (ended.state, ended.status) == ("cancelled", "1 of 2 done, 1 cancelled")


def test_group_is_lost_with_a_member_whose_process_is_killed(site: CelerySite):
    result = group(jobs.die.si(), jobs.add.si(2)).apply_async()
    site.say(result.results[0].id)
    ended = wait_for_end(result.id)
    assert (ended.state, ended.status) == ("lost", "1 of 2 done, 1 lost")


def test_cancel_of_a_group_cancels_all_its_members():
    task_id = start(group(jobs.run_until_cancelled.si(), jobs.add.si(1).set(**UNREAD)), owner=7)
    wait_for_status(find_children(task_id)[0], "Working")
    cancel(task_id)
    assert wait_for_end(task_id).state == "cancelled"
    assert count(task_id) == {"total": 2, "cancelled": 2}


def test_cancel_of_a_chain_cancels_the_step_that_runs_and_those_that_would_follow():
    task_id = start(chain(jobs.run_until_cancelled.si(), jobs.add.si(1), jobs.add.si(2)))
    wait_for_status(find_children(task_id)[0], "Working")
    cancel(task_id)
    assert wait_for_end(task_id).state == "cancelled"
    assert count(task_id) == {"total": 3, "cancelled": 3}


def test_cancel_of_a_group_of_chains_cancels_their_steps():
    task_id = start(group(chain(jobs.add.si(1).set(**UNREAD), jobs.add.si(2)) for _ in range(2)))
    cancel(task_id)
    assert wait_for_end(task_id).state == "cancelled"
    assert [get_snapshot(item).state for item in find_all(task_id)] == ["cancelled"] * 7


def test_steps_know_their_parent_although_the_cache_has_lost_them(site: CelerySite):
    task_id = start(chain(jobs.hear_of.si("lost-step"), jobs.add.si(1)), owner=7)
    children = find_children(task_id)
    wait_for(children[0], lambda snapshot: snapshot.state == "running")
    caches["default"].clear()
    site.say("lost-step")
    wait_until(lambda: knows(children[1]), "the second step is known again")
    ended = wait_for_end(children[1])
    assert (ended.state, ended.parent, ended.owner) == ("succeeded", task_id, "7")


def test_members_know_their_parent_although_the_cache_has_lost_them(site: CelerySite):
    blockers = [jobs.ignore_cancel.delay().id for _ in range(2)]
    for blocker in blockers:
        wait_for_status(blocker, "Deaf")
    result = group(jobs.add.si(1), jobs.add.si(2)).apply_async()
    caches["default"].clear()
    for blocker in blockers:
        site.say(blocker)
    for member in result.results:
        wait_until(lambda member=member: knows(member.id), "the worker has told of it")
        assert wait_for_end(member.id).parent == result.id


def test_canvas_that_a_task_sends_has_its_owner_and_is_not_its_child():
    result = group(jobs.add.si(1), jobs.add.si(2))
    sender = start(jobs.send, result, owner=7)
    task_id = wait_for_end(sender).result
    ended = wait_for_end(task_id)
    assert (ended.state, ended.owner, ended.parent) == ("succeeded", "7", None)
    assert get_snapshot(sender).children is None


def test_canvas_that_a_task_starts_is_its_child():
    starter = start(jobs.start_canvas, group(jobs.add.si(1), jobs.add.si(2)), owner=7)
    ended = wait_for_end(starter)
    (task_id,) = find_children(starter)
    assert (ended.result, ended.children["succeeded"]) == (task_id, 1)
    assert (get_snapshot(task_id).owner, len(find_children(task_id))) == ("7", 2)


def test_task_that_is_sent_while_a_group_is_made_is_no_member_of_it():
    sent = []

    def make() -> Iterator[Signature]:
        for number in range(6):
            sent.append(jobs.add.delay(number).id)
            yield jobs.add.s(number)

    result = group(make()).apply_async()
    assert wait_for_end(result.id).children["total"] == 6
    assert [get_snapshot(task_id).parent for task_id in sent] == [None] * 6


def test_group_whose_members_can_not_all_be_made_says_so_and_goes_on():
    def make() -> Iterator[Signature]:
        yield jobs.add.s(1)
        yield jobs.add.s(2)
        raise LookupError("no more")

    task_id = "4be0643f-1d98-4c02-a2a4-2f9f2d9d7e01"
    with pytest.raises(LookupError):
        group(make()).apply_async(task_id=task_id)
    ended = wait_for_end(task_id)
    assert ended.state == "failed"
    assert "were sent, then it failed" in ended.status
    assert [wait_for_end(child).state for child in find_children(task_id)] == ["succeeded"] * ended.children["total"]


@pytest.mark.parametrize("send_it", [send, start])
@pytest.mark.parametrize("is_awaited", [True, False], ids=["after-its-end", "at-once"])
def test_chain_that_is_sent_twice_is_two_parents(send_it: Callable[[Signature], str], is_awaited: bool):
    """Celery gives its last step the same id each time."""
    steps, task_ids = chain(jobs.add.s(1), jobs.add.s(2)), []
    for _ in range(2):
        task_ids.append(send_it(steps))
        if is_awaited:
            wait_for_end(task_ids[-1])
    assert [wait_for_end(task_id).children["succeeded"] for task_id in task_ids] == [2, 2]


def test_member_under_the_random_id_of_a_task_that_has_ended_begins_again():
    taken = wait_for_end(jobs.add.delay(1).id).task_id
    task_id = send(group(jobs.add.s(1), jobs.add.s(2).set(task_id=taken)))
    assert wait_for_end(task_id).state == "succeeded"
    assert get_snapshot(taken).parent == task_id


def test_member_under_the_random_id_of_an_unfinished_task_counts_as_lost(caplog: pytest.LogCaptureFixture):
    taken = jobs.add.apply_async((1,), **UNREAD).id
    ended = wait_for_end(send(group(jobs.add.s(1), jobs.add.s(2).set(task_id=taken))))
    assert (ended.state, ended.status) == ("lost", "1 of 2 done, 1 lost")
    assert f"task {taken}: it is sent as a part of task {ended.task_id}, but runs apart from that" in caplog.text
