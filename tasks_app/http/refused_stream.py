"""The answer to an EventSource that is refused for now: after a stream it comes back, after any other answer never."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from ..streaming import CONTENT_TYPE, STREAM_HEADERS, encode_refused
from ..utils.backoff import draw_around
from .problems import Problem, respond_with_json

#: The refusals that pass.
_PASSING = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


async def respond_to_stream(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Return the response of a problem: a stream of one event, if an EventSource is to come back, else JSON."""
    response = await respond_with_json(request, problem)
    retry_after = problem.headers.get("Retry-After")
    if problem.status not in _PASSING or retry_after is None or not is_event_source(request):
        return response
    milliseconds = draw_around(int(retry_after) * 1250, 0.2)  # not before, and not all in the same instant
    frame = encode_refused(problem.describe(), retry_ms=milliseconds)
    return HttpResponse(frame, content_type=CONTENT_TYPE, headers={**STREAM_HEADERS, "Retry-After": retry_after})


def is_event_source(request: HttpRequest) -> bool:
    """Return whether a request is made as the HTML standard has an EventSource make it; scripts see statuses.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface

    It accepts this type alone, and bypasses caches.
    """
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Accept", "").strip() == CONTENT_TYPE
        and headers.get("Cache-Control", "").strip() == "no-cache"
    )
