"""No client starts too many tasks: what counts, what is refused and how, and that nobody is shut out for ever."""

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import AsyncClient, override_settings

from tasks_app import cancel, get_snapshot, start
from tasks_app.http.admission import Admission, Record, get_admission
from tasks_app.http.problems import Problem
from tasks_app.lifecycle import compat
from tasks_app.store.clients import find_client, keep_client
from tasks_app.store.keys import make_client_key, make_task_key
from tasks_app.store.store import decode
from tests.support import jobs
from tests.support.answers import assert_problem, post_start
from tests.support.viewers import NOW, make_running, put, until
from tests.support.waiting import DEADLINE

HERE = "address:127.0.0.1"


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient()


@pytest.fixture(autouse=True)
def _limits(settings: Any) -> None:
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=2)


def set_limits(settings: Any, **limits: Any) -> None:
    """Set the limits, and begin as a process that knows of no client."""
    settings.TASKS_APP = {**settings.TASKS_APP, **limits}
    get_admission.cache_clear()


async def start_waiting(client: AsyncClient, **headers: str) -> str:
    response = await post_start(client, {"task": "wait"}, **headers)
    assert response.status_code == 202, response.content
    return str(response.json()["task_id"])


async def end(*task_ids: str) -> None:
    for task_id in task_ids:
        cancel(task_id)
    for task_id in task_ids:
        await until(lambda task_id=task_id: get_snapshot(task_id).is_terminal, "the task ended")


async def is_admitted(admission: Admission, name: str = HERE, *, task_id: str | None = None) -> bool:
    """Return whether a client may start a task, which it does if that has an id."""
    try:
        async with admission.admitted(name) as note:
            if task_id is not None:
                note(task_id)
    except Problem as problem:
        return problem.status != 429
    return True


# Unfinished tasks


async def test_client_with_enough_unfinished_tasks_is_refused_until_one_ends(client):
    task_ids = [await start_waiting(client) for _ in range(2)]
    response = await post_start(client, {"task": "wait"})
    assert_problem(response, 429, "At most 2 unfinished tasks")
    assert response["Retry-After"] == "5"
    await end(task_ids[0])
    get_admission()._clients[HERE].full_until = 0  # a second has passed
    await end(await start_waiting(client), task_ids[1])


@pytest.mark.django_db(transaction=True)
async def test_one_client_takes_no_room_of_another(client):
    task_ids = [await start_waiting(client) for _ in range(2)]
    assert (await post_start(client, {"task": "wait"})).status_code == 429
    other = AsyncClient()
    await other.aforce_login(await User.objects.acreate(username="ann"))
    await end(*task_ids, await start_waiting(other))


async def test_tasks_that_have_ended_do_not_count(client):
    for _ in range(6):
        response = await post_start(client, {"task": "add", "kwargs": {"a": 1}})
        task_id = response.json()["task_id"]
        await until(lambda task_id=task_id: get_snapshot(task_id).is_terminal, "it ended")


async def test_tasks_that_the_site_starts_itself_do_not_count(client):
    task_ids = [start(jobs.wait) for _ in range(3)]
    await end(*task_ids, await start_waiting(client))


async def test_starts_at_once_are_counted(client, settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=5)
    responses = await asyncio.gather(*(post_start(client, {"task": "wait"}) for _ in range(20)))
    statuses = [response.status_code for response in responses]
    await end(*(response.json()["task_id"] for response in responses if response.status_code == 202))
    assert (statuses.count(202), statuses.count(429)) == (5, 15)


async def test_repeats_count_once(client):
    key = {"Idempotency-Key": "k"}
    task_ids = {await start_waiting(client, **key) for _ in range(5)} | {await start_waiting(client)}
    assert len(task_ids) == 2
    assert (await post_start(client, {"task": "wait"}, **key)).status_code == 202
    await end(*task_ids)


async def test_refused_start_leaves_no_key(client, settings):
    task_ids = [await start_waiting(client) for _ in range(2)]
    assert (await post_start(client, {"task": "wait"}, **{"Idempotency-Key": "k"})).status_code == 429
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=3)
    await end(await start_waiting(client, **{"Idempotency-Key": "k"}), *task_ids)


@pytest.mark.parametrize("body", [{"task": "unknown"}, {"task": "add", "kwargs": {"c": 1}}, {"task": 7}])
async def test_start_that_fails_gives_its_room_back(client, body):
    for _ in range(5):
        assert (await post_start(client, body)).status_code == 400
    await end(*[await start_waiting(client) for _ in range(2)])


