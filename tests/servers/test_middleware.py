"""Middleware in batches: less changes of thread, and nothing else that a request could tell."""

import asyncio
import threading
from collections.abc import Iterator
from contextvars import Context, ContextVar
from functools import wraps
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, markcoroutinefunction, sync_to_async
from channels.routing import ProtocolTypeRouter
from channels.security.websocket import OriginValidator
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import MiddlewareNotUsed, PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from tasks_app.asgi import wrap
from tasks_app.servers.middleware import batch_middleware
from tests.support.viewers import until

#: What middleware and views have done, and in which thread.
journal: list[tuple[str, str]] = []
current: ContextVar[str] = ContextVar("current", default="")


def note(what: str) -> None:
    journal.append((what, threading.current_thread().name))


class Noting(MiddlewareMixin):
    """Notes that it is called; the query says what it does then, such as `in-A=raise` or `out-B=answer`."""

    def process_request(self, request: HttpRequest) -> Any:
        return self._do("in", request, None)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        return self._do("out", request, response)

    def _do(self, where: str, request: HttpRequest, default: Any) -> Any:
        name = f"{where}-{type(self).__name__}"
        note(f"{name} {current.get()}" if current.get() else name)
        return do(request.GET.get(name), name, default)


def do(order: str | None, name: str, default: Any) -> Any:
    if order == "raise":
        raise ZeroDivisionError(name)
    if order == "404":
        raise Http404(name)
    if order == "403":
        raise PermissionDenied(name)
    return {"answer": HttpResponse(f"of {name}"), "none": None}.get(order or "", default)


class A(Noting):
    pass


class B(Noting):
    pass


class C(Noting):
    pass


