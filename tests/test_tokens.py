"""What tokens open, for how long, and to whom."""

import math

import pytest
from django.core import signing
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from tasks_app import make_token
from tasks_app.tokens import TokenRights, gives_control, has_control, has_token, make_joint_token, opens


def make_request(*, query: str = "", **headers: str) -> HttpRequest:
    return RequestFactory().get(f"/?{query}", headers=headers)


def test_token_opens_its_task_as_a_parameter():
    assert has_token(make_request(query=f"token={make_token('t1')}"), "t1")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_token_opens_its_task_as_a_header(scheme):
    assert has_token(make_request(authorization=f"{scheme} {make_token('t1')}"), "t1")


def test_token_opens_no_other_task():
    assert not has_token(make_request(query=f"token={make_token('t1')}"), "t2")


def test_token_expires():
    assert not has_token(make_request(query=f"token={make_token('t1', max_age=-1)}"), "t1")


def test_token_is_good_until_it_expires(monkeypatch):
    token, now = make_token("t1", max_age=60), timezone.now()
    request = make_request(query=f"token={token}")
    monkeypatch.setattr("tasks_app.tokens.timezone.now", lambda: now + timezone.timedelta(seconds=59))
    assert has_token(request, "t1")
    monkeypatch.setattr("tasks_app.tokens.timezone.now", lambda: now + timezone.timedelta(seconds=61))
    assert not has_token(request, "t1")


def test_token_of_another_secret_key_is_refused(settings):
    token = make_token("t1")
    settings.SECRET_KEY = "another"
    assert not has_token(make_request(query=f"token={token}"), "t1")


@pytest.mark.parametrize("data", [["t1", 9e12], "t1", None, {"t1": 9e12}])
def test_text_signed_for_another_purpose_is_no_token(data):
    assert not has_token(make_request(query=f"token={signing.dumps(data)}"), "t1")


@pytest.mark.parametrize("token", ["", "x", ":", "::", "a:b:c", ".:1:x", "é", "\x7f", "%00", "%ff", "x" * 100_000])
def test_garbage_is_no_token(token):
    assert not has_token(make_request(query=f"token={token}"), "t1")
    assert not has_token(make_request(authorization=f"Bearer {token}"), "t1")


@pytest.mark.parametrize("index", [0, 5, -1])
def test_token_that_was_changed_is_refused(index):
    token = list(make_token("t1"))
    token[index] = "A" if token[index] != "A" else "B"
    assert not has_token(make_request(query=f"token={''.join(token)}"), "t1")


def test_request_without_token_has_none():
    assert not has_token(make_request(), "t1")


def test_basic_credentials_are_no_token():
    assert not has_token(make_request(authorization=f"Basic {make_token('t1')}"), "t1")


def test_token_as_a_parameter_counts_beside_the_bearer_of_another_app():
    assert has_token(make_request(query=f"token={make_token('t1')}", authorization="Bearer other"), "t1")


def test_request_may_carry_a_token_for_each_of_many_tasks():
    request = make_request(query=f"token={make_token('t1')}&token={make_token('t2')}&token=x")
    assert [has_token(request, task_id) for task_id in ("t1", "t2", "t3")] == [True, True, False]


@pytest.mark.parametrize("ages", [(60, -1), (-1, 60)])
def test_token_counts_beside_one_for_the_same_task_that_has_expired(ages):
    query = "&".join(f"token={make_token('t1', max_age=age)}" for age in ages)
    assert has_token(make_request(query=query), "t1")


def test_tokens_of_a_request_are_read_once_for_all_its_tasks(monkeypatch):
    read = []
    monkeypatch.setattr("tasks_app.tokens.signing.Signer.unsign", lambda self, token: read.append(token) or "0.")
    request = make_request(query="token=a&token=b")
    assert [has_token(request, "t"), has_token(request, "u")] == [False, False]
    assert read == ["a", "b"]


def test_token_of_several_tasks_opens_these_alone():
    request = make_request(query=f"token={make_joint_token(['t1', 't2'])}")
    assert [has_token(request, task_id) for task_id in ("t1", "t2", "t3", "")] == [True, True, False, False]


def test_token_of_a_hundred_tasks_fits_into_a_url():
    """Beside their ids, into the 8 KB that proxies take."""
    assert len(make_joint_token(["x" * 36] * 100)) < 2000


def test_token_of_a_task_whose_id_is_no_text_can_be_made():
    assert opens(make_token("\ud800"), "\ud800")


def test_token_lasts_as_long_as_the_setting_says(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "TOKEN_MAX_AGE": 60}
    lifetime = TokenRights([make_token("t1")]).get_lifetime("t1")
    assert 59 < lifetime <= 60


@pytest.mark.parametrize("max_age", [math.inf, 1e300])
def test_token_may_last_for_as_long_as_anybody_asks(max_age):
    assert opens(make_token("t1", max_age=max_age), "t1")


def test_token_is_read_by_a_key_that_was_replaced(settings):
    token, before = make_token("t1"), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [before]
    assert opens(token, "t1")


def test_token_of_another_version_is_none():
    content, _, _ = make_token("t1").rpartition(":")
    assert opens(signing.Signer(salt="tasks_app.token.v1").sign(content), "t1")
    assert not opens(signing.Signer(salt="tasks_app.token.v2").sign(content), "t1")


@pytest.mark.parametrize(
    ("make", "task_id", "expected"),
    [
        (lambda: make_token("t1"), "t1", True),
        (lambda: make_token("t1"), "t2", False),
        (lambda: make_token("t1", max_age=-1), "t1", False),
        (lambda: "", "t1", False),
    ],
    ids=["of the task", "of another task", "expired", "none"],
)
def test_token_alone_says_what_it_opens(make, task_id, expected):
    assert opens(make(), task_id) is expected


@pytest.mark.parametrize(("scope", "expected"), [("view", False), ("control", True)])
def test_token_cancels_by_its_scope(scope, expected):
    token = make_token("t1", scope=scope)
    assert (gives_control(token, "t1"), opens(token, "t1")) == (expected, True)


def test_token_of_control_is_good_for_its_task_alone():
    request = make_request(query=f"token={make_token('t1', scope='control')}&token={make_token('t2')}")
    assert [has_control(request, task_id) for task_id in ("t1", "t2", "t3")] == [True, False, False]


def test_longer_view_does_not_prolong_control():
    rights = TokenRights([make_token("t1", scope="control", max_age=-1), make_token("t1")])
    assert (rights.gives_control("t1"), rights.get_lifetime("t1") is not None) == (False, True)


def test_scope_can_not_be_added_to_a_token():
    content, _, signature = make_token("t1").rpartition(":")
    assert not opens(f"{content}.control:{signature}", "t1")


@pytest.mark.parametrize("scope", ["cancel", "", None])
def test_unknown_scope_is_an_error(scope):
    with pytest.raises(ValueError, match=r"scope must be one of \('view', 'control'\), not "):
        make_token("t1", scope=scope)
