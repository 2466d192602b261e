"""HTTP errors as RFC 9457 defines them: `application/problem+json`."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.multipartparser import MultiPartParserError

from ..exceptions import TaskAlreadyEnded, TaskNotFound
from ..utils.exhaustion import exhaustion_log, is_exhaustion
from ..utils.rarely import Rarely

logger = logging.getLogger("tasks_app")

Endpoint = Callable[..., Awaitable[HttpResponseBase]]
Responder = Callable[[HttpRequest, "Problem"], Awaitable[HttpResponseBase]]

#: Seconds after which a client may repeat a request that was answered 503.
RETRY_AFTER = 5

_refusals = Rarely()


class Problem(Exception):
    """An HTTP error; an endpoint turns it into its response.

    Args:
        status: the HTTP status.
        detail: text for a person, naming the wrong value and what is allowed.
        headers: additional headers of the response, with `_` for `-`.
    """

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        #: Whether the log says already why; Django then does not log the answer.
        self.is_logged = False

    def describe(self) -> dict[str, Any]:
        """Return the members of the problem."""
        return {"type": "about:blank", "title": self.status.phrase, "status": self.status, "detail": self.detail}

    def to_response(self) -> HttpResponse:
        response = JsonResponse(
            self.describe(),
            status=self.status,
            content_type="application/problem+json",
            headers={"Cache-Control": "no-store", **self.headers},
        )
        if self.status is HTTPStatus.NOT_IMPLEMENTED:
            _warn_once(self.detail)
            self.is_logged = True
        if self.is_logged:
            keep_out_of_log(response)
        return response


def keep_out_of_log(response: HttpResponse) -> None:
    """Have Django not log an answer, which at 5xx it does at ERROR: pages ask again and again for what is missing.

    Django has no public name for that; without this one, it logs the answer.
    """
    response._has_been_logged = True  # type: ignore[attr-defined]


@cache
def _warn_once(detail: str) -> None:
    logger.warning("%s", detail)


async def respond_with_json(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Return a problem as an `application/problem+json` response."""
    return problem.to_response()


def answers_problems(view: Endpoint, respond: Responder = respond_with_json) -> Endpoint:
    """Decorate a view so that the problems that it raises become responses.

    Args:
        respond: makes the response of a problem.
    """

    @wraps(view)
    async def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except Problem as problem:
            return await respond(request, problem)
        except (SuspiciousOperation, MultiPartParserError) as error:  # raised at the first use of the query or form
            return await respond(request, bad_request(str(error)))
        except (PermissionDenied, Http404) as error:  # raised by code of the site, such as its `identify`
            return await respond(request, _refuse(error))
        except Exception as error:
            if not is_exhaustion(error):
                raise
            return await respond(request, _note_exhaustion(error))

    return wrapped


def _refuse(error: PermissionDenied | Http404) -> Problem:
    """Return the problem that Django would answer by a page; what the error says stays in the site, as there."""
    if isinstance(error, Http404):
        return Problem(HTTPStatus.NOT_FOUND, "There is nothing here, or you may not see it.")
    return Problem(HTTPStatus.FORBIDDEN, "You may not do this.")


def bad_request(detail: str) -> Problem:
    """Return the problem of a malformed request."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def unavailable(detail: str) -> Problem:
    """Return the problem of a request that may succeed later; the caller has logged why.

    Else Django would log each at ERROR, and mail it to admins with all that the request bears.
    """
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, Retry_After=str(RETRY_AFTER))
    problem.is_logged = True
    return problem


def busy(kind: str, detail: str) -> Problem:
    """Return the problem of a request for which there is no room, and log it once a minute.

    Args:
        kind: what is full; the log says it once a minute for each.
    """
    say_rarely(kind, f"requests are answered with 503 (said once a minute): {detail}")
    return unavailable(detail)


def broken(kind: str, detail: str) -> Problem:
    """Return the problem of a request that met an error which is being handled, and log that once a minute.

    Args:
        kind: what has failed; the log says it once a minute for each.
    """
    if _refusals.is_due(kind):
        logger.exception("requests are answered with 503 (said once a minute): the %s failed", kind)
    return unavailable(detail)


def say_rarely(kind: str, text: str) -> None:
    """Log a refusal at WARNING, unless one of its kind was logged in the last minute; `text` must hold no secret."""
    if _refusals.is_due(kind):
        logger.warning("%s", text)


def _note_exhaustion(error: Exception) -> Problem:
    exhaustion_log.note(error, "requests are answered with 503")
    return unavailable("The server has no memory or threads to spare at the moment.")


@contextmanager
def store_access() -> Iterator[None]:
    """Turn an exception of a cache backend into a problem with status 503."""
    try:
        yield
    except (Problem, TaskNotFound, TaskAlreadyEnded):
        raise
    except Exception as error:
        if is_exhaustion(error):
            raise
        raise broken("cache", "The state of tasks can't be reached at the moment.") from error