class OnlyIn(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        note("in-OnlyIn")


class OnlyOut(MiddlewareMixin):
    def process_response(self, request: HttpRequest, response: Any) -> Any:
        note("out-OnlyOut")
        return response


class Neither(MiddlewareMixin):
    def process_view(self, request: HttpRequest, *args: Any) -> None:
        note("view-Neither")


class Setting(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        current.set("set")


class OwnAsyncCall(Noting):
    async def __acall__(self, request: HttpRequest) -> Any:
        note("own")
        return await super().__acall__(request)


class OwnCall(Noting):
    def __call__(self, request: HttpRequest) -> Any:
        note("own")
        return super().__call__(request)


class Unused(Noting):
    def __init__(self, get_response: Any) -> None:
        raise MiddlewareNotUsed


class OnlyAsync:
    sync_capable, async_capable = False, True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> Any:
        note("in-OnlyAsync")
        response = await self.get_response(request)
        note("out-OnlyAsync")
        return response


def only_sync(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        note("in-only_sync")
        response = get_response(request)
        note("out-only_sync")
        return response

    return middleware


def as_function(get_response: Any) -> Any:
    async def middleware(request: HttpRequest) -> Any:
        note("in-as_function")
        return await get_response(request)

    return middleware


as_function.async_capable, as_function.sync_capable = True, False  # type: ignore[attr-defined]


async def show(request: HttpRequest) -> Any:
    await sync_to_async(note)(f"view {current.get()}".strip())
    return do(request.GET.get("view"), "view", HttpResponse("of the view"))


def show_in_thread(request: HttpRequest) -> Any:
    note("sync view")
    return do(request.GET.get("view"), "view", HttpResponse("of the view"))


async def wait(request: HttpRequest) -> None:
    note("waits")
    await asyncio.Event().wait()


urlpatterns = [path("async", show), path("sync", show_in_thread), path("wait", wait)]


@pytest.fixture(autouse=True)
def site(settings) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    journal.clear()
    yield
    journal.clear()


def make_handler(settings: Any, *middleware: Any) -> ASGIHandler:
    settings.MIDDLEWARE = [f"{__name__}.{item.__name__}" for item in middleware]
    return ASGIHandler()


async def ask(handler: ASGIHandler, target: str) -> tuple[Any, ...]:
    """Return what came of a request, what happened on the way, and in how many threads."""
    journal.clear()
    answer = await asyncio.get_running_loop().create_task(respond(handler, target), context=Context())
    steps = [what for what, _ in journal]
    return answer, steps, len({thread for what, thread in journal if not what.endswith(LOOSE)})


async def respond(handler: ASGIHandler, target: str) -> tuple[Any, Any]:
    async with ThreadSensitiveContext():
        try:
            response: Any = await handler.get_response_async(RequestFactory().get(target))
            return response.status_code, bytes(response.content)
        except Exception as error:
            return type(error), str(error)


#: What runs in the event loop, or in a thread of its own.
LOOSE = ("OnlyAsync", "as_function", "own")

CHAINS = [
    (),
    (A,),
    (A, B, C),
    (Setting, A, B),
    (A, Setting, B),
    (OnlyIn, OnlyOut, Neither),
    (OnlyIn, Neither, OnlyOut, OnlyIn),
    (A, Unused, B),
    (A, B, OnlyAsync, A, C),
    (OnlyAsync, A, B, C),
    (A, as_function, B, C),
    (A, B, OwnAsyncCall, C, A),
    (A, B, OwnCall, C, A),
    (A, only_sync, B, C),
    (only_sync, A, B),
    (A, B, only_sync),
]

QUERIES = [
    "",
    *(f"{where}-{name}={what}" for where in ("in", "out") for name in "ABC" for what in ("raise", "404", "answer")),
    "in-B=403",
    "out-B=none",
    "in-B=answer&out-B=raise&out-A=answer",
    "view=raise",
    "view=404",
    "view=none",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("middleware", CHAINS, ids=lambda chain: "-".join(item.__name__ for item in chain))
async def test_request_meets_the_same_in_a_batch_as_without(settings, middleware, query):
    plain, batched = make_handler(settings, *middleware), make_handler(settings, *middleware)
    batch_middleware(batched)
    for target in (f"/async?{query}", f"/sync?{query}"):
        assert await ask(batched, target) == await ask(plain, target)


@pytest.fixture
def changes(monkeypatch) -> list[str]:
    """What `sync_to_async` has run in another thread."""
    called: list[str] = []
    original = SyncToAsync.__call__

    async def count(self: Any, *args: Any, **options: Any) -> Any:
        called.append(self.func.__name__)
        return await original(self, *args, **options)

    monkeypatch.setattr(SyncToAsync, "__call__", count)
    return called


@pytest.mark.parametrize(
    ("middleware", "batches"),
    [
        ((A, B, C), 1),
        ((OnlyIn, A), 1),
        ((A, B, OnlyAsync, A, B), 2),
        ((OnlyAsync, A, B, C), 1),
        ((A, B, OwnAsyncCall, C, A), 3),  # its own `__call__` changes twice, too
    ],
)
async def test_batch_changes_threads_twice(settings, changes, middleware, batches):
    handler = make_handler(settings, *middleware)
    batch_middleware(handler)
    await respond(handler, "/async")
    assert len([name for name in changes if name != "note"]) == 2 * batches


@pytest.mark.parametrize("middleware", [(), (A,), (OnlyIn, OnlyOut), (Neither, OnlyOut, Neither)])
async def test_middleware_that_changes_threads_twice_or_less_is_left_alone(settings, changes, middleware):
    handler = make_handler(settings, *middleware)
    batch_middleware(handler)
    await respond(handler, "/async")
    assert not {"_process_request", "_process_response"} & set(changes)


async def test_cancelled_request_is_not_taken_for_one_that_was_answered(settings):
    handler = make_handler(settings, A, B)
    batch_middleware(handler)
    request = asyncio.create_task(respond(handler, "/wait"))
    await until(lambda: journal[-1:] and journal[-1][0] == "waits", "the view waits")
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert [what for what, _ in journal] == ["in-A", "in-B", "waits"]


class Outer:
    def __init__(self, **inner: Any) -> None:
        self.__dict__ |= inner


@pytest.mark.parametrize(
    "enclose",
    [
        ASGIStaticFilesHandler,
        lambda handler: ProtocolTypeRouter({"http": handler, "websocket": None}),
        lambda handler: ProtocolTypeRouter({"http": OriginValidator(handler, ["*"])}),
        lambda handler: Outer(inner=handler),
        lambda handler: Outer(app=Outer(application=handler)),
    ],
    ids=["static files", "by protocol", "middleware by protocol", "inner", "app"],
)
async def test_handler_inside_another_application_is_found(settings, changes, enclose):
    settings.STATIC_URL = "/static/"
    handler = make_handler(settings, A, B, C)
    batch_middleware(enclose(handler))
    await respond(handler, "/async")
    assert [name for name in changes if name != "note"] == ["_process_request", "_process_response"]


async def accept(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("it is not called")


@pytest.mark.parametrize(
    "application", [accept, Mock(), object(), ProtocolTypeRouter({})], ids=["function", "mock", "object", "router"]
)
def test_what_is_no_handler_of_django_is_left_alone(application):
    before = dict(getattr(application, "__dict__", {}))
    batch_middleware(application)
    assert getattr(application, "__dict__", {}) == before


async def test_chain_with_something_between_is_left_alone(settings):
    handler = make_handler(settings, A, B)
    chain = handler._middleware_chain  # Django has no public way to put anything between; others do it so

    @wraps(chain.__wrapped__)
    async def watch(request: HttpRequest) -> Any:
        note("watched")
        return await chain(request)

    handler._middleware_chain = watch
    batch_middleware(handler)
    assert (await ask(handler, "/async"))[1] == ["watched", "in-A", "in-B", "view", "out-B", "out-A"]


async def test_handler_may_be_met_twice(settings, changes):
    handler = make_handler(settings, A, B, C)
    for _ in range(2):
        batch_middleware(handler)
    await respond(handler, "/async")
    assert changes == ["_process_request", "note", "_process_response"]


async def test_wrapper_batches_the_middleware_of_its_application(settings, changes):
    handler = make_handler(settings, A, B)
    wrap(handler)
    await respond(handler, "/async")
    assert changes == ["_process_request", "note", "_process_response"]
