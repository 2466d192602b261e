"""The endpoints: async views that hold no thread while they wait."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response

from ..conf import get_settings
from ..exceptions import (
    BrokerUnavailable,
    InvalidArguments,
    StoreUnavailable,
    TaskAlreadyEnded,
    TaskNotFound,
    TaskQueueFull,
    describe,
)
from ..lifecycle import acancel, astart_named
from ..permissions import get_user_key, has_token, is_allowed, select
from ..snapshot import Snapshot
from ..store import get_store
from ..streaming import (
    CONTENT_TYPE,
    END_ID,
    STREAM_HEADERS,
    EventStreamResponse,
    Stream,
    View,
    aobserve,
    aobserve_many,
    count_streams,
)
from .endpoint import endpoint, json_response, not_found, refusal
from .idempotency import answer_once
from .params import (
    MAX_LIMIT,
    check_csrf,
    parse_heartbeat,
    parse_limit,
    parse_logs,
    parse_start,
    parse_task_ids,
    read_body,
)
from .problems import Problem, bad_request, store_access, unavailable
from .start_answer import check_urls, describe_start, respond_with


@endpoint("POST")
async def start_task(request: HttpRequest) -> HttpResponse:
    """Start a task by its name in STARTABLE, and answer its id, URLs and token."""
    body = read_body(request)
    name, kwargs = parse_start(request, body)
    check_csrf(request)
    await _check_can_start(request, name)
    check_urls(request)
    answer = await answer_once(request, body, lambda: _start(request, name, kwargs))
    return respond_with(answer)


@endpoint("GET", "HEAD")
async def stream_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Stream the snapshots of one task until it ends."""
    with ExitStack() as unless_sent:
        stream = await _open_stream(request, [task_id])
        unless_sent.callback(stream.close)
        (view,) = await _get_visible_views(request, stream)
        if view is None:
            raise not_found(task_id)
        last_event_id = _get_last_event_id(request)
        if stream.has_told_all(last_event_id):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        unless_sent.pop_all()
    stream.show_one(last_event_id)
    return _stream_response(request, stream)


