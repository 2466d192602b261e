"""The default rules, and how a policy is asked."""

import asyncio
import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied, SynchronousOnlyOperation
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from tasks_app import permissions
from tasks_app.permissions import (
    Policy,
    _warn_of_hidden,
    ask_each,
    is_allowed,
    is_allowed_now,
    note_shown,
    select,
)
from tasks_app.snapshot import ANYONE
from tests.support.viewers import NOW, make_running

OWNER, OTHER, NOBODY = User(pk=7, date_joined=NOW), User(pk=8), AnonymousUser()
STAFF = User(pk=9, is_staff=True, is_superuser=True)


def make_request(user: object = NOBODY) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


class SyncPolicy(Policy):
    """Asks where the event loop must not be."""

    threads: list[threading.Thread] = []

    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        self.threads.append(threading.current_thread())
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return True
        return False


class AsyncPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        await asyncio.sleep(0)
        return bool(request.user.pk == 8)


class DatabasePolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return User.objects.filter(username="known").exists()


@contextmanager
def timed() -> Iterator[None]:
    """As a tracer's span, or `translation.override`, used as a decorator: it hides that a method is async."""
    yield


class HiddenAsyncPolicy(Policy):
    @timed()
    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return bool(request.user.pk == 8)


class FailingAsyncPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        raise LookupError("its row is gone")


class FuturePolicy(Policy):
    """Answers with what is awaitable and no coroutine."""

    def can_view(self, request: HttpRequest, snapshot: Any) -> Any:
        return Later(bool(request.user.pk == 8))


class Later:
    def __init__(self, answer: bool) -> None:
        self.answer = answer

    def __await__(self) -> Iterator[Any]:
        yield from asyncio.sleep(0).__await__()
        return self.answer


class RaisingPolicy(Policy):
    """Says no as Django's own backends and shortcuts do."""

    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        if snapshot.task_id in request.refusals:
            raise request.refusals[snapshot.task_id]
        return True

    def identify(self, request: HttpRequest) -> str:
        raise request.refusals["client"]


class RaisingAsyncPolicy(RaisingPolicy):
    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return super().can_view(request, snapshot)


class VaguePolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> Any:
        return request.answer


def use_policy(settings: Any, policy: type[Policy]) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}


# The default rules


@pytest.mark.parametrize("question", ["can_view", "can_cancel"])
@pytest.mark.parametrize(
    ("owner", "user", "answer"),
    [
        ("7", OWNER, True),
        ("7", OTHER, False),
        ("7", NOBODY, False),
        ("7", STAFF, True),
        (None, STAFF, True),
        (None, NOBODY, False),
        (None, OTHER, False),
        ("None", NOBODY, False),
    ],
)
async def test_task_belongs_to_its_owner_and_staff(settings, question, owner, user, answer):
    settings.TASKS_APP = {}
    assert await is_allowed(question, make_request(user), make_running(owner=owner)) is answer


@pytest.mark.parametrize("user", [OTHER, NOBODY], ids=["user", "visitor"])
@pytest.mark.parametrize(
    ("ownerless", "owner", "answer"), [("id", None, True), ("staff", ANYONE, True), ("id", "7", False)]
)
async def test_id_alone_shows_what_is_open(settings, ownerless, owner, user, answer):
    settings.TASKS_APP = {"OWNERLESS": ownerless}
    assert await is_allowed("can_view", make_request(user), make_running(owner=owner)) is answer


@pytest.mark.parametrize("owner", [None, ANYONE])
@pytest.mark.parametrize("ownerless", ["id", "staff"])
async def test_id_alone_cancels_nothing(settings, ownerless, owner):
    settings.TASKS_APP = {"OWNERLESS": ownerless}
    assert await is_allowed("can_cancel", make_request(NOBODY), make_running(owner=owner)) is False


async def test_log_says_once_by_name_why_a_task_without_an_owner_is_hidden(settings, monkeypatch, caplog):
    settings.TASKS_APP = {}
    monkeypatch.setattr(permissions, "_shown", OrderedDict())  # a page of a test before may have shown such a task
    _warn_of_hidden.cache_clear()  # a process says it once, whichever test comes first
    for task_id in ("t1", "t2"):
        await is_allowed("can_view", make_request(OTHER), make_running(task_id))
        await is_allowed("can_view", make_request(STAFF), make_running(task_id))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.records[0].getMessage().startswith("task 'demo' has no owner, so only staff may see it")


@pytest.mark.parametrize(("age", "lines"), [(899.0, 0), (901.0, 1)])
async def test_log_says_nothing_of_a_hidden_task_while_pages_show_those_of_its_name(
    settings, monkeypatch, caplog, age, lines
):
    settings.TASKS_APP = {"TOKEN_MAX_AGE": 900}
    monkeypatch.setattr(permissions, "_shown", OrderedDict())
    _warn_of_hidden.cache_clear()
    monkeypatch.setattr(permissions, "monotonic", lambda: 1000.0)
    note_shown("demo")
    monkeypatch.setattr(permissions, "monotonic", lambda: 1000.0 + age)
    await is_allowed("can_view", make_request(OTHER), make_running())
    assert len(caplog.records) == lines


