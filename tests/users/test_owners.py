"""Whose a task is: of the user with its key, unless that user joined after the task was made."""

from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject

from tasks_app.users import is_owner
from tests.support.viewers import NOW, make_running

SECONDS = timedelta(seconds=1)


def make_request(user: Any) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


def test_request_without_authentication_owns_nothing():
    assert is_owner(RequestFactory().get("/"), make_running(owner=None)) is False


@pytest.mark.parametrize("user", [AnonymousUser(), User(pk=8, date_joined=NOW)])
def test_task_is_of_nobody_else(user):
    assert is_owner(make_request(user), make_running(owner="7")) is False


@pytest.mark.parametrize(("seconds", "expected"), [(-1000, True), (59, True), (61, False)])
def test_task_that_is_older_than_the_user_is_of_another(seconds, expected):
    user = User(pk=7, date_joined=NOW + seconds * SECONDS)
    assert is_owner(make_request(user), make_running(owner="7")) is expected


def test_lazy_user_is_seen_through():
    user = SimpleLazyObject(lambda: User(pk=7, date_joined=NOW + 61 * SECONDS))
    assert is_owner(make_request(user), make_running(owner="7")) is False


@pytest.mark.parametrize("minutes", [-120, 120])
def test_times_without_a_zone_are_those_of_the_site(settings, minutes):
    settings.USE_TZ, settings.TIME_ZONE = False, "Asia/Tokyo"
    joined = (NOW + minutes * 60 * SECONDS).astimezone(timezone(timedelta(hours=9))).replace(tzinfo=None)
    assert is_owner(make_request(User(pk=7, date_joined=joined)), make_running(owner="7")) is (minutes < 0)


@pytest.mark.parametrize("joined", [None, date(2100, 1, 1), "2100-01-01", datetime.min.replace(tzinfo=UTC)])
def test_other_models_may_say_when_somebody_joined_in_another_way(joined):
    user = SimpleNamespace(is_authenticated=True, pk=7, date_joined=joined)
    assert is_owner(make_request(user), make_running(owner="7")) is True
