"""The endpoints. Each is async, and none holds a thread while it waits."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt

from . import sse
from .conf import get_settings
from .control import acancel
from .encoding import encode_json
from .exceptions import InvalidArguments, StoreUnavailable, TaskAlreadyEnded, TaskNotFound, TaskQueueFull, describe
from .hub import get_hub
from .logstream import LogStream
from .observer import aobserve
from .permissions import ask, get_user_key, has_token, load_user, make_token
from .problems import Endpoint, Problem, answers_problems, bad_request, unavailable
from .registry import astart_named
from .requests import (
    check_csrf,
    parse_heartbeat,
    parse_idempotency_key,
    parse_logs,
    parse_start,
    parse_task_ids,
    read_body,
)
from .state import Snapshot, State
from .store import get_store
from .stream import STREAM_HEADERS, EventStreamResponse, Stream
from .watch import View

logger = logging.getLogger("tasks_app")

#: What goes on although its client may have left; event loops hold their tasks only weakly.
_unfinished: set[asyncio.Task[Any]] = set()


def endpoint(*methods: str) -> Callable[[Endpoint], Callable[..., Any]]:
    """Make a view answer these methods, with problems as JSON, and with `request.user` loaded."""

    def decorate(view: Endpoint) -> Callable[..., Any]:
        @csrf_exempt  # what needs the check makes it itself: scripts without cookies have no token
        @transaction.non_atomic_requests
        @answers_problems
        @wraps(view)
        async def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods:
                allowed = ", ".join(methods)
                raise Problem(
                    HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method!r} is not one of {allowed}.", Allow=allowed
                )
            await load_user(request)
            return await view(request, *args, **kwargs)

        return wrapped

    return decorate


@endpoint("POST")
async def start_task(request: HttpRequest) -> HttpResponse:
    """Start a task by its name in STARTABLE, and answer where to follow it."""
    body = read_body(request)
    name, kwargs = parse_start(request, body)
    check_csrf(request)
    await _check_can_start(request, name)
    answer = await _start_once(request, name, kwargs, body)
    answer["token"] = make_token(answer["task_id"])
    return _json_response(answer, status=HTTPStatus.ACCEPTED, headers={"Location": answer["status_url"]})


@endpoint("GET", "HEAD")
async def stream_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Stream the snapshots of one task until it has ended."""
    with ExitStack() as unless_sent:
        stream = await _open_stream(request, [task_id])
        unless_sent.callback(stream.close)
        (view,) = await _get_visible_views(request, stream)
        if view is None:
            raise _not_found(task_id)
        last_event_id = _get_last_event_id(request)
        if stream.has_told_all(last_event_id):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        unless_sent.pop_all()
    stream.show_one(last_event_id)
    return _stream_response(request, stream)


@endpoint("GET", "HEAD")
async def stream_tasks(request: HttpRequest) -> HttpResponseBase:
    """Stream the snapshots of many tasks on one connection until all have ended."""
    task_ids, last_event_id = parse_task_ids(request), _get_last_event_id(request)
    with ExitStack() as unless_sent:
        stream = await _open_stream(request, task_ids)
        unless_sent.callback(stream.close)
        views = await _get_visible_views(request, stream)
        has_ended = all(view is None or view.is_terminal for view in views)
        if has_ended and last_event_id == sse.END_ID:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        unless_sent.pop_all()
    hidden = [watch for watch, view in zip(stream.watches, views, strict=True) if view is None]
    stream.show_many(hidden, last_event_id)
    return _stream_response(request, stream)


@endpoint("GET", "HEAD")
async def show_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Answer the snapshot of a task as JSON."""
    snapshot = await _get_visible(request, task_id)
    etag = f'"{snapshot.event_id}"'
    response = _json_response(snapshot.to_wire(), headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    return get_conditional_response(request, etag=etag, response=response) or response


@endpoint("POST")
async def cancel_task(request: HttpRequest, task_id: str) -> HttpResponse:
    """Ask a task to stop."""
    check_csrf(request)
    snapshot = await _get_visible(request, task_id)
    if not await ask("can_cancel", request, snapshot):
        raise _refusal(request, "You may not cancel this task.")
    try:
        with _store_access():
            await acancel(task_id)
    except TaskNotFound as error:
        raise _not_found(task_id) from error
    except TaskAlreadyEnded as error:
        raise Problem(HTTPStatus.CONFLICT, "The task has ended already.") from error
    return _json_response({"task_id": task_id, "cancel_requested": True}, status=HTTPStatus.ACCEPTED)


async def _check_can_start(request: HttpRequest, name: str) -> None:
    """An unknown name is told only to those who may start something, and with the names that they may start."""
    names = get_settings().STARTABLE
    if name in names:
        if not await ask("can_start", request, name):
            raise _refusal(request, "You may not start this task.")
        return
    allowed = [known for known in sorted(names) if await ask("can_start", request, known)]
    if names and not allowed:
        raise _refusal(request, "You may not start this task.")
    raise bad_request(f"Unknown task {describe(name)}; allowed: {allowed!r}.")


async def _start_once(request: HttpRequest, name: str, kwargs: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Start the task, or find the one that the same Idempotency-Key has started in the last 24 hours."""
    if (key := parse_idempotency_key(request)) is None:
        return await _start(request, name, kwargs)
    claim = encode_json([get_user_key(request), key])
    record = {"body": hashlib.sha256(body).hexdigest()}
    with _store_access():
        held = await get_store().aclaim(claim, encode_json(record))
    if held is not None:
        return _recall(json.loads(held), record)
    # A client that leaves now must not leave a task behind of which its key knows nothing.
    work = asyncio.ensure_future(_start_and_record(request, name, kwargs, claim, record))
    _unfinished.add(work)
    work.add_done_callback(_unfinished.discard)
    return await asyncio.shield(work)


