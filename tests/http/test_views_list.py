"""GET /tasks: the recent tasks, for those who may see them."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tasks_app.streaming import polling
from tests.support.doubles import controlled_cache
from tests.support.viewers import NOW, make_running, put, save_text

pytestmark = pytest.mark.django_db(transaction=True)


class OpenPolicy(Policy):
    def can_list(self, request):
        return True


@pytest.fixture
def anybody(settings):
    """Everybody may list, and sees what has no owner."""
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.OpenPolicy"}
    return AsyncClient()


@pytest.fixture
async def staff():
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate_superuser("staff"))
    return client


def put_many(*numbers: int, owner: str | None = None) -> None:
    """Store tasks, of which the one with the greatest number is the newest, and list them."""
    snapshots = [
        Snapshot.queued(f"t{number}", "demo", now=NOW + timedelta(seconds=number), owner=owner) for number in numbers
    ]
    put(*snapshots)
    get_store().list_as_recent(snapshots)


async def list_ids(client: AsyncClient, query: str = "") -> list[str]:
    response = await client.get(f"/tasks{query}")
    assert response.status_code == 200, response.content
    return [item["task_id"] for item in response.json()["tasks"]]


async def test_staff_see_all_tasks_the_newest_first(staff):
    put_many(2, 1, 3, owner="7")
    assert await list_ids(staff) == ["t3", "t2", "t1"]


async def test_each_is_the_whole_public_snapshot(staff):
    put_many(1, owner="7")
    (item,) = (await staff.get("/tasks")).json()["tasks"]
    assert item == (await staff.get("/tasks/t1")).json()


async def test_empty_list_is_a_list(staff):
    assert (await staff.get("/tasks")).json() == {"tasks": []}


async def test_list_is_not_kept_by_caches(staff):
    response = await staff.get("/tasks")
    assert (response["Content-Type"], response["Cache-Control"]) == ("application/json", "private, no-cache")


async def test_head_answers_the_headers_alone(staff):
    response = await staff.head("/tasks")
    assert (response.status_code, response.content) == (200, b"")


async def test_anonymous_callers_are_asked_to_log_in():
    response = await AsyncClient().get("/tasks")
    assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")


async def test_others_are_refused():
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="ann"))
    assert (await client.get("/tasks")).status_code == 403


async def test_tasks_that_the_caller_may_not_see_are_left_out(anybody):
    put_many(1, 3)
    put_many(2, 4, owner="7")
    assert await list_ids(anybody) == ["t3", "t1"]


async def test_limit_counts_what_the_caller_may_see(anybody):
    put_many(*range(300), owner="7")
    put_many(*range(300, 600, 100))
    put_many(*range(601, 900), owner="7")
    assert await list_ids(anybody, "?limit=2") == ["t500", "t400"]


@pytest.mark.parametrize(("query", "number"), [("", 50), ("?limit=1", 1), ("?limit=200", 200)])
async def test_limit_is_kept(anybody, query, number):
    put_many(*range(250))
    assert len(await list_ids(anybody, query)) == number


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "", "x", "²", "1" * 5000])
async def test_bad_limit_is_named(anybody, limit):
    response = await anybody.get("/tasks", {"limit": limit})
    assert response.status_code == 400
    assert "a whole number from 1 to 200" in response.json()["detail"]


async def test_limit_is_not_told_to_be_wrong_before_the_caller_is_known_to_be_right():
    assert (await AsyncClient().get("/tasks?limit=x")).status_code == 401


async def test_other_methods_are_refused(staff):
    response = await staff.post("/tasks")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


async def test_task_that_is_no_longer_known_is_left_out(staff):
    put_many(1, 2)
    get_store().cache.delete("tasks_app:task:t1")
    assert await list_ids(staff) == ["t2"]


async def test_garbage_is_logged_and_left_out(staff, caplog):
    put_many(1, 2)
    save_text("t1", "garbage")
    assert await list_ids(staff) == ["t2"]
    assert "task t1" in caplog.text


async def test_silent_task_is_shown_as_stalled(staff, monkeypatch):
    class Watch:
        now = 1000.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(polling, "time", Watch())
    polling.get_observer.cache_clear()
    put(make_running())
    get_store().list_as_recent([make_running()])
    for _ in range(3):
        (item,) = (await staff.get("/tasks")).json()["tasks"]
        Watch.now += 10
    assert item["stalled"] is True


async def test_cache_failure_is_503(staff):
    with controlled_cache("get_many"):
        response = await staff.get("/tasks")
        assert (response.status_code, response["Retry-After"]) == (503, "5")


async def test_tasks_are_decoded_and_encoded_in_another_thread(staff, monkeypatch):
    """Large ones would hold up the event loop, and with it every stream."""
    put_many(1, 2)
    decoded, encoded = [], []
    decode, encode = polling.observe_texts, Snapshot.to_wire
    monkeypatch.setattr(polling, "observe_texts", lambda *args: decoded.append(threading.get_ident()) or decode(*args))
    monkeypatch.setattr(
        Snapshot, "to_wire", lambda snapshot: encoded.append(threading.get_ident()) or encode(snapshot)
    )
    assert await list_ids(staff) == ["t2", "t1"]
    assert (len(decoded), len(encoded)) == (1, 2)
    assert threading.get_ident() not in {*decoded, *encoded}
