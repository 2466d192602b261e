"""The names of those who own tasks, whoever they are."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import DatabaseError

from tasks_app.monitor.owner_names import afind_owner_names
from tasks_app.snapshot import ANYONE, GONE

pytestmark = pytest.mark.django_db(transaction=True)


async def make_user(name: str) -> str:
    return str((await User.objects.acreate(username=name)).pk)


async def test_users_are_called_by_their_names():
    ana, li = await make_user("ana"), await make_user("li")
    assert await afind_owner_names([ana, li]) == {ana: "ana", li: "li"}


async def test_name_that_is_no_text_is_made_one(monkeypatch):
    ana = await make_user("ana")
    monkeypatch.setattr(User, "get_username", lambda user: 4917212345)  # people may log in by a number
    assert await afind_owner_names([ana]) == {ana: "4917212345"}


@pytest.mark.parametrize("owner", ["404", "import", "1.5", "²", "9" * 30, "-" + "9" * 30, "\x00", "\ud800", "7\n"])
async def test_owner_who_is_no_user_is_called_by_their_id(owner):
    ana = await make_user("ana")
    assert await afind_owner_names([owner, ana]) == {owner: owner, ana: "ana"}


@pytest.mark.parametrize(("number", "queries"), [(0, 0), (1, 1), (20, 1)])
def test_any_number_is_found_by_one_query(number, queries, django_assert_num_queries):
    users = [User.objects.create(username=f"user{index}") for index in range(number)]
    with django_assert_num_queries(queries):
        found = async_to_sync(afind_owner_names)([str(user.pk) for user in users])
    assert found == {str(user.pk): user.username for user in users}


async def test_nobody_costs_no_thread(monkeypatch):
    monkeypatch.setattr("tasks_app.monitor.owner_names.sync_to_async", pytest.fail)
    assert await afind_owner_names([]) == {}


async def test_site_without_users_of_django_shows_ids(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.auth"]
    assert await afind_owner_names(["7"]) == {"7": "7"}


async def test_database_that_fails_is_logged_and_ids_are_shown(monkeypatch, caplog):
    def fail(**conditions: object) -> None:
        raise DatabaseError("the database is down")

    monkeypatch.setattr(User.objects, "filter", fail)
    assert await afind_owner_names(["7"]) == {"7": "7"}
    assert "owners" in caplog.text
    assert "the database is down" in caplog.text


async def test_those_who_are_no_users_are_called_what_they_are():
    assert await afind_owner_names([ANYONE, GONE]) == {ANYONE: "(visitor)", GONE: "(deleted user)"}
