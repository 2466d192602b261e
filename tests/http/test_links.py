"""The URLs of the endpoints, however a site includes them."""

from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.test import AsyncClient, RequestFactory
from django.urls import NoReverseMatch, include, path, resolve

from tasks_app import start, start_response
from tasks_app.http import find_base, make_url
from tasks_app.http.start_answer import describe_start
from tasks_app.http.views import start_task
from tasks_app.reporting.process import get_flusher
from tests.support import jobs
from tests.support.viewers import make_running, put


def start_report(request: HttpRequest) -> HttpResponse:
    return start_response(request, start(jobs.add, 1, 2), task="report")


def show_page(request: HttpRequest) -> HttpResponse:
    page = Template("{% load tasks_app %}{% task_progress 't1' %}")
    return HttpResponse(page.render(RequestContext(request, {})))


VIEWS = [path("report", start_report), path("page", show_page)]
OURS = path("progress/", include("tasks_app.urls"))


def make_urlconf(*urlpatterns: Any) -> ModuleType:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [*VIEWS, *urlpatterns]
    return urlconf


def nest(name: str, *urlpatterns: Any, instance: str | None = None) -> Any:
    """Return URLs under a prefix and in a namespace that are called like that."""
    return path(f"{name}/", include(([*VIEWS, *urlpatterns], name), namespace=instance))


TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

NESTED = make_urlconf(nest("api", OURS))
TWICE = make_urlconf(nest("shop", OURS), nest("api", OURS))
DEEP = make_urlconf(nest("api", nest("v1", OURS, instance="first")))
BESIDE = make_urlconf(OURS, nest("api", OURS))
INSTANCES = make_urlconf(
    path("one/", include("tasks_app.urls", namespace="one")), path("two/", include("tasks_app.urls", namespace="two"))
)


def show_page_of(request: HttpRequest, tenant: str, year: int = 0) -> HttpResponse:
    return show_page(request)


OF_TENANT = make_urlconf(
    path("<slug:tenant>/", include([path("page", show_page_of), path("<int:year>/page", show_page_of), OURS]))
)
OF_NESTED_TENANT = make_urlconf(
    path("<slug:tenant>/", include(([path("page", show_page_of), OURS], "shop"), namespace="shop"), {"year": 2026})
)


@pytest.mark.parametrize(
    ("urlconf", "asked", "expected"),
    [
        pytest.param(NESTED, "/api/progress/tasks", "/api/progress/", id="nested"),
        pytest.param(NESTED, "/page", "/api/progress/", id="nested, from outside"),
        pytest.param(NESTED, "/api/page", "/api/progress/", id="nested, from beside"),
        pytest.param(TWICE, "/api/page", "/api/progress/", id="twice, from beside the second"),
        pytest.param(TWICE, "/shop/page", "/shop/progress/", id="twice, from beside the first"),
        pytest.param(TWICE, "/api/progress/tasks", "/api/progress/", id="twice, from the second"),
        pytest.param(TWICE, "/page", "/shop/progress/", id="twice, from outside"),
        pytest.param(DEEP, "/page", "/api/v1/progress/", id="in two namespaces"),
        pytest.param(BESIDE, "/api/progress/tasks", "/api/progress/", id="nested and not, from the nested"),
        pytest.param(BESIDE, "/page", "/progress/", id="nested and not, from outside"),
        pytest.param(INSTANCES, "/two/tasks", "/two/", id="instances"),
        pytest.param(OF_TENANT, "/acme/progress/tasks/t2", "/acme/progress/", id="below a parameter"),
        pytest.param(OF_TENANT, "/acme/2026/page", "/acme/progress/", id="below a parameter, from beside"),
        pytest.param(OF_NESTED_TENANT, "/acme/progress/tasks", "/acme/progress/", id="nested below a parameter"),
        pytest.param(OF_NESTED_TENANT, "/acme/page", "/acme/progress/", id="nested below a parameter, from beside"),
    ],
)
def test_url_is_that_of_the_nearest_endpoint(settings, urlconf, asked, expected):
    settings.ROOT_URLCONF = urlconf
    request = RequestFactory().get(asked)
    request.resolver_match = resolve(asked)
    assert make_url("task", "t1", request=request) == f"{expected}tasks/t1"