@override_settings(
    TASKS={
        "default": {
            "BACKEND": "tasks_app.backends.InProcessBackend",
            "OPTIONS": {"max_workers": 1, "max_queue": 1},
        }
    }
)
async def test_start_for_which_the_queue_is_full_gives_its_room_back(client, settings, caplog):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=3)
    running = await start_waiting(client)
    await until(lambda: get_snapshot(running).state == "running", "the first runs")
    waiting = await start_waiting(client)
    for _ in range(5):
        assert (await post_start(client, {"task": "wait"})).status_code == 503
    assert [record.name for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == ["tasks_app"]
    await end(waiting)
    await end(await start_waiting(client), running)


async def test_start_whose_client_leaves_is_counted(client, settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=1)
    entered, leave, started = threading.Event(), threading.Event(), []

    def receive(*, task_result: Any, **kwargs: Any) -> None:
        started.append(task_result.id)
        entered.set()
        leave.wait(DEADLINE)

    signals = next(compat.signal_modules())
    signals.task_enqueued.connect(receive)
    try:
        request = asyncio.ensure_future(post_start(client, {"task": "wait"}))
        await until(entered.is_set, "the task is about to be enqueued")
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        leave.set()
        await until(lambda: not get_admission()._clients[HERE].pending, "it has started")
    finally:
        signals.task_enqueued.disconnect(receive)
    assert (await post_start(client, {"task": "wait"})).status_code == 429
    await end(*started)


async def test_starts_that_are_under_way_count(settings):
    admission = Admission()
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(admission.admitted(HERE))
        assert not await is_admitted(admission)
    assert await is_admitted(admission)


async def test_others_have_their_turn_while_the_tasks_of_a_client_are_looked_at(settings, monkeypatch):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=20)
    monkeypatch.setattr("tasks_app.http.admission.LOOK", 5)
    put(*(make_running(f"t{number}") for number in range(20)))
    for number in range(20):
        assert await is_admitted(get_admission(), task_id=f"t{number}")
    turns = 0
    refused = asyncio.ensure_future(is_admitted(get_admission()))
    while not refused.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await refused, turns >= 4) == (False, True)


# What processes know


async def test_another_process_counts_what_this_one_has_started():
    put(make_running("t1"), make_running("t2"))
    first, second = Admission(), Admission()
    assert await is_admitted(first, task_id="t1")
    assert await is_admitted(second, task_id="t2")
    assert not await is_admitted(first)
    assert not await is_admitted(second)


async def test_process_that_died_leaves_no_room_taken():
    put(make_running("t1"), make_running("t2"))
    for task_id in ("t1", "t2"):
        assert await is_admitted(Admission(), task_id=task_id)
    assert not await is_admitted(Admission())
    caches["default"].delete(make_task_key("t1"))
    assert await is_admitted(Admission())


async def test_process_that_writes_at_the_same_moment_takes_nothing_away():
    put(make_running("t1"), make_running("t2"))
    first = Admission()
    assert await is_admitted(first, task_id="t1")
    keep_client(HERE, Record({"t2": None}).to_json())  # by one that had read before
    assert not await is_admitted(first)


async def test_start_that_can_not_be_noted_in_the_cache_has_happened_all_the_same(cache, caplog):
    put(make_running("t1"), make_running("t2"))
    admission = Admission()
    for task_id in ("t1", "t2"):
        async with admission.admitted(HERE) as note:
            note(task_id)
            cache.break_down()
        cache.repair()
    assert [record.getMessage()[:30] for record in caplog.records] == ["what a client has started coul"]
    assert not await is_admitted(admission)


async def test_refusals_in_a_row_read_the_tasks_once_a_second(cache):
    put(make_running("t1"), make_running("t2"))
    now = [1000.0]
    admission = Admission(get_monotonic=lambda: now[0])
    for task_id in ("t1", "t2"):
        assert await is_admitted(admission, task_id=task_id)
    assert not await is_admitted(admission)
    cache.break_down()
    for _ in range(100):
        assert not await is_admitted(admission)  # without a look at the cache
    cache.reset()
    caches["default"].delete(make_task_key("t1"))
    now[0] += 1.1
    assert await is_admitted(admission)


async def test_start_looks_only_at_as_many_tasks_as_make_room_and_the_next_at_others(settings, monkeypatch):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=50)
    monkeypatch.setattr("tasks_app.http.admission.LOOK", 5)
    task_ids, seen = [f"t{number}" for number in range(50)], []
    put(*map(make_running, task_ids))
    for task_id in task_ids:
        assert await is_admitted(get_admission(), task_id=task_id)
    monkeypatch.setattr("tasks_app.http.admission.decode", lambda *args: seen.append(args[0]) or decode(*args))
    put(*(make_running(f"t{number}").succeeded(now=NOW) for number in (7, 12)))
    for task_id in ("t50", "t51"):
        assert await is_admitted(get_admission(), task_id=task_id)
    assert seen == task_ids[:15]


