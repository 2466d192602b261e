"""Errors over HTTP, as RFC 9457 has them: `application/problem+json`."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.multipartparser import MultiPartParserError

from ..exceptions import TaskAlreadyEnded, TaskNotFound

logger = logging.getLogger("tasks_app")

Endpoint = Callable[..., Awaitable[HttpResponseBase]]
Responder = Callable[[HttpRequest, "Problem"], Awaitable[HttpResponseBase]]

#: Seconds after which a client may try again what was refused for lack of room or of the cache.
RETRY_AFTER = 5


class Problem(Exception):
    """An answer other than success; raised by whatever finds the reason, and made a response at the edge.

    Args:
        status: the HTTP status.
        detail: what is wrong and what is allowed; a person reads it.
        headers: more headers of the answer.
    """

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def to_response(self) -> HttpResponse:
        return JsonResponse(
            {"type": "about:blank", "title": self.status.phrase, "status": self.status, "detail": self.detail},
            status=self.status,
            content_type="application/problem+json",
            headers={"Cache-Control": "no-store", **self.headers},
        )


async def respond_with_json(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Answer a problem to a script."""
    return problem.to_response()


def answers_problems(view: Endpoint, respond: Responder = respond_with_json) -> Endpoint:
    """Make the problems that a view raises its answer."""

    @wraps(view)
    async def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except Problem as problem:
            return await respond(request, problem)
        except (SuspiciousOperation, MultiPartParserError) as error:  # raised when the query or a form is first read
            return await respond(request, bad_request(str(error)))

    return wrapped


def bad_request(detail: str) -> Problem:
    """Return the answer to what can never succeed as it is."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def unavailable(detail: str) -> Problem:
    """Return the answer to what may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, Retry_After=str(RETRY_AFTER))


@contextmanager
def store_access() -> Iterator[None]:
    """Answer 503 for whatever a cache backend raises."""
    try:
        yield
    except (Problem, TaskNotFound, TaskAlreadyEnded):
        raise
    except Exception as error:
        logger.exception("the cache that holds the state of tasks failed")
        raise unavailable("The state of tasks can't be reached at the moment.") from error
