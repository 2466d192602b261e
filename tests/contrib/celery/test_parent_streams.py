"""The streams of groups, chords and chains on two web processes, from before their first task begins to their end."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from celery import Signature, chain, chord, group
from celery.utils import uuid

from tasks_app import get_snapshot
from tests.support import celery_app as jobs
from tests.support.celery_site import (
    CelerySite,
    known_results,
    run_celery_site,
    wait_for,
    wait_for_end,
    wait_for_status,
)
from tests.support.servers import Server, run_daphne
from tests.support.waiting import DEADLINE
from tests.support.wire import Event, EventStream

pytestmark = pytest.mark.slow

#: So that viewers soon find that a worker is gone.
TIMES = {"HEARTBEAT": 0.2, "STALLED_AFTER": 3, "LOST_AFTER": 5}


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site, known_results(site):
        yield site


@pytest.fixture(scope="module")
def servers(site: CelerySite) -> Iterator[list[Server]]:
    """Two web processes."""
    env = {**site.env, "TASKS_APP": json.dumps(TIMES)}
    with ExitStack() as stack:
        yield [stack.enter_context(run_daphne(env=env)) for _ in range(2)]


@pytest.fixture(scope="module", params=["prefork", "threads"])
def pool(site: CelerySite, request: pytest.FixtureRequest) -> Iterator[str]:
    """The pool of a worker that runs two tasks at once."""
    with site.run_worker(f"--pool={request.param}", "--concurrency=2", **TIMES):
        yield request.param


@pytest.fixture
def released(site: CelerySite) -> Callable[[], None]:
    """Have the worker begin nothing before this is called."""
    gates = [uuid() for _ in range(2)]
    blockers = [jobs.hear_of.delay(gate).id for gate in gates]
    for blocker in blockers:
        wait_for(blocker, lambda snapshot: snapshot.state == "running")
    return lambda: [site.say(gate) for gate in gates] and None


@pytest.fixture
def watch(servers: list[Server]) -> Iterator[Callable[[str], list["Future[list[Event]]"]]]:
    """Open a stream of a task on each server, and return what will have come on each by its end."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as executor:

        def open_each(task_id: str) -> list["Future[list[Event]]"]:
            streams = [
                stack.enter_context(EventStream(server.port, f"/task-progress/{task_id}")) for server in servers
            ]
            firsts = [stream.next() for stream in streams]
            return [
                executor.submit(lambda stream, first: [first, *stream.read_all()], *pair)
                for pair in zip(streams, firsts, strict=True)
            ]

        yield open_each


def find_parent(canvas: Signature) -> str:
    """Send a canvas as Celery has it, and return the id of its parent."""
    task_id = canvas.apply_async().id
    return get_snapshot(task_id).parent or task_id


def check_streams(streams: list["Future[list[Event]]"]) -> dict[str, Any]:
    """Check that none goes back, that each ends once, and that both end alike; return the end."""
    ends = []
    for stream in streams:
        *snapshots, end = stream.result(DEADLINE)
        assert [event.type for event in snapshots] == ["message"] * len(snapshots)
        read = [event.json() for event in snapshots]
        assert end.type == "end"
        assert end.json()["seq"] == read[-1]["seq"]
        assert [item["progress"] for item in read] == sorted(item["progress"] for item in read)
        assert [item["seq"] for item in read] == sorted(item["seq"] for item in read)
        assert read[0]["state"] == "queued"
        ends.append(read[-1])
    names = ("state", "status", "progress", "children", "seq")
    assert [ends[0][name] for name in names] == [ends[1][name] for name in names]
    return ends[0]


def count(end: dict[str, Any]) -> dict[str, int]:
    return {name: number for name, number in end["children"].items() if number}


