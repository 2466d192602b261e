"""`tasks_app.asgi.wrap()`: what it lets pass, and that it changes nothing of the application."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap
from tasks_app.utils.server import release_request_thread


async def accept(scope: Any, receive: Any, send: Any) -> None:
    scope["seen"] = (receive, send)
    scope["context"] = SyncToAsync.thread_sensitive_context.get(None)


async def ignore(*args: object) -> None:
    raise AssertionError("it is not called")


@pytest.mark.parametrize("lane", [True, False])
@pytest.mark.parametrize("kind", ["http", "websocket", "unheard-of"])
async def test_request_is_passed_on_as_it_is(kind, lane):
    scope: dict[str, Any] = {"type": kind, "path": "/"}
    await wrap(accept, lane=lane)(scope, ignore, ignore)
    assert scope == {"type": kind, "path": "/", "seen": (ignore, ignore), "context": None}


def test_django_is_not_changed():
    handler = get_asgi_application()
    before = dict(vars(handler))
    wrap(handler)
    assert vars(handler) == before


async def test_missing_guard_is_told_once_at_debug_level(caplog):
    caplog.set_level(logging.DEBUG, "tasks_app")
    wrapped = wrap(accept)
    for _ in range(2):
        await wrapped({"type": "http", "path": "/"}, ignore, ignore)
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "streams are not guarded" in record.message
    assert "ignore" in record.message


def test_what_is_no_application_is_named():
    with pytest.raises(TypeError, match="application is None"):
        wrap(None)


async def test_thread_that_somebody_else_lent_is_not_taken_from_them():
    with ThreadPoolExecutor(max_workers=1) as executor:
        async with ThreadSensitiveContext() as context:
            context._executor = executor  # as `ThreadSensitiveContext(executor=...)` does, which older asgiref has not
            SyncToAsync.context_to_thread_executor[context] = executor
            thread = await sync_to_async(get_thread_name)()
            release_request_thread()
            assert await sync_to_async(get_thread_name)() == thread
            del SyncToAsync.context_to_thread_executor[context]


def get_thread_name() -> str:
    return threading.current_thread().name
