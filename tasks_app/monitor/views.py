"""The monitor: pages on which staff see the recent tasks live, and their data."""

from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import NoReverseMatch, reverse
from django.views.decorators.vary import vary_on_cookie

from ..http import Problem, conditional_response, endpoint, json_response, make_url, not_found, refusal, store_access
from ..permissions import is_allowed, select
from ..snapshot import Snapshot
from ..store import afind_details
from ..streaming import aobserve
from ..users import MAY_VIEW_TASK, lacks_permission, may_view_all
from .owner_names import afind_owner_names
from .params import parse_order, parse_page, parse_selection
from .recent_tasks import Recent, get_recent_reader
from .summary import PAGE_SIZE, ListPage, summarize

_HEADERS = {"Cache-Control": "private, no-cache"}

#: Its encoding is that of the templates, whatever the site has for its own pages.
_HTML = "text/html; charset=utf-8"

#: The templates of the pages for problems; all others have "monitor_problem".
_PROBLEM_PAGES = {HTTPStatus.FORBIDDEN: "monitor_forbidden", HTTPStatus.NOT_FOUND: "monitor_missing"}


async def respond_with_page(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """Answer a problem with a page; redirect a caller without a login to the login page."""
    headers = problem.headers | {"Cache-Control": "no-store"}
    if problem.status is HTTPStatus.UNAUTHORIZED:
        return HttpResponseRedirect(_get_login_url(request), headers=headers)
    context = {"title": problem.status.phrase, "detail": problem.detail}
    if problem.status is HTTPStatus.FORBIDDEN:  # the caller may have another account
        context["login_url"] = _get_login_url(request)
        context["permission"] = MAY_VIEW_TASK if lacks_permission(request, MAY_VIEW_TASK) else ""
    template = f"tasks_app/{_PROBLEM_PAGES.get(problem.status, 'monitor_problem')}.html"
    return await _render(request, template, context, problem.status, headers)


@vary_on_cookie
@endpoint("GET", "HEAD", respond=respond_with_page)
async def show_monitor(request: HttpRequest) -> HttpResponseBase:
    """Show the page that its script fills with the recent tasks."""
    await _check_access(request)
    return await _render(request, "tasks_app/monitor.html")


@vary_on_cookie
@endpoint("GET", "HEAD")
async def show_monitor_data(request: HttpRequest) -> HttpResponseBase:
    """Answer with the recent tasks that the caller may see: counts, a chart, and the requested page."""
    await _check_access(request)
    selection, order, number = parse_selection(request), parse_order(request), parse_page(request)
    now = datetime.now(UTC)
    with store_access():
        recent = await get_recent_reader().aread()
    visible = await select("can_view", request, recent.snapshots)
    if selection.text or order.column == "owner":
        await _learn_owner_names(recent, visible)
    selected = order.apply(selection.apply(visible, recent.owner_names), recent.owner_names, now=now)
    page = ListPage.cut(selected, number)
    numbers = {"total": len(selected), "page": page.number, "pages": page.count, "page_size": PAGE_SIZE}
    rows = await _make_rows(request, recent, page.items)
    return conditional_response(request, summarize(visible, now=now) | numbers | {"rows": rows})


@vary_on_cookie
@endpoint("GET", "HEAD", respond=respond_with_page)
async def show_monitored_task(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Show the page of one task."""
    snapshot = await _find_task(request, task_id)
    (row,) = await _make_rows(request, Recent([snapshot]), [snapshot])
    context = {
        "owner": row["owner"],
        "may_cancel": row["may_cancel"],
        "snapshot": snapshot.to_wire(),
        "details_url": make_url("monitor-task-details", task_id, request=request),
        "list_url": _find_list_url(request),
        "parent_url": make_url("monitor-task", snapshot.parent, request=request) if snapshot.parent else "",
    }
    return await _render(request, "tasks_app/monitor_task.html", context)


@vary_on_cookie
@endpoint("GET", "HEAD")
async def show_task_details(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Answer with what only staff may know of a task: its latest attempts, as far as the cache has them."""
    snapshot = await _find_task(request, task_id)
    with store_access():
        attempts = await afind_details(snapshot)
    return json_response({"attempts": attempts})


async def _find_task(request: HttpRequest, task_id: str) -> Snapshot:
    """Return a task.

    Raises:
        Problem: the caller may not see the monitor, or this task; or there is none with this id.
    """
    await _check_access(request)
    with store_access():
        snapshot = await aobserve(task_id)
    if snapshot is None or not await is_allowed("can_view", request, snapshot):
        raise not_found(task_id)
    return snapshot


def _find_list_url(request: HttpRequest) -> str:
    """Return the URL of the monitor, as it was filtered and sorted where the request comes from there."""
    url = make_url("monitor", request=request)
    page, _, query = request.headers.get("Referer", "").partition("?")
    return f"{url}?{query}" if query and page.endswith(url) else url


async def _check_access(request: HttpRequest) -> None:
    if not may_view_all(request):
        raise refusal(request, "You may not see the monitor.", permission=MAY_VIEW_TASK)
    if not await is_allowed("can_list", request):
        raise refusal(request, "You may not see the monitor.")


async def _make_rows(request: HttpRequest, recent: Recent, snapshots: Iterable[Snapshot]) -> list[dict[str, Any]]:
    snapshots = list(snapshots)
    await _learn_owner_names(recent, snapshots)
    cancellable = await select("can_cancel", request, [item for item in snapshots if not item.is_terminal])
    ids = {snapshot.task_id for snapshot in cancellable}
    return [_make_row(snapshot, recent.owner_names, may_cancel=snapshot.task_id in ids) for snapshot in snapshots]


def _make_row(snapshot: Snapshot, owner_names: dict[str, str], *, may_cancel: bool) -> dict[str, Any]:
    row = snapshot.to_wire()
    del row["meta"], row["result"]  # large ones would be sent with every poll
    owner = snapshot.owner
    shown = None if owner is None else {"id": owner, "name": owner_names[owner]}
    return row | {"owner": shown, "may_cancel": may_cancel}


async def _learn_owner_names(recent: Recent, snapshots: Iterable[Snapshot]) -> None:
    owners = {snapshot.owner for snapshot in snapshots if snapshot.owner is not None}
    recent.owner_names.update(await afind_owner_names(owners - recent.owner_names.keys()))


async def _render(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] = _HEADERS,
) -> HttpResponse:
    """Render in a thread, since context processors of the site may use the database."""
    context = {
        "request": request,
        "monitor_url": make_url("monitor", request=request),
        "stream_url": make_url("tasks-progress", request=request),
        **(context or {}),
    }
    response = await sync_to_async(render)(request, template, context, content_type=_HTML, status=status)
    for name, value in headers.items():
        response[name] = value
    return response


def _get_login_url(request: HttpRequest) -> str:
    url = _find_login_url()
    path = request.build_absolute_uri() if urlsplit(url).netloc else request.get_full_path()
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'next': path})}"


def _find_login_url() -> str:
    """Return the URL where staff log in: that of the admin if there is one, else LOGIN_URL."""
    if apps.is_installed("django.contrib.admin"):
        try:
            return reverse("admin:login")
        except NoReverseMatch:
            pass
    return resolve_url(django_settings.LOGIN_URL)