async def _start_and_record(
    request: HttpRequest, name: str, kwargs: Mapping[str, Any], claim: str, record: dict[str, Any]
) -> dict[str, Any]:
    try:
        answer = await _start(request, name, kwargs)
    except Exception:
        with _store_access():
            await get_store().arelease(claim)
        raise
    try:
        await get_store().afulfil(claim, encode_json(record | {"answer": answer}))
    except Exception:
        # The task is on its way: to say otherwise would start it a second time.
        logger.exception("task %s: its Idempotency-Key could not be recorded", answer["task_id"])
    return answer


def _recall(held: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    if held["body"] != record["body"]:
        raise Problem(HTTPStatus.CONFLICT, "This Idempotency-Key was used with another body.")
    if "answer" not in held:
        raise Problem(HTTPStatus.CONFLICT, "The first request with this Idempotency-Key is not done.", Retry_After="1")
    answer: dict[str, Any] = held["answer"]
    return answer


async def _start(request: HttpRequest, name: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        task_id = await astart_named(name, kwargs, owner=get_user_key(request))
    except InvalidArguments as error:
        raise bad_request(f"Task {name!r}: {error}.") from error
    except TaskQueueFull as error:
        raise unavailable(f"No more tasks can be queued: {error}.") from error
    except StoreUnavailable as error:
        raise unavailable("The state of tasks can't be stored at the moment.") from error
    return {
        "task_id": task_id,
        "task": name,
        "state": State.QUEUED,
        "progress_url": _reverse(request, "task-progress", task_id),
        "status_url": _reverse(request, "task", task_id),
        "cancel_url": _reverse(request, "task-cancel", task_id),
    }


def _reverse(request: HttpRequest, name: str, task_id: str) -> str:
    match = request.resolver_match
    return reverse(f"tasks_app:{name}", args=[task_id], current_app=match.namespace if match else None)


async def _open_stream(request: HttpRequest, task_ids: list[str]) -> Stream:
    if not hasattr(request, "scope"):
        raise Problem(
            HTTPStatus.NOT_IMPLEMENTED,
            "Streams need an ASGI server, and this is a WSGI one. Put 'daphne' first in INSTALLED_APPS, set "
            "ASGI_APPLICATION, and use runserver, or run 'daphne <project>.asgi:application'.",
        )
    kind = LogStream if parse_logs(request) else Stream
    uses_heartbeat_events = parse_heartbeat(request)
    if (open_streams := len(get_hub().viewers)) >= get_settings().MAX_STREAMS:
        raise unavailable(f"{open_streams!r} streams are open, and no more are allowed.")
    with _store_access():
        return await kind.open(task_ids, uses_heartbeat_events=uses_heartbeat_events)


async def _get_visible_views(request: HttpRequest, stream: Stream) -> list[View | None]:
    """Return what the caller may see of each task that the stream watches."""
    return [
        watch.view if watch.view is not None and await _can_view(request, watch.view.snapshot) else None
        for watch in stream.watches
    ]


def _get_last_event_id(request: HttpRequest) -> str | None:
    return request.headers.get("Last-Event-ID") or request.GET.get("last_event_id")


def _stream_response(request: HttpRequest, stream: Stream) -> HttpResponseBase:
    if request.method == "HEAD":
        stream.close()
        return StreamingHttpResponse(_nothing(), content_type=sse.CONTENT_TYPE, headers=STREAM_HEADERS)
    return EventStreamResponse(stream)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def _get_visible(request: HttpRequest, task_id: str) -> Snapshot:
    with _store_access():
        snapshot = await aobserve(task_id)
    if snapshot is None or not await _can_view(request, snapshot):
        raise _not_found(task_id)
    return snapshot


async def _can_view(request: HttpRequest, snapshot: Snapshot) -> bool:
    return has_token(request, snapshot.task_id) or await ask("can_view", request, snapshot)


@contextmanager
def _store_access() -> Iterator[None]:
    """Answer 503 for whatever a cache backend raises."""
    try:
        yield
    except (Problem, TaskNotFound, TaskAlreadyEnded):
        raise
    except Exception as error:
        logger.exception("the cache that holds the state of tasks failed")
        raise unavailable("The state of tasks can't be reached at the moment.") from error


def _json_response(data: Mapping[str, Any], **options: Any) -> HttpResponse:
    return HttpResponse(encode_json(data), content_type="application/json", **options)


def _not_found(task_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no task {describe(task_id)}, or you may not see it.")


def _refusal(request: HttpRequest, detail: str) -> Problem:
    if get_user_key(request) is None:
        return Problem(HTTPStatus.UNAUTHORIZED, f"{detail} Log in first.", WWW_Authenticate="Session")
    return Problem(HTTPStatus.FORBIDDEN, detail)
