"""The monitor over HTTP: who may see it, what its pages and its data say, and what they do not tell."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import AsyncClient
from django.urls import include, path

from tasks_app import make_token
from tasks_app.permissions import Policy
from tasks_app.recent import get_recent_reader
from tasks_app.state import Snapshot
from tasks_app.store import get_store
from tests.answers import assert_problem
from tests.viewers import NOW, put

pytestmark = pytest.mark.django_db(transaction=True)

app_urls = path("", include("tasks_app.urls"))
urlpatterns = [path("jobs/", include("tasks_app.urls"))]

PAGES = ["/tasks/monitor", "/tasks/t1/monitor"]
PLACES = [*PAGES, "/tasks/monitor/data"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["tests.test_monitor.ask_database"]},
    }
]


def ask_database(request: HttpRequest) -> dict[str, Any]:
    """A context processor as sites have them."""
    return {"users": User.objects.count()}


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> None:
    settings.STATIC_URL = "/static/"
    settings.TEMPLATES = TEMPLATES


async def log_in(name: str, **fields: Any) -> AsyncClient:
    client = AsyncClient()
    user, _ = await User.objects.aget_or_create(username=name, defaults=fields)
    await client.aforce_login(user)
    return client


@pytest.fixture
async def staff() -> AsyncClient:
    return await log_in("staff", is_staff=True)


def list_tasks(*snapshots: Snapshot) -> None:
    """Store tasks, and list them; what was read before is read anew."""
    put(*snapshots)
    get_store().list_as_recent(snapshots)
    get_recent_reader.cache_clear()


def make_queued(number: int, *, task: str = "demo", owner: str | None = None) -> Snapshot:
    """Return a task; the one with the greatest number is the newest."""
    return Snapshot.queued(f"t{number}", task, now=NOW + timedelta(seconds=number), owner=owner)


async def get_data(client: AsyncClient, query: object = None) -> dict[str, Any]:
    response = await client.get("/tasks/monitor/data", query)
    assert response.status_code == 200, response.content
    return dict(json.loads(response.content))


async def list_ids(client: AsyncClient, query: object = None) -> list[str]:
    return [row["task_id"] for row in (await get_data(client, query))["rows"]]


# Who may see it


@pytest.mark.parametrize("place", PAGES)
async def test_page_sends_who_is_not_logged_in_to_the_login(settings, place):
    settings.LOGIN_URL = "/log-in?from=us"
    list_tasks(make_queued(1))
    response = await AsyncClient().get(f"{place}?state=failed&q=a b")
    assert (response.status_code, response["Cache-Control"]) == (302, "no-store")
    url = urlsplit(response["Location"])
    assert (url.path, parse_qs(url.query)) == ("/log-in", {"from": ["us"], "next": [f"{place}?state=failed&q=a%20b"]})


async def test_login_on_another_host_is_told_the_whole_address(settings):
    settings.LOGIN_URL = "https://accounts.example/"
    response = await AsyncClient().get("/tasks/monitor")
    assert response["Location"] == "https://accounts.example/?next=http%3A%2F%2Ftestserver%2Ftasks%2Fmonitor"


async def test_data_answers_401_to_who_is_not_logged_in():
    list_tasks(make_queued(1))
    assert_problem(await AsyncClient().get("/tasks/monitor/data"), 401, "Log in first")


async def test_data_answers_403_to_others():
    list_tasks(make_queued(1))
    assert_problem(await (await log_in("ann")).get("/tasks/monitor/data"), 403)


@pytest.mark.parametrize("place", PAGES)
async def test_page_refuses_others_and_shows_no_task(place):
    list_tasks(make_queued(1, task="secret"))
    response = await (await log_in("ann")).get(place)
    assert (response.status_code, response["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "secret" not in response.text
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("place", PLACES)
async def test_staff_who_are_no_longer_active_are_refused(settings, place):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    list_tasks(make_queued(1))
    client = await log_in("gone", is_staff=True, is_active=False)
    assert (await client.get(place)).status_code == 403


class NoListPolicy(Policy):
    def can_list(self, request: HttpRequest) -> bool:
        return False


class OpenPolicy(Policy):
    def can_list(self, request: HttpRequest) -> bool:
        return True


def use_policy(settings: Any, policy: type) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy.__name__}"}


@pytest.mark.parametrize("place", PLACES)
async def test_staff_whom_the_policy_lets_list_nothing_are_refused(settings, staff, place):
    use_policy(settings, NoListPolicy)
    list_tasks(make_queued(1))
    assert (await staff.get(place)).status_code == 403


@pytest.mark.parametrize("place", PLACES)
async def test_who_may_list_but_is_not_staff_is_refused(settings, place):
    use_policy(settings, OpenPolicy)
    list_tasks(make_queued(1))
    assert (await (await log_in("ann")).get(place)).status_code == 403


@pytest.mark.parametrize("place", PLACES)
async def test_token_of_a_task_opens_no_monitor(place):
    list_tasks(make_queued(1))
    response = await AsyncClient().get(place, {"token": make_token("t1")})
    assert response.status_code in (302, 401)


@pytest.mark.parametrize("place", PLACES)
async def test_staff_get_an_answer_that_only_they_may_keep(staff, place):
    list_tasks(make_queued(1))
    response = await staff.get(place)
    assert (response.status_code, response["Cache-Control"]) == (200, "private, no-cache")
    assert "Cookie" in response["Vary"]


@pytest.mark.parametrize("place", PLACES)
async def test_refusal_varies_with_who_asks(place):
    assert "Cookie" in (await AsyncClient().get(place))["Vary"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
async def test_other_methods_are_refused(staff, place, method):
    response = await getattr(staff, method)(place)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("place", PLACES)
async def test_head_is_answered(staff, place):
    list_tasks(make_queued(1))
    assert (await staff.head(place)).status_code == 200
