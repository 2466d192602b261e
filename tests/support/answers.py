"""What tests of the endpoints share: making requests, and what every refusal must look like."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.test import AsyncClient


def assert_problem(response: HttpResponse, status: int, *words: str) -> dict[str, Any]:
    """Assert that this is a problem as RFC 9457 has them, whose detail has these words; return it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    problem: dict[str, Any] = json.loads(response.content)
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert (problem["title"], problem["status"]) == (HTTPStatus(status).phrase, status)
    for word in words:
        assert word in problem["detail"]
    return problem


async def post_start(
    client: AsyncClient, body: object = None, *, content_type: str = "application/json", **headers: str
) -> HttpResponse:
    """POST /start-task with this body: bytes as they are, all else as JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return await client.post("/start-task", data, content_type=content_type, headers=headers)


async def start_named(client: AsyncClient, name: str, **kwargs: Any) -> str:
    """Start a task over HTTP; return its id."""
    response = await post_start(client, {"task": name, "kwargs": kwargs})
    assert response.status_code == 202, response.content
    return str(response.json()["task_id"])
