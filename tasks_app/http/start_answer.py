"""The answer to a request that started a task: its id, URLs and token."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from ..conf import get_settings
from ..snapshot import State
from ..store import is_task_id
from ..tokens import make_token
from ..users import get_user_key
from .endpoint import json_response
from .links import find_base, quote_id


def start_response(request: HttpRequest, task_id: str, *, task: str) -> HttpResponse:
    """Return the response of `POST /start-task`, for your own views that start tasks.

    Send it only to the caller who started the task: it contains a token with which anyone can see the task, and, if
    the caller is not logged in, cancel it.

    Args:
        request: the request that started the task.
        task_id: the id that `start()` returned.
        task: the name of the task.

    Returns:
        A JSON response with status 202 and a `Location` header.

    Raises:
        ValueError: no task can have this id.
    """
    if not (isinstance(task_id, str) and is_task_id(task_id)):
        raise ValueError(f"task_id must be the id that start() returned, not {task_id!r}")
    return respond_with(request, describe_start(find_base(request), task_id, task))


def describe_start(base: str, task_id: str, task: str) -> dict[str, Any]:
    """Return the answer as a dict, without the token, which expires.

    Args:
        base: what `find_base` returned; its lookup takes longer than to make a token.
        task_id, task: the id and the name of the task.
    """
    path = quote_id(task_id)
    return {
        "task_id": task_id,
        "task": task,
        "state": State.QUEUED,
        "progress_url": f"{base}task-progress/{path}",
        "status_url": f"{base}tasks/{path}",
        "cancel_url": f"{base}tasks/{path}/cancel",
    }


def respond_with(
    request: HttpRequest, answer: Mapping[str, Any], *, is_visible: bool = True, is_starter: bool = True
) -> HttpResponse:
    """Return the response with an answer of `describe_start` and a new token, by which alone a visitor can cancel.

    Args:
        is_visible: whether its starter may see the task; if not, the token is None.
        is_starter: whether the request comes from the client that started the task; else the token only shows it.
    """
    is_visitor = get_user_key(request) is None
    scope = "control" if is_visitor and is_starter else "view"
    token = make_token(answer["task_id"], scope=scope) if is_visible else None
    headers = {"Location": answer["status_url"]}
    if is_visitor and is_visible and not get_settings().ALLOW_ANONYMOUS_START:  # else the id is enough
        answer = {**answer, "progress_url": _open_by_token(answer)}
    return json_response({**answer, "token": token}, status=HTTPStatus.ACCEPTED, headers=headers)


def _open_by_token(answer: Mapping[str, Any]) -> str:
    """Return the URL of the progress with a token that shows the task, for clients that follow it as it is."""
    return f"{answer['progress_url']}?{urlencode({'token': make_token(answer['task_id'])})}"
