"""The endpoints: async views that hold no thread while they wait."""

import logging
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

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
from ..permissions import find_permission, identify_starter, is_allowed, needs_only_user, select
from ..snapshot import Snapshot
from ..store import get_store, sharing
from ..streaming import (
    CONTENT_TYPE,
    STREAM_HEADERS,
    EventStreamResponse,
    Stream,
    View,
    aobserve,
    aobserve_children,
    aobserve_many,
)
from ..tokens import get_token_rights, make_joint_token
from .access import can_cancel, can_view, find_ancestors
from .admission import get_admission
from .clients import identify, take_place
from .csrf import check_csrf
from .endpoint import conditional_response, encode_children, encode_list, endpoint, json_response, not_found, refusal
from .idempotency import answer_once
from .links import find_base
from .params import (
    MAX_CHILDREN_SHOWN,
    MAX_LIMIT,
    parse_limit,
    parse_start,
    parse_states,
    parse_token_tasks,
    read_body,
)
from .problems import Problem, bad_request, broken, busy, store_access
from .recheck import recheck
from .refused_stream import respond_to_stream
from .shares import keep_share
from .start_answer import describe_start, respond_with
from .wanted_stream import parse_stream

logger = logging.getLogger("tasks_app")


@endpoint("POST")
async def start_task(request: HttpRequest) -> HttpResponse:
    """Start a task by its name in STARTABLE, and answer its id, URLs and token."""
    body = read_body(request)
    name, kwargs = parse_start(request, body)
    check_csrf(request)
    await _check_can_start(request, name)
    base = find_base(request)  # before a task is started whose answer could not be made
    client = await identify(request)
    answer, is_starter = await answer_once(request, body, client, lambda: _start(request, client, name, kwargs, base))
    is_visible = await _is_visible_to_starter(request, answer["task_id"])
    return respond_with(request, answer, is_visible=is_visible, is_starter=is_starter)


@endpoint("GET", "HEAD", respond=respond_to_stream)
async def stream_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Stream the snapshots of one task until it ends."""
    return await _stream(request, task_id)


@endpoint("GET", "HEAD", respond=respond_to_stream)
async def stream_tasks(request: HttpRequest) -> HttpResponseBase:
    """Stream the snapshots of many tasks on one connection until all end."""
    return await _stream(request, None)


@endpoint("GET", "HEAD")
async def show_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Answer the snapshot of a task as JSON."""
    snapshot = await _get_visible(request, task_id)
    return conditional_response(request, snapshot.to_wire(), version=snapshot.event_id)


@endpoint("GET", "HEAD")
async def list_tasks(request: HttpRequest) -> HttpResponse:
    """Answer the snapshots of the recent tasks that the caller may see, the newest first."""
    if not await is_allowed("can_list", request):
        raise refusal(request, "You may not list tasks.", permission=find_permission("can_list"))
    limit = parse_limit(request)
    tasks = [snapshot async for snapshot in _find_visible(request, limit)]
    content = await get_store().arun_aside(encode_list, tasks)
    return json_response(content, headers={"Cache-Control": "private, no-cache"})


@endpoint("GET", "HEAD")
async def list_children(request: HttpRequest, task_id: str) -> HttpResponse:
    """Answer the snapshots of the children of a task, in the order of their start, to those who may see it."""
    states, limit = parse_states(request), parse_limit(request, at_most=MAX_CHILDREN_SHOWN)
    await _get_visible(request, task_id)
    with store_access():
        children, total = await aobserve_children(task_id, states, limit)
    content = await get_store().arun_aside(encode_children, children, total)
    return json_response(content, headers={"Cache-Control": "private, no-cache"})


@endpoint("POST")
async def cancel_task(request: HttpRequest, task_id: str) -> HttpResponse:
    """Request the cancel of a task."""
    check_csrf(request)
    snapshot = await _get_visible(request, task_id)
    if not await can_cancel(request, snapshot):
        raise refusal(request, "You may not cancel this task.", permission=find_permission("can_cancel"))
    try:
        with store_access():
            await acancel(task_id)
    except TaskNotFound as error:
        raise not_found(task_id) from error
    except TaskAlreadyEnded as error:
        raise Problem(HTTPStatus.CONFLICT, "The task has already ended.") from error
    return json_response({"task_id": task_id, "cancel_requested": True}, status=HTTPStatus.ACCEPTED)


@endpoint("POST")
async def make_tokens(request: HttpRequest) -> HttpResponse:
    """Answer a new token of those of some tasks that the policy shows to the caller: no token renews itself."""
    task_ids = parse_token_tasks(request, read_body(request))
    check_csrf(request)
    with store_access():
        snapshots = await aobserve_many(task_ids)
    visible = [snapshot.task_id for snapshot in await select("can_view", request, snapshots)]
    token = make_joint_token(visible) if visible else None
    answer = {"token": token, "tasks": visible, "max_age": get_settings().TOKEN_MAX_AGE}
    return json_response(answer)


