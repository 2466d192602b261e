"""The views that the benchmark asks for, and the one that most people would write first."""

import asyncio
import gc
from collections.abc import AsyncIterator

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from benchmarks.pulse import make_payload, run_job
from benchmarks.site.caches import calls
from benchmarks.site.tasks import beat, begin, finish, pulse
from tasks_app import astart, astart_batch, make_token

_viewers: set[asyncio.Queue[str]] = set()

_OPTIONS = {"interval": float, "meta_bytes": int}


@csrf_exempt
async def start_pulse(request: HttpRequest) -> JsonResponse:
    """Start a task that changes regularly, and answer where its stream is, with a token for it."""
    options = {name: type_(request.GET[name]) for name, type_ in _OPTIONS.items() if name in request.GET}
    task_id = await astart(pulse, **options)
    target = reverse("tasks_app:task-progress", args=[task_id])
    return JsonResponse({"stream": target, "token": make_token(task_id, max_age=24 * 3600)})


@csrf_exempt
async def start_beats(request: HttpRequest) -> JsonResponse:
    """Start a batch of tasks that will change regularly, and answer where its stream is, with a token for it."""
    interval, children = float(request.GET["interval"]), int(request.GET["children"])
    calls = [(interval, number * interval / children) for number in range(children)]
    task_id = await astart_batch(beat, calls)
    target = reverse("tasks_app:task-progress", args=[task_id])
    return JsonResponse({"stream": target, "token": make_token(task_id, max_age=24 * 3600)})


@csrf_exempt
async def begin_beats(request: HttpRequest) -> JsonResponse:
    """Have the tasks that beat change from now on."""
    begin.set()
    return JsonResponse({})


@csrf_exempt
async def finish_beats(request: HttpRequest) -> JsonResponse:
    """Have the tasks that beat succeed."""
    finish.set()
    return JsonResponse({})


async def show_objects(request: HttpRequest) -> JsonResponse:
    """Answer how many objects are alive in this process."""
    gc.collect()
    return JsonResponse({"objects": len(gc.get_objects())})


async def show_calls(request: HttpRequest) -> JsonResponse:
    """Answer how often the cache was asked so far."""
    return JsonResponse(calls)


@csrf_exempt
async def accept(request: HttpRequest) -> JsonResponse:
    """Do nothing, and say so as `POST /start-task` does."""
    return JsonResponse({"task_id": "a" * 32, "state": "queued"}, status=202)


@csrf_exempt
async def start_naive_pulse(request: HttpRequest) -> JsonResponse:
    """Start a publisher for the naive view."""
    run_job(_put, interval=float(request.GET["interval"]))
    return JsonResponse({"stream": "/naive"})


async def stream_naively(request: HttpRequest) -> StreamingHttpResponse:
    """Stream from a queue of this viewer."""
    return StreamingHttpResponse(_generate(), content_type="text/event-stream")


async def _generate() -> AsyncIterator[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    _viewers.add(queue)
    try:
        yield f"data: {make_payload()}\n\n"
        while True:
            yield f"data: {await queue.get()}\n\n"
    finally:
        _viewers.discard(queue)


def _put(payload: str) -> None:
    for queue in _viewers:
        queue.put_nowait(payload)
