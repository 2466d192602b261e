"""What staff may see and cancel: by the permissions that each of them has, asked for outside of the event loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.test import AsyncClient, RequestFactory

from tasks_app.permissions import Policy, is_allowed
from tasks_app.users import load_user, may_cancel_all, may_view_all
from tests.support.viewers import make_running, put

pytestmark = pytest.mark.django_db(transaction=True)

BOTH = ("view_task", "cancel_task")


def make_request(user: Any) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


async def make_staff(*codenames: str, **flags: bool) -> User:
    user = await User.objects.acreate(username="staff", **{"is_staff": True, **flags})
    permissions = [item async for item in Permission.objects.filter(codename__in=codenames)]
    assert len(permissions) == len(codenames)
    await user.user_permissions.aset(permissions)
    return await User.objects.aget(pk=user.pk)  # what was asked of the other is kept with it


async def log_in(*codenames: str, **flags: bool) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(await make_staff(*codenames, **flags))
    return client


@contextmanager
def block_queries() -> Iterator[None]:
    """Have each query in a thread fail; in the event loop all do."""
    with patch.object(BaseDatabaseWrapper, "ensure_connection", side_effect=AssertionError("a query")):
        yield


@pytest.mark.parametrize("codenames", [(), ("view_task",), ("cancel_task",), BOTH])
async def test_staff_may_what_their_permissions_say(codenames):
    request = make_request(await make_staff(*codenames))
    await load_user(request)
    assert may_view_all(request) is ("view_task" in codenames)
    assert may_cancel_all(request) is ("cancel_task" in codenames)


@pytest.mark.parametrize(
    "flags",
    [
        {"is_staff": False},
        {"is_active": False},
        {"is_superuser": True, "is_staff": False},
        {"is_superuser": True, "is_active": False},
    ],
)
async def test_permissions_count_only_for_active_staff(flags):
    request = make_request(await make_staff(*BOTH, **flags))
    await load_user(request)
    assert (may_view_all(request), may_cancel_all(request)) == (False, False)


@pytest.mark.parametrize("rule", ["can_view", "can_cancel"])
async def test_default_rules_ask_for_their_own_permission(rule):
    request = make_request(await make_staff("view_task"))
    await load_user(request)
    assert await is_allowed(rule, request, make_running(owner="another")) is (rule == "can_view")


async def test_list_takes_the_permission_to_view():
    request = make_request(await make_staff("cancel_task"))
    await load_user(request)
    assert await is_allowed("can_list", request) is False


@pytest.mark.parametrize(
    "user", [User(pk=1), AnonymousUser(), User(pk=1, is_staff=True, is_superuser=True)], ids=["user", "none", "super"]
)
async def test_others_cost_no_query(user):
    request = make_request(user)
    with block_queries():
        await load_user(request)
        assert may_view_all(request) is may_cancel_all(request) is getattr(user, "is_superuser", False)


async def test_permissions_of_a_request_are_those_of_its_user_now():
    request = make_request(await make_staff(*BOTH))
    await load_user(request)
    request.user = User(pk=1, is_staff=True)
    await load_user(request)
    assert may_view_all(request) is False


def test_sync_code_needs_nothing_loaded():
    user = User.objects.create(username="staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_task"))
    request = make_request(user)
    assert (may_view_all(request), may_cancel_all(request)) == (True, False)


@pytest.mark.parametrize("fields", [{}, {"is_staff": True}])
def test_user_model_without_permissions_has_none(fields):
    request = make_request(SimpleNamespace(is_authenticated=True, pk=1, **fields))
    assert may_view_all(request) is False


def test_request_without_authentication_is_no_staff():
    assert may_view_all(RequestFactory().get("/")) is False


async def test_fields_that_a_backend_defers_are_loaded_outside_of_the_event_loop():
    await make_staff(*BOTH)
    request = make_request(await User.objects.only("username").aget())
    await load_user(request)
    assert may_view_all(request) is True


@pytest.mark.parametrize("place", ["/tasks", "/tasks/monitor", "/tasks/monitor/data", "/tasks/t1/monitor/details"])
async def test_staff_without_permission_are_told_which_they_need(place, settings):
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    put(make_running("t1"))
    response = await (await log_in("cancel_task")).get(place)
    assert response.status_code == 403
    assert "tasks_app.view_task" in response.text


async def test_staff_who_may_only_look_are_told_what_a_cancel_takes():
    put(make_running("t1", owner="another"))
    response = await (await log_in("view_task")).post("/tasks/t1/cancel")
    assert (response.status_code, response.json()["detail"]) == (
        403,
        "You may not cancel this task. Staff need the permission 'tasks_app.cancel_task'.",
    )


class ClosedPolicy(Policy):
    def can_list(self, request: HttpRequest) -> bool:
        return False


async def test_rule_of_the_site_names_no_permission(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.ClosedPolicy"}
    response = await (await log_in()).get("/tasks")
    assert response.json()["detail"] == "You may not list tasks."


async def test_task_is_hidden_from_staff_without_permission():
    put(make_running("t1", owner="another"))
    client = await log_in("cancel_task")
    assert [(await client.get(f"/{place}")).status_code for place in ("tasks/t1", "task-progress/t1")] == [404, 404]


async def test_staff_with_permission_see_and_cancel_everything():
    put(make_running("t1", owner="another"))
    client = await log_in(*BOTH)
    statuses = [(await client.get(place)).status_code for place in ("/tasks/t1", "/tasks", "/tasks/monitor/data")]
    assert [*statuses, (await client.post("/tasks/t1/cancel")).status_code] == [200, 200, 200, 202]
