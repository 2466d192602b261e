"""What a site demands of every view, and the endpoints see to by themselves: transactions and a login."""

import subprocess
import sys

import pytest
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.test import AsyncClient
from django.urls import get_resolver

from tasks_app import make_token
from tests.support.answers import assert_problem
from tests.support.servers import ROOT
from tests.support.viewers import make_running, put
from tests.support.waiting import DEADLINE

LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"

ENDPOINTS = [pattern.callback for pattern in get_resolver("tasks_app.urls").url_patterns]
endpoints = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.__name__)

#: A URLconf that is imported before the settings are known, as in a site of one file.
ONE_FILE = """
from django.urls import include, path
urlpatterns = [path("", include("tasks_app.urls"))]

import django
from django.conf import settings
sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True}
settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY="tests", ALLOWED_HOSTS=["*"], DATABASES={"default": sqlite, "reports": sqlite},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "tasks_app"],
)
django.setup()

import asyncio
from django.test import AsyncClient

async def ask():
    paths = "/tasks", "/tasks/t", "/task-progress/t", "/tasks/monitor", "/tasks/monitor/data"
    print(*[(await AsyncClient().get(path)).status_code for path in paths])

asyncio.run(ask())
"""


@endpoints
def test_endpoint_needs_no_transaction_on_any_database(monkeypatch, endpoint):
    for alias in connections:
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)
    assert BaseHandler().make_view_atomic(endpoint) is endpoint


@endpoints
def test_endpoint_checks_access_by_itself(endpoint):
    assert endpoint.login_required is False


def test_endpoints_that_were_made_before_the_settings_need_no_transaction():
    done = subprocess.run([sys.executable, "-c", ONE_FILE], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout.split() == ["401", "404", "404", "302", "401"], done.stderr


async def test_token_opens_its_task_where_a_middleware_demands_a_login(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOGIN_REQUIRED]
    put(make_running("t1", owner="7"))
    answer = await AsyncClient().get("/tasks/t1", headers={"Authorization": f"Bearer {make_token('t1')}"})
    assert (answer.status_code, answer.json()["task_id"]) == (200, "t1")


async def test_refusal_is_no_redirect_where_a_middleware_demands_a_login(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOGIN_REQUIRED]
    assert_problem(await AsyncClient().get("/tasks"), 401, "Log in first")