async def _check_can_start(request: HttpRequest, name: str) -> None:
    """Check that the caller may start the task called `name`.

    A name that the caller may not start is as unknown as one that does not exist; which ones there are is told only
    as far as the caller may start them.

    Raises:
        Problem: the caller may not start the task, or the name is unknown.
    """
    names = get_settings().STARTABLE
    if name in names and await is_allowed("can_start", request, name):
        return
    allowed = [known for known in sorted(names) if await is_allowed("can_start", request, known)]
    if names and not allowed:
        raise refusal(request, "You may not start this task.")
    raise bad_request(f"Unknown task {describe(name)}; allowed: {allowed!r}.")


async def _is_visible_to_starter(request: HttpRequest, task_id: str) -> bool:
    """Return whether the policy shows a task to its starter, as the default one does; what fails here is a no.

    The task has started: after an error, the client would start it a second time.
    """
    if needs_only_user("can_view"):
        return True
    try:
        snapshot = await aobserve(task_id)
        return snapshot is not None and await is_allowed("can_view", request, snapshot)
    except Exception:
        logger.exception("task %s: its starter is given no token", task_id, extra={"task_id": task_id})
        return False


async def _start(request: HttpRequest, client: str, name: str, kwargs: Mapping[str, Any], base: str) -> dict[str, Any]:
    async with get_admission().admitted(client) as note:
        with sharing(client):
            task_id = await _start_named(request, name, kwargs)
        note(task_id)
        await keep_share(client, task_id)
    return describe_start(base, task_id, name)


async def _start_named(request: HttpRequest, name: str, kwargs: Mapping[str, Any]) -> str:
    try:
        return await astart_named(name, kwargs, owner=identify_starter(request))
    except InvalidArguments as error:
        raise bad_request(f"Task {name!r}: {error}.") from error
    except TaskQueueFull as error:
        raise busy("max_queue", f"No more tasks can be queued: {error}.") from error
    except BrokerUnavailable as error:
        raise broken("broker", "No task can be queued at the moment.") from error
    except StoreUnavailable as error:
        raise broken("cache", "The state of tasks can't be stored at the moment.") from error


async def _stream(request: HttpRequest, task_id: str | None) -> HttpResponseBase:
    wanted = parse_stream(request.GET, task_id, last_event_id=request.headers.get("Last-Event-ID"))
    get_token_rights(request)  # first: how it refuses too many must not tell whether a task exists
    _check_server(request)
    with ExitStack() as unless_sent:
        place = take_place(await identify(request))
        unless_sent.callback(place.give_back)
        with store_access():
            stream = await wanted.open()
        unless_sent.callback(stream.close)
        stream.place = place
        views = await _get_visible_views(request, stream)
        if task_id is not None and views == [None]:
            raise not_found(task_id)
        if wanted.is_told(stream, views):
            return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "private, no-cache"})
        unless_sent.pop_all()
    wanted.show(stream, views)
    return _stream_response(request, stream)


def _check_server(request: HttpRequest) -> None:
    if not hasattr(request, "scope"):
        raise Problem(
            HTTPStatus.NOT_IMPLEMENTED,
            "Streams need an ASGI server, but this is a WSGI server. Put 'daphne' first in INSTALLED_APPS, set "
            "ASGI_APPLICATION, and use runserver, or run 'daphne <project>.asgi:application'.",
        )


async def _get_visible_views(request: HttpRequest, stream: Stream) -> list[View | None]:
    """Return the view of each watched task; None if it does not exist or the caller may not see it.

    The stream ends with the first right that does; a client that comes back is judged again.
    """
    views = [watch.view for watch in stream.watches]
    lifetimes = [None if view is None else await _find_lifetime(request, view.snapshot) for view in views]
    if any(lifetimes):
        stream.end_in(min(filter(None, lifetimes)))
    return [view if lifetime else None for view, lifetime in zip(views, lifetimes, strict=True)]


async def _find_lifetime(request: HttpRequest, snapshot: Snapshot) -> float | None:
    """Return for how many seconds the caller may see a task; None if it may not.

    What the policy allows holds as long as a new token would, or a little shorter: not all streams end at once.
    """
    rights = get_token_rights(request)
    if (lifetime := rights.get_lifetime(snapshot.task_id)) is not None:
        return lifetime
    if not await is_allowed("can_view", request, snapshot):
        ancestors = await find_ancestors(snapshot)
        lifetimes = [lifetime for item in ancestors if (lifetime := rights.get_lifetime(item.task_id)) is not None]
        if lifetimes or not await select("can_view", request, ancestors):
            return max(lifetimes, default=None)
    return get_settings().TOKEN_MAX_AGE * random.uniform(0.8, 1)


def _stream_response(request: HttpRequest, stream: Stream) -> HttpResponseBase:
    if request.method == "HEAD":
        stream.close()
        return StreamingHttpResponse(_nothing(), content_type=CONTENT_TYPE, headers=STREAM_HEADERS)
    recheck(stream, request)
    return EventStreamResponse(stream, request_headers=getattr(request, "scope", {}).get("headers"))


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def _get_visible(request: HttpRequest, task_id: str) -> Snapshot:
    get_token_rights(request)  # first, as for a stream
    with store_access():
        snapshot = await aobserve(task_id)
    if snapshot is None or not await can_view(request, snapshot):
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
