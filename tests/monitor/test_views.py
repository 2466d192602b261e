"""The monitor over HTTP: who may see it, what its pages and its data say, and what they do not tell."""

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from asgiref.sync import markcoroutinefunction
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.urls import include, path

from tasks_app import make_token
from tasks_app.monitor.recent_tasks import get_recent_reader
from tasks_app.monitor.summary import CONDITIONS
from tasks_app.monitor.views import show_monitor, show_monitor_data, show_monitored_task
from tasks_app.permissions import Policy
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report, Stage
from tasks_app.store.store import get_store
from tasks_app.templatetags.texts import TEXTS
from tests.support.answers import assert_problem
from tests.support.doubles import controlled_cache
from tests.support.viewers import NOW, make_running, put

pytestmark = pytest.mark.django_db(transaction=True)

urlpatterns = [path("jobs/", include("tasks_app.urls"))]

PAGES = ["/tasks/monitor", "/tasks/t1/monitor"]
PLACES = [*PAGES, "/tasks/monitor/data"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["tests.monitor.test_views.ask_database"]},
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
    return await log_in("staff", is_staff=True, is_superuser=True)


def list_tasks(*snapshots: Snapshot) -> None:
    """Store tasks, and list them; what was read before is read anew."""
    put(*snapshots)
    get_store().list_as_recent(snapshots)
    get_recent_reader.cache_clear()


def make_queued(number: int, *, task: str = "demo", owner: str | None = None) -> Snapshot:
    """Return a task; the one with the greatest number is the newest."""
    return Snapshot.queued(f"t{number}", task, now=NOW + timedelta(seconds=number), owner=owner)


