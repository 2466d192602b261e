"""The answer to a request that started a task: its id, URLs and token."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from ..permissions import make_token
from ..snapshot import State
from .endpoint import json_response


def start_response(request: HttpRequest, task_id: str, *, task: str) -> HttpResponse:
    """Return the response of `POST /start-task`, for your own views that start tasks.

    Send it only to the caller who started the task: it contains a token with which anyone can see the task.

    Args:
        request: the request that started the task.
        task_id: the id that `start()` returned.
        task: the name of the task.

    Returns:
        A JSON response with status 202 and a `Location` header.
    """
    return respond_with(describe_start(request, task_id, task))


def describe_start(request: HttpRequest, task_id: str, task: str) -> dict[str, Any]:
    """Return the answer as a dict, without the token, which expires."""
    return {
        "task_id": task_id,
        "task": task,
        "state": State.QUEUED,
        "progress_url": _reverse(request, "task-progress", task_id),
        "status_url": _reverse(request, "task", task_id),
        "cancel_url": _reverse(request, "task-cancel", task_id),
    }


def respond_with(answer: Mapping[str, Any]) -> HttpResponse:
    """Return the response with an answer of `describe_start` and a new token."""
    token = make_token(answer["task_id"])
    headers = {"Location": answer["status_url"]}
    return json_response({**answer, "token": token}, status=HTTPStatus.ACCEPTED, headers=headers)


def _reverse(request: HttpRequest, name: str, task_id: str) -> str:
    match = request.resolver_match
    return reverse(f"tasks_app:{name}", args=[task_id], current_app=match.namespace if match else None)
