"""What only staff may know of a task: who is told, and that nobody else is, on any way."""

import asyncio
import json
import os
import socket
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import caches
from django.http import HttpRequest
from django.test import AsyncClient, AsyncRequestFactory, Client

from tasks_app import astart, get_snapshot, make_token, start, task_run
from tasks_app.monitor.recent_tasks import get_recent_reader
from tasks_app.monitor.views import show_task_details
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.monitor.test_views import TEMPLATES, list_tasks, log_in, make_queued, staff
from tests.support import jobs
from tests.support.answers import assert_problem
from tests.support.doubles import controlled_cache
from tests.support.viewers import NOW, read_events, until
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["staff"]

PLACE = "/tasks/t1/monitor/details"
SECRET = "s3cret-of-the-shop"


@pytest.fixture(autouse=True)
def _recorded(settings: Any) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "RECORD_TRACEBACKS": True, "RECORD_ARGUMENTS": True}


@pytest.fixture
def staff_client(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("omar"))
    return client


def find_attempts(client: Client, task_id: str) -> list[dict[str, Any]]:
    """Do what `get_attempts` does, from a sync test."""
    return list(client.get(f"/tasks/{task_id}/monitor/details").json()["attempts"])


async def get_attempts(client: AsyncClient, task_id: str = "t1") -> list[dict[str, Any]]:
    response = await client.get(f"/tasks/{task_id}/monitor/details")
    assert response.status_code == 200, response.content
    return list(json.loads(response.content)["attempts"])


def wait_for_end(task_id: str) -> Snapshot:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task has ended")
    return get_snapshot(task_id)


# --- who is told ---


@pytest.fixture
def _open_task() -> None:
    list_tasks(make_queued(1))


@pytest.mark.usefixtures("_open_task")
async def test_who_is_not_logged_in_is_told_to_log_in():
    assert_problem(await AsyncClient().get(PLACE), 401, "Log in first")


@pytest.mark.usefixtures("_open_task")
@pytest.mark.parametrize("fields", [{}, {"is_staff": True, "is_superuser": True, "is_active": False}])
async def test_who_is_no_active_staff_is_refused(fields):
    assert (await (await log_in("ann", **fields)).get(PLACE)).status_code in (401, 403)


async def test_owner_who_is_no_staff_is_refused():
    client = await log_in("ann")
    list_tasks(make_queued(1, owner=str((await User.objects.aget(username="ann")).pk)))
    assert (await client.get("/tasks/t1")).status_code == 200
    assert_problem(await client.get(PLACE), 403)


@pytest.mark.usefixtures("_open_task")
async def test_token_opens_no_details():
    assert_problem(await AsyncClient().get(f"{PLACE}?token={make_token('t1')}"), 401)


class ListsNothing(Policy):
    def can_list(self, request: HttpRequest) -> bool:
        return False


class HidesAll(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return False


@pytest.mark.usefixtures("_open_task")
@pytest.mark.parametrize(("policy", "status"), [(ListsNothing, 403), (HidesAll, 404)])
async def test_policy_may_refuse_staff(settings, staff, policy, status):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}
    assert_problem(await staff.get(PLACE), status)


async def test_task_that_is_not_known_is_not_found(staff):
    assert_problem(await staff.get("/tasks/nothing/monitor/details"), 404)


@pytest.mark.usefixtures("_open_task")
async def test_nobody_may_keep_the_answer(staff):
    response = await staff.get(PLACE)
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert "Cookie" in response["Vary"]


@pytest.mark.usefixtures("_open_task")
@pytest.mark.parametrize("user", [AnonymousUser(), User(pk=2, is_staff=True, is_superuser=True)])
async def test_answer_varies_with_who_asks(user):
    request = AsyncRequestFactory().get(PLACE)
    request.user = user
    assert (await show_task_details(request, task_id="t1"))["Vary"] == "Cookie"


