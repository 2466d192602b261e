"""The description of the endpoints says what the code does, and nothing more."""

import re
from typing import Any

import pytest
from django.http import QueryDict
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.urls import URLPattern
from openapi_spec_validator import validate

from tasks_app.openapi.schemas import SCHEMAS
from tasks_app.snapshot import State
from tasks_app.urls import urlpatterns
from tests.openapi.description import DOCUMENT, resolve
from tests.support.viewers import NOW, make_running, put


def find_path(pattern: URLPattern) -> str:
    return "/" + re.sub("<str:(.*?)>", r"{\1}", str(pattern.pattern))


def test_description_follows_its_standard():
    validate(DOCUMENT)


@pytest.mark.parametrize("pattern", urlpatterns, ids=find_path)
def test_each_path_has_the_methods_that_it_answers(pattern: URLPattern):
    path = find_path(pattern)
    allowed = Client().options(path.replace("{task_id}", "any"))["Allow"]
    assert {method.upper() for method in DOCUMENT["paths"][path]} == set(allowed.split(", "))


def test_no_other_path_is_described():
    assert set(DOCUMENT["paths"]) == set(map(find_path, urlpatterns))


def test_snapshot_has_the_fields_that_viewers_see():
    least = make_running()
    whole = least.succeeded(None, now=NOW, omitted="too large", said="All good")
    snapshot = SCHEMAS["Snapshot"]
    assert set(snapshot["properties"]) == set(whole.to_wire())
    assert set(snapshot["required"]) == set(least.to_wire())


def test_states_are_those_of_the_code():
    assert SCHEMAS["State"]["enum"] == [str(state) for state in State]


@pytest.mark.parametrize("path", ["/start-task", "/tasks/tokens"])
def test_body_has_the_members_that_the_endpoint_takes(path: str):
    response = Client().post(path, b'{"nonsense": 1}', content_type="application/json")
    (content,) = DOCUMENT["paths"][path]["post"]["requestBody"]["content"].values()
    names = sorted(content["schema"]["properties"])
    assert response.json()["detail"] == f"Unknown members ['nonsense']; allowed: {names}."


class RecordingQuery(QueryDict):
    """A query that knows which parameters it was asked for."""

    def __init__(self, text: str) -> None:
        super().__init__(text, mutable=True)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def getlist(self, key: str, default: Any = None) -> list[Any]:
        self.asked.add(key)
        return super().getlist(key, default)


@pytest.mark.parametrize("pattern", urlpatterns, ids=find_path)
@pytest.mark.django_db
async def test_each_path_has_the_parameters_that_it_reads(pattern: URLPattern, admin_user: Any):
    put(make_running("ended", owner="1").succeeded(1, now=NOW))
    path = find_path(pattern)
    operations = DOCUMENT["paths"][path]
    request = AsyncRequestFactory().generic(next(iter(operations)).upper(), path.replace("{task_id}", "ended"))
    request.GET = query = RecordingQuery("task=ended" if path == "/task-progress" else "")
    request.user = admin_user
    response = await pattern.callback(request, **({"task_id": "ended"} if "{" in path else {}))
    response.close()
    for operation in operations.values():
        parameters = map(resolve, operation.get("parameters", []))
        described = {item["name"] for item in parameters if item["in"] == "query"}
        assert described == query.asked - {"token"}


def test_every_component_is_used():
    text = str(DOCUMENT)
    kinds = DOCUMENT["components"].items()
    paths = [f"#/components/{kind}/{name}" for kind, items in kinds for name in items if kind != "securitySchemes"]
    assert [path for path in paths if f"'$ref': '{path}'" not in text] == []


def test_description_says_where_the_site_has_the_endpoints(settings):
    settings.ROOT_URLCONF = "tests.page.test_template_tag"
    assert Client().get("/jobs/tasks/openapi.json").json()["servers"] == [{"url": "/jobs"}]


async def test_description_is_for_everybody_and_known_by_its_tag():
    client = AsyncClient()
    first = await client.get("/tasks/openapi.json")
    second = await client.get("/tasks/openapi.json", headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")
