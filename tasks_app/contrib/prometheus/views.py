"""The endpoint that Prometheus asks for metrics."""

import asyncio

from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ...integration import DaemonExecutor, endpoint, get_settings, may_view_all, per_process, refusal
from .registry import make_registry


@endpoint("GET", "HEAD")
async def show_metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics in the text format of Prometheus, to those who bear METRICS_TOKEN, and to staff."""
    if not (_bears_token(request) or may_view_all(request)):
        raise refusal(request, "You may not see the metrics.")
    text = await asyncio.wrap_future(_get_thread().submit(_make_text))
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _bears_token(request: HttpRequest) -> bool:
    token, (scheme, _, given) = get_settings().METRICS_TOKEN, request.headers.get("Authorization", "").partition(" ")
    return token is not None and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token)


def _make_text() -> bytes:
    return generate_latest(make_registry())


@per_process()
def _get_thread() -> DaemonExecutor:
    """Return a thread for this alone: it may wait for files and for the cache."""
    return DaemonExecutor(max_workers=1, name="tasks_app-metrics")
