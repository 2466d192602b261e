"""GET /tasks/<id>/children, and the access to a child through its parent."""

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from tasks_app import make_token
from tasks_app.snapshot.family import BATCH, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.families import add_children
from tests.support.viewers import NOW, put

pytestmark = pytest.mark.django_db(transaction=True)


def make_child(task_id: str) -> Snapshot:
    return Snapshot.queued(task_id, "demo", now=NOW, owner="8", parent="b").begun(now=NOW)


@pytest.fixture
def family() -> None:
    """A batch of user 7, whose children are of user 8: one has succeeded, one has failed, one runs, one is unknown."""
    put(expect_children(Snapshot.queued("b", "batch", now=NOW, runner=BATCH, owner="7"), 4, now=NOW))
    add_children("b", dict.fromkeys(["c1", "c2", "c3", "c4"], 1))
    put(make_child("c1").succeeded(now=NOW), make_child("c2").failed("E", now=NOW), make_child("c3"))


async def log_in(primary_key: int) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(pk=primary_key, username=str(primary_key)))
    return client


async def get_children(query: str = "") -> tuple[list[str], int]:
    response = await AsyncClient().get(f"/tasks/b/children?token={make_token('b')}{query}")
    assert response.status_code == 200, response.content
    return [item["task_id"] for item in response.json()["children"]], response.json()["total"]


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (["c1", "c2", "c3"], 4)),
        ("&limit=2", (["c1", "c2"], 4)),
        ("&state=failed", (["c2"], 1)),
        ("&state=running,failed", (["c2", "c3"], 2)),
        ("&state=running&state=failed&limit=1", (["c2"], 2)),
        ("&state=queued", ([], 1)),
    ],
)
async def test_children_are_listed_by_state_in_their_order(query, expected):
    assert await get_children(query) == expected


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("query", ["state=", "state=done", "state=failed,", "limit=0", "limit=101", "limit=x"])
async def test_odd_parameters_are_refused(query):
    response = await AsyncClient().get(f"/tasks/b/children?token={make_token('b')}&{query}")
    assert response.status_code == 400


async def test_task_without_children_has_an_empty_list():
    put(Snapshot.queued("b", "demo", now=NOW))
    assert await get_children() == ([], 0)


@pytest.mark.usefixtures("family")
async def test_children_of_a_task_that_may_not_be_seen_are_not_found():
    assert (await AsyncClient().get("/tasks/b/children")).status_code == 404


@pytest.mark.usefixtures("family")
async def test_parent_is_shown_with_its_children():
    response = await AsyncClient().get(f"/tasks/b?token={make_token('b')}")
    data = response.json()
    assert (data["state"], data["status"], data["children"]["queued"]) == ("running", "1 of 4 done, 1 failed", 1)


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("view", "get", "/tasks/c3", 200),
        ("view", "get", "/task-progress/c1", 200),
        ("view", "post", "/tasks/c3/cancel", 403),
        ("control", "post", "/tasks/c3/cancel", 202),
    ],
)
async def test_token_of_the_parent_opens_its_children(scope, method, path, status):
    client = AsyncClient() if scope == "control" or method == "get" else await log_in(9)
    response = await getattr(client, method)(f"{path}?token={make_token('b', scope=scope)}")
    assert response.status_code == status
    response.close()


@pytest.mark.usefixtures("family")
async def test_owner_of_the_parent_opens_its_children():
    client = await log_in(7)
    assert [(await client.get("/tasks/c3")).status_code, (await client.post("/tasks/c3/cancel")).status_code] == [
        200,
        202,
    ]


@pytest.mark.usefixtures("family")
async def test_child_does_not_open_its_parent():
    client = await log_in(8)
    assert (await client.get("/tasks/c3")).status_code == 200
    assert (await client.get(f"/tasks/b?token={make_token('c3')}")).status_code == 404
