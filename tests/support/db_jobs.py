"""Tasks for a worker process, one of which does what a test writes into a file, and the view that enqueues them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from tasks_app import progress, start
from tests.support.jobs import task

#: How long a puppet waits between two looks at its file, in seconds.
PAUSE = 0.01


@task
def puppet(orders: str) -> Any:
    """Obey the orders in a file until one is to return or to fail; stop when cancelled."""
    for order in read_orders(Path(orders)):
        if "return" in order:
            return order["return"]
        if "raise" in order:
            raise RuntimeError(order["raise"])
        progress.update(**order)
    return None


def read_orders(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each line of a file, also those that are written later, as JSON."""
    pause = Event()
    with path.open() as file:
        while True:
            progress.raise_if_cancelled()
            if line := file.readline():
                yield json.loads(line)
            else:
                pause.wait(PAUSE)


@task
def note(path: str, text: str) -> None:
    """Write a line into a file; reports nothing."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


@csrf_exempt
def enqueue(request: HttpRequest) -> JsonResponse:
    """Enqueue a task as the body says, in a transaction that is rolled back where it says so."""
    order = json.loads(request.body)
    job = import_string(f"tests.support.db_jobs.{order['task']}").using(**order.get("using", {}))
    if delay := order.get("delay"):
        job = job.using(run_after=timezone.now() + timedelta(seconds=delay))
    with transaction.atomic():
        if "owner" in order:
            task_id = start(job, owner=order["owner"], on_commit=order.get("on_commit"), **order["kwargs"])
        else:
            task_id = job.enqueue(**order["kwargs"]).id
        transaction.set_rollback(order.get("rollback", False))
    return JsonResponse({"task_id": task_id}, status=202)
