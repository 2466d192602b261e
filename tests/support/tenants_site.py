"""A site of many tenants: its middleware leaves that of the request on the thread and on its database connection."""

import threading
import time
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import include, path
from django.utils.deprecation import MiddlewareMixin

from tasks_app import announce
from tasks_app.permissions import Policy

local = threading.local()

#: Seconds for which a request is under way, so that others begin meanwhile.
PAUSE = 0.1


class TenantMiddleware(MiddlewareMixin):
    """As that of django-tenants: each of its methods is a call of its own, and between them the thread is free."""

    def process_request(self, request: HttpRequest) -> None:
        local.tenant = connection.tenant = request.headers["X-Tenant"]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["X-Seen"] = "+".join(find_tenants())
        return response


def find_tenants() -> list[str]:
    """Return the tenants that this thread knows: one, if nothing is mixed."""
    return sorted({local.tenant, connection.tenant})


def look_late() -> list[str]:
    time.sleep(PAUSE)
    return find_tenants()


def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"seen": look_late()})


async def ashow(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"seen": await sync_to_async(look_late)()})


def add_task(request: HttpRequest) -> JsonResponse:
    """Announce a task of this tenant."""
    return JsonResponse({"task_id": announce("job", label=find_tenants()[0])})


class TenantPolicy(Policy):
    """Shows each tenant its own tasks."""

    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return look_late() == [snapshot.label]


urlpatterns = [path("show", show), path("ashow", ashow), path("add", add_task), path("", include("tasks_app.urls"))]
