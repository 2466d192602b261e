"""Pages made of whatever template a test gives, under the strictest Content-Security-Policy."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import path
from django.utils.html import escape
from django.views.static import serve

from tasks_app import get_snapshot, make_token
from tasks_app.store.store import get_store
from tests.support.viewers import make_running
from tests.support.wire_urls import urlpatterns as wire_patterns

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

HEAD = """<!doctype html>
<html lang="{lang}" dir="{dir}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page</title>
<main>
"""


def show_page(request: HttpRequest) -> HttpResponse:
    """Render `?body=`, a template, with the other parameters as its context."""
    values = request.GET.dict()
    head = HEAD.format(lang=values.get("lang", "en"), dir=values.get("dir", "ltr"))
    body = Template(values.pop("body", "")).render(RequestContext(request, values))
    response = HttpResponse(head + body + "</main>")
    response["Content-Security-Policy"] = values.get("csp", STRICT)
    return response


def show_row(request: HttpRequest, task_id: str) -> HttpResponse:
    """Render a task as a fragment of HTML."""
    snapshot = get_snapshot(task_id)
    return HttpResponse(f"{snapshot.progress}% {escape(snapshot.status)}")


def show_owned(request: HttpRequest) -> HttpResponse:
    """Show three tasks of somebody else, two of them by a token."""
    task_ids = ["owned-1", "owned-2", "owned-3"]
    get_store().save([make_running(task_id, owner="7") for task_id in task_ids])
    tokens = [make_token(task_id) for task_id in task_ids[:2]]
    tags = [
        f"{{% task_progress '{task_id}' token='{token}' %}}" for task_id, token in zip(task_ids, tokens, strict=False)
    ]
    request.GET = request.GET.copy()
    request.GET["body"] = "{% load tasks_app %}" + "".join(tags) + "{% task_progress 'owned-3' %}"
    return show_page(request)


def show_icon(request: HttpRequest) -> HttpResponse:
    """Answer what every browser asks for."""
    return HttpResponse(status=204)


urlpatterns = [
    *wire_patterns,
    path("favicon.ico", show_icon),
    path("owned", show_owned),
    path("page", show_page, name="page"),
    path("rows/<str:task_id>", show_row, name="row"),
    path("static/<path:path>", serve, {"document_root": settings.STATIC_ROOT}),
]
