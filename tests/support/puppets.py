"""Tasks that do, step by step, what a test tells them from another process, and the views by which it tells them."""

import asyncio
import json
import os
import queue
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from tasks_app import progress
from tasks_app.streaming.hub import get_hub

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task

_orders: defaultdict[str, queue.Queue[dict[str, Any]]] = defaultdict(queue.Queue)


@task
def puppet(name: str) -> Any:
    """Obey the orders given to `name` until one is to return or to fail; stop when cancelled."""
    while True:
        order = _take_order(name)
        if "log" in order:
            progress.log(order.pop("log"))
        if "return" in order:
            return order["return"]
        if "raise" in order:
            raise RuntimeError(order["raise"])
        if "log" in order:
            progress.log(order.pop("log"))
        progress.update(**order)


@task
async def async_puppet() -> None:
    """Wait to be cancelled."""
    progress.update(status="Waiting")
    await asyncio.Event().wait()


def _take_order(name: str) -> dict[str, Any]:
    while True:
        progress.raise_if_cancelled()
        try:
            return _orders[name].get(timeout=0.01)
        except queue.Empty:
            continue


@csrf_exempt
async def give_order(request: HttpRequest, name: str) -> JsonResponse:
    """Have the puppet called `name` do what the body says."""
    _orders[name].put(json.loads(request.body))
    return JsonResponse({})


def _read_status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def _count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def show_stats(request: HttpRequest) -> JsonResponse:
    """Answer what this process holds at the moment."""
    hub, status = get_hub(), _read_status()
    return JsonResponse(
        {
            "viewers": len(hub.viewers),
            "watches": sorted(hub.watched),
            "logs": sorted(hub.followed),
            "threads": sorted(thread.name for thread in threading.enumerate()),
            "native_threads": int(status["Threads"]),
            "rss_kb": int(status["VmRSS"].split()[0]),
            "pid": os.getpid(),
            "coroutines": len(asyncio.all_tasks()),
            "descriptors": _count_descriptors(),
        }
    )