#: How a canvas is made, how it ends, and how many parts do so.
CANVASES: dict[str, tuple[Callable[[], Signature], str, dict[str, int]]] = {
    "group-of-200": (
        lambda: group(jobs.add.s(number) for number in range(200)),
        "succeeded",
        {"total": 200, "succeeded": 200},
    ),
    "chain-of-5": (
        lambda: chain(jobs.add.s(1), *(jobs.add.s(number) for number in range(4))),
        "succeeded",
        {"total": 5, "succeeded": 5},
    ),
    "chord-of-20": (
        lambda: chord([jobs.add.s(number) for number in range(20)], jobs.add_all.s()),
        "succeeded",
        {"total": 21, "succeeded": 21},
    ),
    "group-of-chains": (
        lambda: group(chain(jobs.add.s(1), jobs.add.s(2), jobs.add.s(3)) for _ in range(10)),
        "succeeded",
        {"total": 10, "succeeded": 10},
    ),
    "chord-with-two-failures": (
        lambda: chord(
            [*(jobs.add.s(number) for number in range(18)), jobs.fail.si(), jobs.fail.si()], jobs.add_all.s()
        ),
        "failed",
        {"total": 21, "succeeded": 18, "failed": 3},
    ),
    "retries": (
        lambda: chord([jobs.retry.si(number) for number in range(4)], jobs.add_all.s()),
        "succeeded",
        {"total": 5, "succeeded": 5},
    ),
}


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("kind", CANVASES)
def test_streams_of_a_canvas_end_alike_and_never_go_back(kind: str, watch, released: Callable[[], None]):
    make, state, counts = CANVASES[kind]
    streams = watch(find_parent(make()))
    released()
    end = check_streams(streams)
    assert (end["state"], count(end)) == (state, counts)


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(
    "make",
    [
        lambda middle: chain(jobs.add.si(1), jobs.add.si(2), jobs.hear_of.si(middle), jobs.add.si(3), jobs.add.si(4)),
        lambda middle: chord([jobs.hear_of.si(middle), *[jobs.add.si(1)] * 19], jobs.count.si(1)),
        lambda middle: group(chain(jobs.add.si(1), jobs.hear_of.si(middle)), chain(jobs.add.si(2), jobs.add.si(3))),
    ],
    ids=["chain", "chord", "group-of-chains"],
)
def test_streams_of_a_canvas_move_on_with_its_parts(make: Any, site: CelerySite, servers: list[Server]):
    middle = uuid()
    task_id = find_parent(make(middle))
    with ExitStack() as stack:
        for server in servers:
            stream = stack.enter_context(EventStream(server.port, f"/task-progress/{task_id}"))
            stream.read_until(lambda event: event.json()["progress"] >= 40)
        site.say(middle)
        assert json.loads(stream.read_until(lambda event: event.type == "end").data)["state"] == "succeeded"


@pytest.mark.usefixtures("pool")
def test_streams_of_a_group_end_with_a_member_that_is_revoked(watch, released: Callable[[], None]):
    result = group(jobs.add.si(number) for number in range(5)).apply_async()
    streams = watch(result.id)
    jobs.app.control.revoke(result.results[2].id)
    released()
    end = check_streams(streams)
    assert (end["state"], count(end)) == ("cancelled", {"total": 5, "succeeded": 4, "cancelled": 1})


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_streams_of_a_chord_end_with_a_worker_that_is_killed(site: CelerySite, watch, pool: str):
    own = {"queue": "own"}
    members = [jobs.ignore_cancel.si().set(**own), *(jobs.add.si(number).set(**own) for number in range(6))]
    result = chord(members, jobs.add_all.s().set(**own)).apply_async()
    streams = watch(result.parent.id)
    with site.run_worker(f"--pool={pool}", "--concurrency=2", "--queues=own", **TIMES) as worker:
        wait_for_status(result.parent.results[0].id, "Deaf")
        for member in result.parent.results[1:]:
            assert wait_for_end(member.id).state == "succeeded"
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait(DEADLINE)
    end = check_streams(streams)
    assert (end["state"], count(end)) == ("lost", {"total": 8, "succeeded": 6, "lost": 2})