@endpoint("GET", "HEAD")
async def stream_tasks(request: HttpRequest) -> HttpResponseBase:
    """Stream the snapshots of many tasks on one connection until all end."""
    task_ids, last_event_id = parse_task_ids(request), _get_last_event_id(request)
    with ExitStack() as unless_sent:
        stream = await _open_stream(request, task_ids)
        unless_sent.callback(stream.close)
        views = await _get_visible_views(request, stream)
        has_ended = all(view is None or view.is_terminal for view in views)
        if has_ended and last_event_id == END_ID:
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
    response = json_response(snapshot.to_wire(), headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    return get_conditional_response(request, etag=etag, response=response) or response


@endpoint("GET", "HEAD")
async def list_tasks(request: HttpRequest) -> HttpResponse:
    """Answer the snapshots of the recent tasks that the caller may see, the newest first."""
    if not await is_allowed("can_list", request):
        raise refusal(request, "You may not list tasks.")
    limit = parse_limit(request)
    tasks = [snapshot.to_wire() async for snapshot in _find_visible(request, limit)]
    return json_response({"tasks": tasks}, headers={"Cache-Control": "private, no-cache"})


@endpoint("POST")
async def cancel_task(request: HttpRequest, task_id: str) -> HttpResponse:
    """Request the cancel of a task."""
    check_csrf(request)
    snapshot = await _get_visible(request, task_id)
    if not await is_allowed("can_cancel", request, snapshot):
        raise refusal(request, "You may not cancel this task.")
    try:
        with store_access():
            await acancel(task_id)
    except TaskNotFound as error:
        raise not_found(task_id) from error
    except TaskAlreadyEnded as error:
        raise Problem(HTTPStatus.CONFLICT, "The task has already ended.") from error
    return json_response({"task_id": task_id, "cancel_requested": True}, status=HTTPStatus.ACCEPTED)


async def _check_can_start(request: HttpRequest, name: str) -> None:
    """Check that the caller may start the task called `name`.

    A caller who may start none of the STARTABLE tasks is refused without learning whether the name exists; others
    are told the names that they may start.

    Raises:
        Problem: the caller may not start the task, or the name is unknown.
    """
    names = get_settings().STARTABLE
    if name in names:
        if not await is_allowed("can_start", request, name):
            raise refusal(request, "You may not start this task.")
        return
    allowed = [known for known in sorted(names) if await is_allowed("can_start", request, known)]
    if names and not allowed:
        raise refusal(request, "You may not start this task.")
    raise bad_request(f"Unknown task {describe(name)}; allowed: {allowed!r}.")


async def _start(request: HttpRequest, name: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        task_id = await astart_named(name, kwargs, owner=get_user_key(request))
    except InvalidArguments as error:
        raise bad_request(f"Task {name!r}: {error}.") from error
    except TaskQueueFull as error:
        raise unavailable(f"No more tasks can be queued: {error}.") from error
    except BrokerUnavailable as error:
        raise unavailable("No task can be queued at the moment.") from error
    except StoreUnavailable as error:
        raise unavailable("The state of tasks can't be stored at the moment.") from error
    return describe_start(request, task_id, name)


async def _open_stream(request: HttpRequest, task_ids: list[str]) -> Stream:
    if not hasattr(request, "scope"):
        raise Problem(
            HTTPStatus.NOT_IMPLEMENTED,
            "Streams need an ASGI server, but this is a WSGI server. Put 'daphne' first in INSTALLED_APPS, set "
            "ASGI_APPLICATION, and use runserver, or run 'daphne <project>.asgi:application'.",
        )
    with_log, uses_heartbeat_events = parse_logs(request), parse_heartbeat(request)
    if (open_streams := count_streams()) >= get_settings().MAX_STREAMS:
        raise unavailable(f"{open_streams!r} streams are open; at most {get_settings().MAX_STREAMS!r} are allowed.")
    with store_access():
        return await Stream.open(task_ids, with_log=with_log, uses_heartbeat_events=uses_heartbeat_events)


async def _get_visible_views(request: HttpRequest, stream: Stream) -> list[View | None]:
    """Return the view of each watched task; None if it does not exist or the caller may not see it."""
    return [
        watch.view if watch.view is not None and await _can_view(request, watch.view.snapshot) else None
        for watch in stream.watches
    ]


def _get_last_event_id(request: HttpRequest) -> str | None:
    return request.headers.get("Last-Event-ID") or request.GET.get("last_event_id")


def _stream_response(request: HttpRequest, stream: Stream) -> HttpResponseBase:
    if request.method == "HEAD":
        stream.close()
        return StreamingHttpResponse(_nothing(), content_type=CONTENT_TYPE, headers=STREAM_HEADERS)
    return EventStreamResponse(stream)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def _get_visible(request: HttpRequest, task_id: str) -> Snapshot:
    with store_access():
        snapshot = await aobserve(task_id)
    if snapshot is None or not await _can_view(request, snapshot):
        raise not_found(task_id)
    return snapshot


async def _find_visible(request: HttpRequest, limit: int) -> AsyncIterator[Snapshot]:
    """Yield at most `limit` of the recent tasks that the caller may see, the newest first."""
    with store_access():
        task_ids = await get_store().arun(get_store().find_recent)
    while task_ids and limit:
        batch, task_ids = task_ids[:MAX_LIMIT], task_ids[MAX_LIMIT:]
        with store_access():
            snapshots = await aobserve_many(batch)
        visible = (await select("can_view", request, snapshots))[:limit]
        limit -= len(visible)
        for snapshot in visible:
            yield snapshot


async def _can_view(request: HttpRequest, snapshot: Snapshot) -> bool:
    return has_token(request, snapshot.task_id) or await is_allowed("can_view", request, snapshot)
