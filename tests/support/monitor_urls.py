"""What a site with the monitor has, under the strictest policy, and the views by which tests fill it."""

import json
from datetime import UTC, datetime

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib import admin
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tasks_app.conf import get_settings
from tasks_app.monitor.recent_tasks import get_recent_reader
from tasks_app.reporting.log import Journal
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.keys import make_details_key
from tasks_app.store.store import get_store
from tests.support.component_urls import STRICT
from tests.support.component_urls import urlpatterns as component_patterns


class StrictPolicy:
    """Answers the monitor's pages with the strictest Content-Security-Policy."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        response = await self.get_response(request)
        if request.path.startswith("/tasks/"):
            response["Content-Security-Policy"] = STRICT
        return response


def log_in(request: HttpRequest, name: str) -> HttpResponse:
    """Log the caller in as this user."""
    login(request, get_user_model().objects.get(username=name))
    return HttpResponse()


@csrf_exempt
def put_tasks(request: HttpRequest) -> HttpResponse:
    """Store the tasks in the body, with what they have logged and what staff know of their attempts; list them."""
    snapshots, pages = [], {}
    for data in json.loads(request.body):
        journal = Journal(0, limit=get_settings().LOG_LINES, max_bytes=get_settings().LOG_BYTES)
        for level, text in data.pop("log", []):
            journal.append(text, level, now=datetime.now(UTC))
        for details in data.pop("attempts", []):
            key = make_details_key(data["task_id"], details["attempt"])
            get_store().cache.set(key, json.dumps(details), get_settings().ACTIVE_TTL)
        snapshots.append(Snapshot.from_json(json.dumps(data | {"logged": journal.absorb()})))
        pages[data["task_id"]] = journal.pages
    get_store().save(snapshots, pages)
    get_store().list_as_recent(snapshots)
    get_recent_reader.cache_clear()
    return HttpResponse()


@csrf_exempt
def clear_tasks(request: HttpRequest) -> HttpResponse:
    """Forget every task."""
    get_store().cache.clear()
    get_recent_reader.cache_clear()
    return HttpResponse()


urlpatterns = [
    *component_patterns,
    path("admin/", admin.site.urls),
    path("clear", clear_tasks),
    path("log-in/<str:name>", log_in),
    path("put", put_tasks),
]
