"""Who the caller is: the user that the last middleware has put into the request."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import AsyncRequestFactory
from django.utils.functional import SimpleLazyObject

from tasks_app.snapshot import ANYONE, GONE
from tasks_app.users import get_user_key, load_user


async def get_root() -> SimpleNamespace:
    return SimpleNamespace(pk=1, is_authenticated=True)


def make_request(user: object):
    request = AsyncRequestFactory().get("/")
    request.user, request.auser = user, get_root
    return request


@pytest.mark.parametrize("make_lazy", [lambda user: user, lambda user: SimpleLazyObject(lambda: user)])
@pytest.mark.parametrize(
    ("user", "key"), [(AnonymousUser(), None), (SimpleNamespace(pk=2, is_authenticated=True), "2")]
)
async def test_user_that_another_middleware_has_put_there_counts(make_lazy, user, key):
    request = make_request(make_lazy(user))
    await load_user(request)
    assert get_user_key(request) == key


async def test_user_of_the_session_is_loaded_without_blocking():
    lazy = SimpleLazyObject(lambda: pytest.fail("the event loop asked the database"))
    lazy.__dict__["_setupfunc"].__module__ = get_user.__module__
    request = make_request(lazy)
    await load_user(request)
    assert get_user_key(request) == "1"


async def test_request_without_users_has_none():
    request = AsyncRequestFactory().get("/")
    await load_user(request)
    assert get_user_key(request) is None


def test_key_of_a_user_is_text():
    assert get_user_key(make_request(User(pk=7))) == "7"


def test_user_without_a_login_has_no_key():
    assert get_user_key(make_request(AnonymousUser())) is None


class Customer(Group):
    """Of another model than that of the site's users, with a login of its own."""

    is_authenticated = True

    class Meta:
        proxy = True
        app_label = "tests"


@pytest.mark.parametrize(
    "user",
    [
        Customer(pk=2),
        User(),
        User(pk=ANYONE),
        User(pk=GONE),
        SimpleNamespace(pk=None, is_authenticated=True),
        SimpleNamespace(pk="client-2", is_authenticated=True),
    ],
    ids=["other model", "unsaved", "anyone", "gone", "keyless", "odd key"],
)
def test_login_of_what_is_no_user_of_the_site_is_none(user):
    assert get_user_key(make_request(user)) is None