@pytest.mark.parametrize("value", ["", "[]", "{}", "[1, 2]", '[["t"], "x"]', '[{"a": 1}, 2, 3]', 7, b"x", ["a"], None])
async def test_value_of_another_shape_in_the_cache_counts_as_none(value):
    caches["default"].set(make_client_key(HERE), value)
    assert await is_admitted(Admission(), task_id="t1")
    assert "t1" in str(find_client(HERE))


async def test_only_the_latest_clients_are_remembered(monkeypatch):
    monkeypatch.setattr("tasks_app.http.admission.MAX_CLIENTS", 10)
    admission = Admission()
    for number in range(100):
        assert await is_admitted(admission, f"address:{number}")
    assert len(admission._clients) == 10


async def test_client_that_was_here_last_is_remembered_and_so_is_one_that_starts_a_task(monkeypatch):
    monkeypatch.setattr("tasks_app.http.admission.MAX_CLIENTS", 3)
    admission = Admission()
    async with admission.admitted("starting"):
        for name in ("again", "once", "again", "another"):
            assert await is_admitted(admission, name)
        assert list(admission._clients) == ["starting", "again", "another"]


async def test_what_a_policy_calls_a_client_is_no_part_of_a_key():
    assert await is_admitted(Admission(), "key:s3cret\ud800", task_id="t1")
    assert "s3cret" not in make_client_key("key:s3cret")


async def test_cache_that_fails_answers_503(client, cache):
    cache.break_down()
    assert_problem(await post_start(client, {"task": "wait"}), 503)


# The rate


async def test_client_that_starts_too_often_is_told_when_to_come_back(client, settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="2/h")
    task_ids = [await start_waiting(client) for _ in range(2)]
    response = await post_start(client, {"task": "wait"})
    assert_problem(response, 429, "At most 2/h")
    assert 1700 < int(response["Retry-After"]) <= 1800
    await end(*task_ids)


async def test_tasks_are_not_remembered_where_none_are_counted(settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="100/s")
    for number in range(50):
        assert await is_admitted(get_admission(), task_id=f"t{number}")
    assert "t4" not in str(find_client(HERE))


async def test_rate_is_one_of_all_processes(settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="2/h")
    assert [await is_admitted(Admission(), task_id=f"t{number}") for number in range(3)] == [True, True, False]


async def test_rate_that_another_process_did_not_know_of_counts(settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="3/h")
    admission = Admission()
    assert [await is_admitted(admission, task_id=f"t{number}") for number in range(2)] == [True, True]
    keep_client(HERE, Record().to_json())  # by one that had read before
    assert [await is_admitted(admission, task_id=f"s{number}") for number in range(2)] == [True, False]


async def test_client_that_starts_too_often_is_refused_without_a_look_at_the_cache(settings, cache):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="1/h")
    admission = Admission()
    assert await is_admitted(admission, task_id="t1")
    cache.break_down()
    assert not await is_admitted(admission)


async def test_start_that_fails_and_repeats_do_not_use_up_the_rate(client, settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="2/h")
    for _ in range(5):
        assert (await post_start(client, {"task": "add", "kwargs": {"c": 1}})).status_code == 400
    task_ids = {await start_waiting(client, **{"Idempotency-Key": "k"}) for _ in range(5)}
    task_ids.add(await start_waiting(client))
    assert (await post_start(client, {"task": "wait"})).status_code == 429
    await end(*task_ids)


async def test_rate_lets_one_more_start_after_a_while(settings):
    set_limits(settings, MAX_UNFINISHED_PER_CLIENT=None, START_RATE="2/10s")
    now = [1000.0]
    admission = Admission(get_time=lambda: now[0])
    answers = []
    for _ in range(20):
        answers.append(await is_admitted(admission, task_id=f"t{now[0]}"))
        now[0] += 1
    assert answers.count(True) == 2 + 3


# The log


@pytest.mark.parametrize("limits", [{"MAX_UNFINISHED_PER_CLIENT": 1}, {"START_RATE": "1/h"}], ids=["tasks", "rate"])
async def test_refusals_are_said_once_a_minute(client, settings, caplog, limits):
    set_limits(settings, **{"MAX_UNFINISHED_PER_CLIENT": None, **limits})
    task_id = await start_waiting(client)
    for _ in range(30):
        assert (await post_start(client, {"task": "wait"})).status_code == 429
    (name,) = limits
    said = [(record.name, record.levelname) for record in caplog.records if record.levelname != "INFO"]
    assert said == [("tasks_app", "WARNING")]
    assert name in caplog.text
    await end(task_id)
