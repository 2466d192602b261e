"""What the tests of `tasks_app.asgi` have a server do: block threads, use the database, and flood viewers."""

import asyncio
import resource
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.cache import caches
from django.db import connection
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from tasks_app import progress
from tasks_app.permissions import Policy

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

#: Opened by `unblock`, so that no test blocks a thread for ever.
DEADLINE = 300.0

#: Bytes, more than the buffers of a socket hold.
MUCH = 20_000_000

_gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
_blocked: list[str] = []
_outliving: set["asyncio.Task[None]"] = set()
_outlived: list[str] = []


@receiver(connection_created)
def _note(sender: object, connection: Any, **kwargs: object) -> None:
    connection.made = time.monotonic_ns()


class QueryingPolicy(Policy):
    """Everyone may see everything, but the database is asked first."""

    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        use_database()
        return True


@task
def flood(frames: int, size: int) -> None:
    """Report `size` bytes of meta, `frames` times, as fast as viewers are told of changes."""
    pause = threading.Event()
    for number in range(frames):
        progress.meta(number=number, filler="x" * size)
        pause.wait(0.01)


def show_thread(request: HttpRequest) -> JsonResponse:
    """Answer which thread serves this sync view, which takes a moment."""
    threading.Event().wait(0.01)
    return JsonResponse({"threads": [threading.current_thread().name]})


async def show_threads_of_async_view(request: HttpRequest) -> JsonResponse:
    """Answer in which threads the sync code of this request ran."""
    get_name = sync_to_async(lambda: threading.current_thread().name)
    names = [await get_name()]
    await asyncio.sleep(0.05)
    names += await asyncio.gather(get_name(), get_name())
    return JsonResponse({"threads": names})


def block(request: HttpRequest, name: str) -> JsonResponse:
    """Block the thread of this request until `unblock` is asked for the same name."""
    _blocked.append(name)
    _gates[name].wait(DEADLINE)
    return show_thread(request)


async def show_blocked(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"names": _blocked})


async def unblock(request: HttpRequest, name: str) -> JsonResponse:
    _gates[name].set()
    return JsonResponse({})


async def show_much(request: HttpRequest) -> HttpResponse:
    """Answer more than a socket's buffers hold."""
    return HttpResponse(b"x" * MUCH, content_type="text/plain")


def query(request: HttpRequest) -> JsonResponse:
    """Use the database, and answer when the connection to it was made, in nanoseconds."""
    use_database()
    return JsonResponse({"made": connection.made})


def use_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def start_what_outlives(request: HttpRequest) -> JsonResponse:
    """Start an asyncio task that runs sync code when this request has ended."""
    work = asyncio.create_task(_outlive())
    _outliving.add(work)
    work.add_done_callback(_outliving.discard)
    return JsonResponse({})


async def _outlive() -> None:
    context = SyncToAsync.thread_sensitive_context.get()
    while context in SyncToAsync.context_to_thread_executor:  # noqa: ASYNC110 - asgiref tells nobody of the end
        await asyncio.sleep(0)
    _outlived.append(await sync_to_async(lambda: threading.current_thread().name)())


async def show_what_outlived(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"threads": _outlived})


def limit(request: HttpRequest) -> JsonResponse:
    """Have this process be at its limit of memory, so that it can start no thread; what it has goes on."""
    threading.stack_size(256 << 20)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (128 << 20), resource.RLIM_INFINITY))
    return JsonResponse({})


def lift_limit(request: HttpRequest) -> JsonResponse:
    """Undo `limit`, and answer what is stored of tasks."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    threading.stack_size(0)
    return JsonResponse({"stored": [key for key in caches["default"]._cache if "tasks_app:" in key]})


urlpatterns = [
    path("", include("tests.support.wire_urls")),
    path("thread", show_thread),
    path("async-threads", show_threads_of_async_view),
    path("block/<str:name>", block),
    path("blocked", show_blocked),
    path("unblock/<str:name>", unblock),
    path("much", show_much),
    path("query", query),
    path("outlive", start_what_outlives),
    path("outlived", show_what_outlived),
    path("limit", limit),
    path("lift-limit", lift_limit),
]