@pytest.mark.parametrize("task_id", ["t1", "a%b?c#d", "!$&'()*+,;=:@~", '[{<"|\\^`>}]'])
def test_urls_of_a_started_task_are_those_of_its_endpoints(task_id):
    request = RequestFactory().post("/start-task")
    answer = describe_start(find_base(request), task_id, "demo")
    assert [answer[f"{name}_url"] for name in ("progress", "status", "cancel")] == [
        make_url(name, task_id, request=request) for name in ("task-progress", "task", "task-cancel")
    ]


def test_site_that_does_not_include_the_endpoints_is_told(settings):
    settings.ROOT_URLCONF = make_urlconf()
    with pytest.raises(NoReverseMatch, match="tasks_app"):
        make_url("tasks")


@pytest.mark.parametrize("asked", ["/api/progress/start-task", "/api/report", "/report"])
async def test_nested_site_answers_a_start_with_urls_that_work(settings, asked):
    settings.ROOT_URLCONF = NESTED
    answer = await AsyncClient().post(asked, {"task": "add", "kwargs": {"a": 1, "b": 2}}, "application/json")
    assert answer.status_code == 202
    task_id, token = answer.json()["task_id"], answer.json()["token"]
    assert answer.json()["status_url"] == f"/api/progress/tasks/{task_id}"
    shown = await AsyncClient().get(answer["Location"], headers={"Authorization": f"Bearer {token}"})
    assert shown.status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("urlconf", [OF_TENANT, OF_NESTED_TENANT], ids=["parameter", "parameter and option"])
async def test_endpoints_work_below_a_parameter_of_the_site(settings, urlconf):
    settings.ROOT_URLCONF, settings.TEMPLATES = urlconf, TEMPLATES
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="ana", is_staff=True, is_superuser=True))
    start = {"task": "add", "kwargs": {"a": 1, "b": 2}}
    answer = (await client.post("/acme/progress/start-task", start, "application/json")).json()
    assert answer["status_url"] == f"/acme/progress/tasks/{answer['task_id']}"
    assert (await client.head(answer["progress_url"])).status_code == 200
    places = [answer["status_url"], f"{answer['status_url']}/monitor"]
    places += [f"/acme/progress/{name}" for name in ("tasks", "tasks/monitor", "tasks/openapi.json", "task-health")]
    assert {place: (await client.get(place)).status_code for place in places} == dict.fromkeys(places, 200)


def test_component_of_a_nested_site_finds_its_endpoints(settings, client):
    settings.ROOT_URLCONF, settings.TEMPLATES = NESTED, TEMPLATES
    put(make_running("t1"))
    assert 'src="/api/progress/"' in client.get("/page").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["tasks/monitor", "tasks/t1/monitor", "tasks/unknown/monitor"])
def test_monitor_of_a_nested_site_links_to_its_own_pages(settings, client, page):
    settings.ROOT_URLCONF, settings.TEMPLATES = NESTED, TEMPLATES
    put(make_running("t1"))
    client.force_login(User.objects.create_superuser("ana"))
    text = client.get(f"/api/progress/{page}").content.decode()
    assert "/api/progress/tasks/monitor" in text or 'data-stream="/api/progress/task-progress"' in text


async def test_no_task_is_started_whose_answer_could_not_be_given(settings):
    settings.ROOT_URLCONF = make_urlconf(path("begin", start_task))
    client = AsyncClient(raise_request_exception=False)
    answer = await client.post("/begin", {"task": "wait"}, "application/json")
    assert answer.status_code == 500
    assert get_flusher().reporters == []
