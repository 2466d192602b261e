"""What the tests of `tasks_app.asgi` have a server do: flood viewers, and run out of threads."""

import resource
import threading
from pathlib import Path

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from tasks_app import progress

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

#: Bytes, more than the buffers of a socket hold.
MUCH = 20_000_000


@task
def flood(frames: int, size: int) -> None:
    """Report `size` bytes of meta, `frames` times, as fast as viewers are told of changes."""
    pause = threading.Event()
    for number in range(frames):
        progress.meta(number=number, filler="x" * size)
        pause.wait(0.01)


async def show_much(request: HttpRequest) -> HttpResponse:
    """Answer more than a socket's buffers hold."""
    return HttpResponse(b"x" * MUCH, content_type="text/plain")


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
    path("much", show_much),
    path("limit", limit),
    path("lift-limit", lift_limit),
]