def test_names_of_tasks_that_pages_show_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(permissions, "_shown", OrderedDict())
    monkeypatch.setattr(permissions, "MAX_NAMES", 2)
    for name in ("a", "b", "c"):
        note_shown(name)
    assert list(permissions._shown) == ["b", "c"]


@pytest.mark.parametrize(("user", "answer"), [(OWNER, True), (STAFF, True), (NOBODY, False)])
async def test_start_takes_a_login(settings, user, answer):
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False}
    assert await is_allowed("can_start", make_request(user), "add") is answer


async def test_anonymous_start_can_be_allowed(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": True}
    assert await is_allowed("can_start", make_request(), "add") is True


@pytest.mark.parametrize(("user", "answer"), [(OWNER, False), (STAFF, True), (NOBODY, False)])
async def test_list_is_for_staff(user, answer):
    assert await is_allowed("can_list", make_request(user)) is answer


# How a policy is asked


async def test_sync_policy_is_asked_in_a_thread(settings):
    use_policy(settings, SyncPolicy)
    assert await is_allowed("can_view", make_request(), make_running()) is True
    assert SyncPolicy.threads.pop() is not threading.current_thread()


async def test_async_policy_is_asked_in_the_loop(settings):
    use_policy(settings, AsyncPolicy)
    answers = [await is_allowed("can_view", make_request(user), make_running()) for user in (OWNER, OTHER)]
    assert answers == [False, True]


@pytest.mark.django_db(transaction=True)
async def test_sync_policy_may_ask_the_database(settings):
    use_policy(settings, DatabasePolicy)
    before = await is_allowed("can_view", make_request(), make_running())
    await User.objects.acreate(username="known")
    assert (before, await is_allowed("can_view", make_request(), make_running())) == (False, True)


async def test_question_that_a_policy_leaves_alone_is_answered_by_the_default(settings):
    use_policy(settings, SyncPolicy)
    assert await is_allowed("can_cancel", make_request(OTHER), make_running(owner="7")) is False


async def test_default_policy_is_asked_in_place():
    """No thread: it would be one for every stream that opens."""
    before = threading.active_count()
    with pytest.raises(SynchronousOnlyOperation):
        await is_allowed("can_view", make_request(_UserOfTheDatabase()), make_running(owner="7"))
    assert threading.active_count() == before


class _UserOfTheDatabase:
    @property
    def is_authenticated(self) -> bool:
        return User.objects.exists()


@pytest.mark.parametrize("policy", [HiddenAsyncPolicy, FuturePolicy])
@pytest.mark.parametrize(("user", "answer"), [(OTHER, True), (NOBODY, False)], ids=["yes", "no"])
async def test_answer_that_must_be_awaited_is_awaited(settings, policy, user, answer):
    use_policy(settings, policy)
    assert await is_allowed("can_view", make_request(user), make_running()) is answer
    assert await select("can_view", make_request(user), [make_running()]) == [make_running()] * answer


@pytest.mark.parametrize(("user", "answer"), [(OTHER, True), (NOBODY, False)], ids=["yes", "no"])
def test_answer_that_must_be_awaited_is_awaited_in_sync_code(settings, user, answer):
    use_policy(settings, HiddenAsyncPolicy)
    assert is_allowed_now("can_view", make_request(user), make_running()) is answer


async def test_rule_that_fails_for_one_task_is_not_asked_of_the_next(settings):
    use_policy(settings, FailingAsyncPolicy)
    with pytest.raises(LookupError):
        await select("can_view", make_request(OTHER), [make_running()] * 3)
    gc.collect()  # a coroutine that nobody awaited would be reported now


@pytest.mark.parametrize("policy", [RaisingPolicy, RaisingAsyncPolicy])
async def test_rule_that_raises_a_refusal_says_no_to_that_task_alone(settings, policy):
    use_policy(settings, policy)
    request, tasks = make_request(OTHER), [make_running(name) for name in ("t1", "t2", "t3")]
    request.refusals = {"t1": PermissionDenied("not yours"), "t2": Http404("no such project")}
    assert await select("can_view", request, tasks) == tasks[2:]
    assert await sync_to_async(is_allowed_now)("can_view", request, tasks[0]) is False


async def test_name_that_a_policy_refuses_to_give_is_no_name(settings):
    use_policy(settings, RaisingPolicy)
    request = make_request(OTHER)
    request.refusals = {"client": PermissionDenied()}
    with pytest.raises(PermissionDenied):
        await ask_each("identify", request, [()])


@pytest.mark.parametrize("answer", [None, 1, "yes", [1], object()], ids=["None", "1", "text", "list", "object"])
async def test_answer_that_is_no_bool_refuses_and_is_logged(settings, caplog, answer):
    use_policy(settings, VaguePolicy)
    request = make_request(STAFF)
    request.answer = answer
    assert await is_allowed("can_view", request, make_running()) is False
    (record,) = caplog.records
    assert "VaguePolicy': can_view returned" in record.getMessage()
    assert type(answer).__name__ in record.getMessage()


async def test_exception_of_a_policy_is_not_taken_for_an_answer(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.BrokenPolicy"}
    with pytest.raises(ZeroDivisionError):
        await is_allowed("can_view", make_request(), make_running())


class BrokenPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return bool(1 / 0)
