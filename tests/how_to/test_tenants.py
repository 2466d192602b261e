"""The policy by which the document on tenants keeps staff to their own."""

import sys
import types
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from tasks_app import announce
from tasks_app.snapshot.state import ANYONE, GONE
from tasks_app.store.store import get_store
from tests.support.readme import find_block
from tests.support.viewers import make_running, put
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tenants(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tenants, and the settings of the document."""
    code, _, added = find_block("python", "mysite/tenants.py").partition("# mysite/settings.py\n")
    module: Any = types.ModuleType("mysite.tenants")
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, "mysite", types.ModuleType("mysite"))
    monkeypatch.setitem(sys.modules, "mysite.tenants", module)
    values = {"MIDDLEWARE": [*settings.MIDDLEWARE], "TASKS_APP": {**settings.TASKS_APP}}
    exec(added, values)
    settings.MIDDLEWARE, settings.TASKS_APP = values["MIDDLEWARE"], values["TASKS_APP"]
    for name in ("acme", "umbrella"):
        Group.objects.create(name=name)


def make_user(name: str, tenant: str, *, is_staff: bool = False) -> User:
    user = User.objects.create_user(name, is_staff=is_staff)
    user.groups.add(Group.objects.get(name=tenant))
    if is_staff:
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="tasks_app"))
    return user


def ask(user: User, tenant: str, path: str, method: str = "get") -> Any:
    client = Client(headers={"host": f"{tenant}.example.com"})
    client.force_login(user)
    return getattr(client, method)(path)


@pytest.fixture
def task_id() -> str:
    """A task of a user of acme."""
    return announce("report", owner=make_user("ada", "acme"))


def test_owner_sees_their_task(task_id: str):
    assert ask(User.objects.get(username="ada"), "acme", f"/tasks/{task_id}").status_code == 200


def test_staff_see_and_cancel_the_tasks_of_their_tenant(task_id: str):
    staff = make_user("bob", "acme", is_staff=True)
    assert ask(staff, "acme", f"/tasks/{task_id}").status_code == 200
    assert ask(staff, "acme", f"/tasks/{task_id}/cancel", "post").status_code == 202


@pytest.mark.parametrize(("path", "method"), [("", "get"), ("/cancel", "post")])
def test_staff_of_another_tenant_find_no_such_task(task_id: str, path: str, method: str):
    staff = make_user("eve", "umbrella", is_staff=True)
    assert ask(staff, "umbrella", f"/tasks/{task_id}{path}", method).status_code == 404


def test_list_of_staff_has_the_tasks_of_their_tenant(task_id: str):
    other = announce("report", owner=make_user("dan", "umbrella"))
    announce("nightly", owner=None)
    wait_until(lambda: len(get_store().find_recent()) == 3, "all are on the list")
    found = ask(make_user("eve", "umbrella", is_staff=True), "umbrella", "/tasks").json()["tasks"]
    assert [task["task_id"] for task in found] == [other]


@pytest.mark.parametrize("owner", [ANYONE, GONE, None])
def test_task_of_no_user_is_of_no_tenant(owner: str | None):
    put(make_running("open", owner=owner))
    staff = make_user("bob", "acme", is_staff=True)
    assert ask(staff, "acme", "/tasks/open").status_code == 404
