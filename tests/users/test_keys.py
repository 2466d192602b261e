"""Who can own a task: users of the site, and keys that they can have."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.db import models
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject

from tasks_app.snapshot import ANYONE, GONE
from tasks_app.users import identify_owner

STAND_IN = SimpleNamespace(pk=2, is_authenticated=True)


def make_proxy() -> Any:
    class Person(User):
        class Meta:
            proxy = True
            app_label = "tests"

    return Person


@pytest.mark.parametrize(
    ("owner", "key"),
    [(None, None), (User(pk=7), "7"), (SimpleLazyObject(lambda: User(pk=7)), "7"), (7, "7"), (0, "0"), ("07", "7")],
)
def test_user_is_stored_by_key(owner, key):
    assert identify_owner(owner) == key


@isolate_apps("tests")
def test_proxy_of_the_model_is_a_user():
    assert identify_owner(make_proxy()(pk=7)) == "7"


REFUSED = [
    *(
        AnonymousUser(),
        SimpleLazyObject(AnonymousUser),
        User(),
        Group(pk=2),
        SimpleNamespace(pk=2, is_authenticated=True),
    ),
    *("abc", "", "7.5", UUID(int=5), True, 1.5, b"7", [7], object()),
]


@pytest.mark.parametrize("owner", REFUSED)
def test_what_is_no_user_is_refused_and_named(owner):
    with pytest.raises(ValueError, match="owner must be") as caught:
        identify_owner(owner)
    assert str(caught.value) == f"owner must be None, a saved user or a primary key, not {owner!r}"


def use_model(monkeypatch: pytest.MonkeyPatch, key: Any) -> Any:
    """Have the site's users be of a model with this primary key."""

    class Person(AbstractBaseUser):
        id = key

        class Meta:
            app_label = "tests"

    monkeypatch.setattr("tasks_app.users.keys.find_user_model", lambda: Person)
    return Person


@isolate_apps("tests")
@pytest.mark.parametrize("owner", [UUID(int=5), UUID(int=5).hex, str(UUID(int=5)), str(UUID(int=5)).upper()])
def test_key_has_one_form(monkeypatch, owner):
    use_model(monkeypatch, models.UUIDField(primary_key=True))
    assert identify_owner(owner) == str(UUID(int=5))


@isolate_apps("tests")
def test_user_of_another_model_is_refused(monkeypatch):
    use_model(monkeypatch, models.UUIDField(primary_key=True))
    with pytest.raises(ValueError, match="owner must be"):
        identify_owner(User(pk=7))


@isolate_apps("tests")
def test_key_that_is_text_is_taken_as_it_is(monkeypatch):
    person = use_model(monkeypatch, models.CharField(primary_key=True, max_length=20))
    assert [identify_owner(owner) for owner in ("ada", person(id="ada"))] == ["ada", "ada"]


@isolate_apps("tests")
@pytest.mark.parametrize("key", [GONE, ANYONE])
def test_key_that_means_no_user_is_refused(monkeypatch, key):
    person = use_model(monkeypatch, models.CharField(primary_key=True, max_length=20))
    person.USERNAME_FIELD = "id"  # which the text of an error asks for
    for owner in (key, person(id=key)):
        with pytest.raises(ValueError, match="owner must be"):
            identify_owner(owner)


@pytest.mark.parametrize(("owner", "key"), [("ada", "ada"), (7, "7"), (STAND_IN, "2")])
def test_site_without_djangos_users_has_keys_of_its_own(settings, owner, key):
    settings.AUTH_USER_MODEL = "nowhere.Person"
    assert identify_owner(owner) == key


def test_site_without_djangos_users_takes_no_other_object(settings):
    settings.AUTH_USER_MODEL = "nowhere.Person"
    with pytest.raises(ValueError, match="owner must be"):
        identify_owner(Group(pk=2))