async def get_data(client: AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get("/tasks/monitor/data", query)
    assert response.status_code == 200, response.content
    data: dict[str, Any] = json.loads(response.content)
    return data


async def list_ids(client: AsyncClient, **query: Any) -> list[str]:
    return [row["task_id"] for row in (await get_data(client, **query))["rows"]]


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


async def test_each_text_of_the_scripts_has_a_name_of_its_own(staff):
    page = (await staff.get("/tasks/monitor")).content.decode()
    names = re.findall(r'<data value="([^"]+)"', page)
    assert len(names) > 20
    assert len(names) == len({*names, *TEXTS}) - len(TEXTS)


async def test_data_answers_401_to_who_is_not_logged_in():
    list_tasks(make_queued(1))
    assert_problem(await AsyncClient().get("/tasks/monitor/data"), 401, "Log in first")


async def test_data_answers_403_to_others():
    list_tasks(make_queued(1))
    assert_problem(await (await log_in("ann")).get("/tasks/monitor/data"), 403)


@pytest.mark.parametrize(("place", "script"), [(PAGES[0], "list-page"), (PAGES[1], "task-page")])
async def test_page_loads_one_script(staff, place, script):
    list_tasks(make_queued(1))
    html = (await staff.get(place)).content.decode()
    assert re.findall('<script type="module" src="(.*?)"', html) == [f"/static/tasks_app/monitor/{script}.bundle.js"]


def put_nonce(get_response: Any) -> Any:
    """A middleware that does what django-csp's does."""

    async def respond(request: HttpRequest) -> HttpResponse:
        request.csp_nonce = "abc"
        return await get_response(request)

    return markcoroutinefunction(respond)


put_nonce.async_capable, put_nonce.sync_capable = True, False


@pytest.mark.parametrize("place", PAGES)
async def test_scripts_and_styles_carry_the_nonce_of_the_page(settings, staff, place):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.monitor.test_views.put_nonce"]
    list_tasks(make_queued(1))
    html = (await staff.get(place)).content.decode()
    tags = re.findall('<(?:script type="module"|link rel="stylesheet").*?>', html)
    assert len(tags) == 3
    assert all('nonce="abc"' in tag for tag in tags)


@pytest.mark.parametrize("place", PAGES)
async def test_pages_have_their_own_encoding(settings, staff, place):
    settings.DEFAULT_CHARSET = "latin-1"
    put(make_running("t1"))
    response = await staff.get(place)
    assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert any(ord(character) > 255 for character in response.content.decode())


@pytest.mark.parametrize("place", PAGES)
async def test_page_refuses_others_and_shows_no_task(place):
    list_tasks(make_queued(1, task="secret"))
    response = await (await log_in("ann")).get(place)
    assert (response.status_code, response["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "secret" not in response.text
    assert response["Cache-Control"] == "no-store"
    assert response.context["login_url"] == f"/accounts/login/?{urlencode({'next': place})}"


@pytest.mark.parametrize("place", PLACES)
async def test_staff_who_are_no_longer_active_are_refused(settings, place):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    list_tasks(make_queued(1))
    client = await log_in("gone", is_staff=True, is_superuser=True, is_active=False)
    assert (await client.get(place)).status_code == 403


async def test_each_problem_has_its_page(staff):
    others = await log_in("ann")
    responses = [
        await others.get("/tasks/monitor"),
        await staff.get("/tasks/t1/monitor"),
        await staff.post("/tasks/monitor"),
    ]
    assert [response.templates[0].name.removeprefix("tasks_app/monitor_") for response in responses] == [
        "forbidden.html",
        "missing.html",
        "problem.html",
    ]


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


@pytest.mark.parametrize("user", [AnonymousUser(), User(pk=1), User(pk=2, is_staff=True, is_superuser=True)])
@pytest.mark.parametrize("view", [show_monitor, show_monitor_data, partial(show_monitored_task, task_id="t1")])
async def test_each_answer_varies_with_who_asks(view, user):
    list_tasks(make_queued(1))
    request = AsyncRequestFactory().get("/tasks/monitor")
    request.user = user  # without Django's middleware, which says so too
    assert (await view(request))["Vary"] == "Cookie"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
async def test_other_methods_are_refused(staff, place, method):
    response = await getattr(staff, method)(place)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("place", PLACES)
async def test_head_is_answered(staff, place):
    list_tasks(make_queued(1))
    assert (await staff.head(place)).status_code == 200


# The data


ROW_FIELDS = (Snapshot.queued("t1", "demo", now=NOW).to_wire().keys() - {"meta", "result"}) | {"owner", "may_cancel"}


async def test_data_has_all_that_the_page_needs(staff):
    list_tasks(make_queued(1))
    data = await get_data(staff)
    (row,) = data.pop("rows")
    chart = data.pop("chart")
    assert data == {
        "counts": {"all": 1, **dict.fromkeys(CONDITIONS, 0), "queued": 1},
        "failed_last_hour": 0,
        "names": ["demo"],
        "total": 1,
        "page": 1,
        "pages": 1,
        "page_size": 50,
    }
    assert chart.keys() == {"step", "until", "running", "succeeded", "failed", "cancelled"}
    assert row.keys() == ROW_FIELDS
    assert (row["owner"], row["may_cancel"]) == (None, True)


async def test_rows_are_the_snapshots_without_what_may_be_large(staff):
    snapshot = make_running().reported(Report(meta={"secret": 1}, stages=(Stage(name="Parse"),)), now=NOW)
    list_tasks(snapshot.succeeded({"secret": 2}, now=NOW))
    (row,) = (await get_data(staff))["rows"]
    wire = (await staff.get("/tasks/t1")).json()
    assert {**wire, **row} == wire | {"owner": None, "may_cancel": False}
    assert "secret" not in str(row)


async def test_newest_come_first_fifty_a_page(staff):
    list_tasks(*map(make_queued, range(120)))
    assert await list_ids(staff) == [f"t{number}" for number in range(119, 69, -1)]
    data = await get_data(staff, page=3)
    assert [row["task_id"] for row in data["rows"]] == [f"t{number}" for number in range(19, -1, -1)]
    assert (data["total"], data["page"], data["pages"]) == (120, 3, 3)


async def test_page_beyond_the_end_is_the_last_one(staff):
    list_tasks(*map(make_queued, range(51)))
    data = await get_data(staff, page=999_999_999)
    assert ([row["task_id"] for row in data["rows"]], data["page"]) == (["t0"], 2)


async def test_filters_narrow_the_list_and_not_the_counts(staff):
    list_tasks(make_queued(1, task="a"), make_running("t2"), make_running("t3").failed("E", now=NOW))
    data = await get_data(staff, state=["queued", "failed"])
    assert {row["task_id"] for row in data["rows"]} == {"t1", "t3"}
    assert (data["total"], data["counts"]["all"], data["counts"]["running"]) == (2, 3, 1)
    assert data["names"] == ["a", "demo"]
    assert await list_ids(staff, task="a") == ["t1"]
    assert await list_ids(staff, q="T3") == ["t3"]
    assert await list_ids(staff, state="running", task="a") == []


async def test_empty_filters_are_none(staff):
    list_tasks(make_queued(1))
    assert await list_ids(staff, q="", task="", sort="") == ["t1"]


async def test_list_is_sorted_as_asked_for_across_its_pages(staff):
    list_tasks(*map(make_queued, range(60)), make_running("running"))
    assert (await list_ids(staff))[:2] == ["running", "t59"]
    assert (await list_ids(staff, sort="started"))[:2] == ["running", "t59"]
    assert (await list_ids(staff, sort="-state", page=2))[-1] == "t0"


async def test_list_is_sorted_by_the_names_of_owners(staff):
    zoe, ann = [await User.objects.acreate_user(name) for name in ("zoe", "ann")]
    list_tasks(make_queued(1, owner=str(zoe.pk)), make_queued(2), make_queued(3, owner=str(ann.pk)))
    assert await list_ids(staff, sort="owner") == ["t3", "t1", "t2"]


async def test_label_is_searched(staff):
    list_tasks(replace(make_queued(1), label="Import orders.csv"), make_queued(2))
    assert await list_ids(staff, q="ORDERS") == ["t1"]


async def test_spaces_around_a_search_do_not_count(staff):
    list_tasks(make_queued(1))
    assert await list_ids(staff, q="  demo ") == ["t1"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=done", ["'state'", "'done'", "'queued'", "'stalled'", "'lost'"]),
        ("state=", ["'state'", "''"]),
        ("state=failed&state=x", ["'x'"]),
        ("state=failed%00", ["failed\\x00"]),
        ("sort=size", ["'sort'", "'size'", "'-took'"]),
        ("sort=-", ["'-'"]),
        ("page=0", ["'page'", "'0'", "a whole number from 1"]),
        ("page=-1", ["'-1'"]),
        ("page=1.5", ["'1.5'"]),
        ("page=", ["''"]),
        ("page=%C2%B2", ["'²'"]),
        ("page=1&page=x", ["'x'"]),
        (f"page={'9' * 5000}", ["a whole number from 1"]),
        (f"q={'x' * 10_000}", ["'q'", "at most 200 characters"]),
    ],
)
async def test_bad_parameter_is_named(staff, query, words):
    assert_problem(await staff.get(f"/tasks/monitor/data?{query}"), 400, *words)


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ED%A0%80", "q=%FF", "task=%00", f"task={'x' * 9000}", "q=a&q=b", "task=a&task=b", "x=1"]
)
async def test_odd_parameter_finds_nothing_or_something(staff, query):
    response = await staff.get(f"/tasks/monitor/data?{query}")
    assert response.status_code == 200


async def test_who_may_not_see_it_is_not_told_what_is_wrong():
    assert (await AsyncClient().get("/tasks/monitor/data?page=x")).status_code == 401


async def test_nothing_is_an_empty_list(staff):
    data = await get_data(staff)
    assert (data["rows"], data["total"], data["counts"]["all"], data["names"]) == ([], 0, 0, [])


async def test_unchanged_list_costs_no_bytes(staff):
    list_tasks(make_queued(1))
    response = await staff.get("/tasks/monitor/data")
    again = await staff.get("/tasks/monitor/data", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", response["ETag"])
    assert (again["Cache-Control"], "Cookie" in again["Vary"]) == ("private, no-cache", True)


async def test_changed_list_has_another_etag(staff):
    list_tasks(make_queued(1))
    etag = (await staff.get("/tasks/monitor/data"))["ETag"]
    list_tasks(make_queued(1).begun(now=NOW))
    response = await staff.get("/tasks/monitor/data", headers={"If-None-Match": etag})
    assert response.status_code == 200


async def test_filters_have_etags_of_their_own(staff):
    list_tasks(make_queued(1))
    tags = {(await staff.get("/tasks/monitor/data", {"q": text}))["ETag"] for text in ("demo", "nothing")}
    assert len(tags) == 2


async def test_cache_failure_is_503(staff):
    with controlled_cache("get_many"):
        assert_problem(await staff.get("/tasks/monitor/data"), 503)
        response = await staff.get("/tasks/t1/monitor")
    assert (response.status_code, response["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert response["Retry-After"]


# Owners


async def test_owner_is_shown_by_name(staff):
    ana = await User.objects.acreate(username="ana")
    list_tasks(make_queued(1, owner=str(ana.pk)), make_queued(2, owner="404"), make_queued(3))
    owners = [row["owner"] for row in (await get_data(staff))["rows"]]
    assert owners == [None, {"id": "404", "name": "404"}, {"id": str(ana.pk), "name": "ana"}]


async def test_search_finds_owners_on_every_page(staff):
    ana = await User.objects.acreate(username="ana")
    list_tasks(make_queued(0, owner=str(ana.pk)), *map(make_queued, range(1, 100)))
    assert await list_ids(staff, q="ANA") == ["t0"]


async def test_owner_is_told_nowhere_else(staff):
    owner = await User.objects.acreate(username="owner-name")
    list_tasks(make_running(owner=str(owner.pk)).succeeded(now=NOW))
    for place in ("/tasks", "/tasks/t1", "/task-progress/t1", "/task-progress?task=t1"):
        response = await staff.get(place)
        body = b"".join([chunk async for chunk in response]) if response.streaming else response.content
        assert b"t1" in body
        assert b"owner" not in body


# Policies


class PickyPolicy(Policy):
    """Hides tasks called "secret", and asks the database to know."""

    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.task != "secret" and User.objects.filter(pk=request.user.pk).exists()

    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.task == "mine"


class AsyncPickyPolicy(Policy):
    """The same, in coroutines."""

    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.task != "secret"

    async def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.task == "mine"


@pytest.fixture(params=[PickyPolicy, AsyncPickyPolicy])
def picky(request: pytest.FixtureRequest, settings: Any) -> None:
    use_policy(settings, request.param)


@pytest.mark.parametrize("query", ["", "?q=secret", "?task=secret", "?state=failed", "?q=owner-of-it"])
async def test_task_that_the_policy_hides_leaves_no_trace(picky, staff, query):
    owner = await User.objects.acreate(username="owner-of-it")
    list_tasks(make_queued(2, task="mine"))
    without = await staff.get(f"/tasks/monitor/data{query}")
    now = datetime.now(UTC)
    secret = Snapshot.queued("t1", "secret", now=now, owner=str(owner.pk)).begun(now=now)
    list_tasks(secret.failed("E", now=now), replace(secret, task_id="t3"))
    response = await staff.get(f"/tasks/monitor/data{query}")
    assert drop_times(response) == drop_times(without)


def drop_times(response: HttpResponse) -> dict[str, Any]:
    """Return the data but for the times, which go on."""
    data: dict[str, Any] = json.loads(response.content)
    del data["chart"]["until"]
    return data


async def test_policy_says_what_may_be_cancelled(picky, staff):
    mine, other, ended = make_queued(1, task="mine"), make_queued(2), make_queued(3, task="mine")
    list_tasks(mine, other, ended.cancelled(now=NOW))
    rows = (await get_data(staff))["rows"]
    assert {row["task_id"]: row["may_cancel"] for row in rows} == {"t1": True, "t2": False, "t3": False}


class DataPolicy(Policy):
    """Judges by what a task says of itself."""

    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.meta.get("tenant") != "other" and snapshot.result != "private"

    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return snapshot.meta.get("tenant") == "mine"


async def test_policy_is_shown_all_of_a_task(settings, staff):
    use_policy(settings, DataPolicy)
    mine, other = (make_running(name).reported(Report(meta={"tenant": name}), now=NOW) for name in ("mine", "other"))
    list_tasks(mine, other, make_running("ended").succeeded("private", now=NOW))
    data = await get_data(staff)
    assert ([row["task_id"] for row in data["rows"]], data["counts"]["all"]) == (["mine"], 1)
    assert (data["rows"][0]["may_cancel"], data["rows"][0].keys() & {"meta", "result"}) == (True, set())


async def test_sync_policy_is_asked_in_one_thread_for_all(settings, staff, monkeypatch):
    use_policy(settings, PickyPolicy)
    threads = []
    monkeypatch.setattr(PickyPolicy, "can_view", lambda *args: threads.append(threading.current_thread().name) or True)
    list_tasks(*map(make_queued, range(60)))
    await get_data(staff)
    assert (len(threads), len(set(threads))) == (60, 1)


# The page of one task


async def test_page_of_a_task_shows_it_with_its_owner(staff):
    ana = await User.objects.acreate(username="ana")
    list_tasks(make_running(owner=str(ana.pk)).succeeded({"url": "/report"}, now=NOW))
    response = await staff.get("/tasks/t1/monitor")
    context = response.context
    assert context["snapshot"] == (await staff.get("/tasks/t1")).json()
    assert (context["owner"], context["may_cancel"]) == ({"id": str(ana.pk), "name": "ana"}, False)
    assert "ana" in response.text


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("", "/tasks/monitor"),
        ("http://testserver/tasks/monitor", "/tasks/monitor"),
        ("http://testserver/tasks/monitor?state=queued&q=%22a", "/tasks/monitor?state=queued&amp;q=%22a"),
        ("http://testserver/elsewhere?next=1", "/tasks/monitor"),
        ("http://[::1?x=1", "/tasks/monitor"),
    ],
)
async def test_page_of_a_task_leads_back_to_the_list_as_it_was_filtered(staff, came_from: str, back: str):
    list_tasks(make_running())
    response = await staff.get("/tasks/t1/monitor", headers={"referer": came_from})
    assert f'<a href="{back}">' in response.text


async def test_page_says_whether_the_task_can_be_cancelled(picky, staff):
    list_tasks(make_queued(1, task="mine"), make_queued(2))
    found = [(await staff.get(f"/tasks/{task_id}/monitor")).context["may_cancel"] for task_id in ("t1", "t2")]
    assert found == [True, False]


async def test_task_that_the_policy_hides_looks_as_one_that_never_was(picky, staff):
    list_tasks(make_queued(1, task="secret"))
    hidden, unknown = await staff.get("/tasks/t1/monitor"), await staff.get("/tasks/t2/monitor")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.text.replace("t1", "t2") == unknown.text
    assert dict(hidden.headers) == dict(unknown.headers)


async def test_token_shows_staff_no_task_that_the_policy_hides(picky, staff):
    list_tasks(make_queued(1, task="secret"))
    assert (await staff.get("/tasks/t1/monitor", {"token": make_token("t1")})).status_code == 404


@pytest.mark.parametrize("task_id", ["%00", "x" * 500, "%F0%9F%98%80", "..", "a b", "<script>"])
async def test_id_that_no_task_can_have_is_not_found(staff, task_id):
    response = await staff.get(f"/tasks/{task_id}/monitor")
    assert response.status_code == 404
    assert "<script>" not in response.text


async def test_names_of_tasks_and_people_are_escaped(staff):
    eve = await User.objects.acreate(username="<script>alert(1)</script>")
    list_tasks(make_queued(1, task="<script>alert(2)</script>", owner=str(eve.pk)))
    assert "<script>alert" not in (await staff.get("/tasks/t1/monitor")).text


# Where it is


async def test_app_may_stand_under_another_path(settings, staff):
    settings.ROOT_URLCONF = __name__
    list_tasks(make_queued(1))
    assert (await staff.get("/jobs/tasks/monitor/data")).status_code == 200
    assert "/jobs/tasks/monitor" in (await staff.get("/jobs/tasks/t1/monitor")).text


@pytest.mark.parametrize("place", PLACES)
def test_wsgi_answers_too(place):
    list_tasks(make_queued(1))
    client = Client()
    client.force_login(User.objects.create_superuser("staff"))
    assert client.get(place).status_code == 200