@pytest.mark.usefixtures("_open_task")
async def test_other_methods_are_refused(staff):
    assert (await staff.post(PLACE)).status_code == 405


async def test_cache_failure_is_503(staff):
    with controlled_cache():
        list_tasks(make_queued(1))
        await staff.get(PLACE)
    with controlled_cache("get_many"):
        assert_problem(await staff.get(PLACE), 503)


# --- what they are told ---


def test_task_of_the_in_process_backend_tells_its_worker_and_its_arguments(staff_client):
    task_id = start(jobs.add, 1, b=2)
    wait_for_end(task_id)
    (attempt,) = find_attempts(staff_client, task_id)
    assert (attempt["attempt"], attempt["state"]) == (1, "succeeded")
    assert (attempt["host"], attempt["process"]) == (socket.gethostname(), os.getpid())
    assert attempt["arguments"] == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]


def test_context_of_a_task_is_no_argument(staff_client):
    task_id = start(jobs.tell_attempt, extra=3)
    wait_for_end(task_id)
    (attempt,) = find_attempts(staff_client, task_id)
    assert attempt["arguments"] == [{"name": "extra", "value": "3"}]


def test_task_run_tells_its_worker_and_the_traceback_of_its_block(staff_client):
    with pytest.raises(RuntimeError), task_run("nightly") as progress:
        raise RuntimeError(SECRET)
    wait_for_end(progress.task_id)
    (attempt,) = find_attempts(staff_client, progress.task_id)
    assert (attempt["host"], attempt["arguments"]) == (socket.gethostname(), None)
    assert attempt["traceback"].endswith(f"RuntimeError: {SECRET}\n")


async def test_task_without_details_tells_nothing(staff):
    list_tasks(make_queued(1).begun(now=NOW))
    assert await get_attempts(staff) == []


async def test_details_that_can_not_be_read_are_left_out(staff, caplog):
    list_tasks(make_queued(1).begun(now=NOW))
    caches["default"].set("tasks_app:details:t1:1", "{", 60)
    assert await get_attempts(staff) == []
    assert "tasks_app:details:t1:1: the stored details can't be decoded" in caplog.text


async def test_attempts_come_in_order_and_only_the_latest_twenty(staff):
    snapshot = make_queued(1)
    for number in range(1, 31):
        snapshot = snapshot.begun(now=NOW)
        caches["default"].set(f"tasks_app:details:t1:{number}", json.dumps({"attempt": number}), 60)
    list_tasks(snapshot)
    assert [attempt["attempt"] for attempt in await get_attempts(staff)] == list(range(11, 31))


# --- what nobody else is told ---


async def test_host_arguments_and_traceback_reach_no_viewer(settings, staff):
    settings.STATIC_URL, settings.TEMPLATES = "/static/", TEMPLATES
    settings.TASKS_APP = {**settings.TASKS_APP, "EXPOSE_ERRORS": False}
    task_id = await astart(jobs.fail, SECRET)
    await asyncio.to_thread(wait_for_end, task_id)
    await until(lambda: task_id in get_store().find_recent(), "the task is listed")
    get_recent_reader.cache_clear()
    listed = [await staff.get(path) for path in ("/tasks", "/tasks/monitor/data", f"/tasks/{task_id}/monitor")]
    anybody = AsyncClient()
    seen = [await anybody.get(path) for path in (f"/tasks/{task_id}", f"/task-progress/{task_id}?logs=1")]
    told = [response.content.decode() for response in (*listed, seen[0])]
    told += [str([event.data for event in await read_events(seen[1])])]
    told.append(caches["default"].get(f"tasks_app:task:{task_id}"))
    assert all(task_id in text for text in told)
    for secret in (SECRET, "message=", '"host"', '"process"', "Traceback (most", json.dumps(socket.gethostname())):
        assert [text for text in told if secret in text] == []
    assert SECRET in str(await get_attempts(staff, task_id))
