"""Each answer that is described is given, no other is, and each looks as described."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings

from tasks_app import task_run
from tasks_app.streaming.frames import HEARTBEAT_EVENT
from tests.openapi.description import DOCUMENT, check, check_events, find_response
from tests.support.caches import CONTROLLED_CACHES, controls
from tests.support.viewers import NOW, make_running, put, read_next, read_rest

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "application/json"
KEY = {"Idempotency-Key": "k"}
ADD = {"task": "add", "kwargs": {"a": 1}}
MANY_TOKENS = "&".join(["token=x"] * 101)


@dataclass(frozen=True)
class Case:
    """A request, and the status that answers it.

    Attributes:
        path: with the query.
        body: sent as JSON, unless it is bytes.
        user: "staff", "plain", or empty for nobody.
        given: values in TASKS_APP.
        first: what is asked before, and left open.
        has_tag: whether it is asked twice, the second time with the tag of the first answer.
        is_broken: whether the cache fails.
        checks_csrf: whether the client is a browser, to which Django's check applies.
        is_wsgi: whether the server is one.
    """

    operation: str
    status: int
    path: str
    body: object = None
    user: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    first: "Case | None" = None
    has_tag: bool = False
    is_broken: bool = False
    checks_csrf: bool = False
    is_wsgi: bool = False

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]


def start(status: int, body: object = ADD, **options: Any) -> Case:
    return Case("POST /start-task", status, "/start-task", body, **options)


def cases_of(operation: str, path: str, **cases: Any) -> list[Case]:
    """Return cases of one operation: `_200=dict(user="staff")`; `more` is added to the path."""
    made = []
    for name, options in cases.items():
        more = options.pop("more", "")
        made.append(Case(operation, int(name[1:]), options.pop("path", path) + more, **options))
    return made


STREAM = Case("GET /task-progress/{task_id}", 200, "/task-progress/living")
ONE_STREAM = {"given": {"MAX_STREAMS_PER_CLIENT": 1}, "first": STREAM}

CASES = [
    start(202),
    start(400, {"task": "nonsense"}),
    start(401, given={"ALLOW_ANONYMOUS_START": False}),
    start(403, user="plain", checks_csrf=True),
    start(
        409, headers={"Idempotency-Key": "k"}, first=start(202, {"task": "count"}, headers={"Idempotency-Key": "k"})
    ),
    start(413, given={"MAX_BODY": 1}),
    start(415, b"a=1"),
    start(429, given={"START_RATE": "1/h"}, first=start(202)),
    start(503, is_broken=True),
    *cases_of(
        "GET /task-progress",
        "/task-progress?task=ended&task=missing",
        _200={},
        _204={"more": "&last_event_id=end"},
        _400={"path": "/task-progress"},
        _429=dict(ONE_STREAM),
        _501={"is_wsgi": True},
        _503={"is_broken": True},
    ),
    *cases_of(
        "GET /task-progress/{task_id}",
        "/task-progress/ended",
        _200={"more": "?heartbeat=event"},
        _204={"headers": {"Last-Event-ID": "3"}},
        _400={"more": "?logs=2"},
        _404={"path": "/task-progress/missing"},
        _429=dict(ONE_STREAM),
        _501={"is_wsgi": True},
        _503={"is_broken": True},
    ),
    *cases_of(
        "GET /tasks",
        "/tasks",
        _200={"user": "staff"},
        _400={"user": "staff", "more": "?limit=0"},
        _401={},
        _403={"user": "plain"},
        _503={"user": "staff", "is_broken": True},
    ),
    *cases_of(
        "POST /tasks/tokens",
        "/tasks/tokens",
        _200={"body": {"tasks": ["ended", "missing"]}},
        _400={"body": {"tasks": []}},
        _403={"body": {"tasks": ["ended"]}, "user": "plain", "checks_csrf": True},
        _413={"body": {"tasks": ["ended"]}, "given": {"MAX_BODY": 1}},
        _415={"body": b"a=1"},
        _503={"body": {"tasks": ["ended"]}, "is_broken": True},
    ),
    *cases_of(
        "GET /tasks/{task_id}",
        "/tasks/ended",
        _200={},
        _304={"has_tag": True},
        _400={"more": f"?{MANY_TOKENS}"},
        _404={"path": "/tasks/missing"},
        _503={"is_broken": True},
    ),
    *cases_of(
        "GET /tasks/{task_id}/children",
        "/tasks/ended/children",
        _200={},
        _400={"more": "?state=nonsense"},
        _404={"path": "/tasks/missing/children"},
        _503={"is_broken": True},
    ),
    *cases_of(
        "POST /tasks/{task_id}/cancel",
        "/tasks/living/cancel",
        _202={"user": "staff"},
        _400={"more": f"?{MANY_TOKENS}"},
        _401={},
        _403={"user": "plain"},
        _404={"path": "/tasks/missing/cancel"},
        _409={"user": "staff", "path": "/tasks/ended/cancel"},
        _503={"user": "staff", "is_broken": True},
    ),
    *cases_of("GET /task-health", "/task-health", _200={}, _503={"is_broken": True}),
    *cases_of("GET /tasks/openapi.json", "/tasks/openapi.json", _200={}, _304={"has_tag": True}),
    *cases_of("GET /tasks/monitor", "/tasks/monitor", _200={"user": "staff"}, _302={}, _403={"user": "plain"}),
    *cases_of(
        "GET /tasks/monitor/data",
        "/tasks/monitor/data",
        _200={"user": "staff"},
        _304={"user": "staff", "has_tag": True},
        _400={"user": "staff", "more": "?sort=nonsense"},
        _401={},
        _403={"user": "plain"},
        _503={"user": "staff", "is_broken": True},
    ),
    *cases_of(
        "GET /tasks/{task_id}/monitor",
        "/tasks/ended/monitor",
        _200={"user": "staff"},
        _302={},
        _403={"user": "plain"},
        _404={"user": "staff", "path": "/tasks/missing/monitor"},
        _503={"user": "staff", "is_broken": True},
    ),
    *cases_of(
        "GET /tasks/{task_id}/monitor/details",
        "/tasks/ended/monitor/details",
        _200={"user": "staff"},
        _401={},
        _403={"user": "plain"},
        _404={"user": "staff", "path": "/tasks/missing/monitor/details"},
        _503={"user": "staff", "is_broken": True},
    ),
]


def test_each_described_answer_has_a_request():
    described = {
        (f"{method.upper()} {path}", int(status))
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if method != "head"
    }
    assert {(case.operation, case.status) for case in CASES} == described


@pytest.fixture
def cache(settings: Any) -> None:
    """A cache that a test may break, with tasks of nobody."""
    settings.CACHES = CONTROLLED_CACHES
    put(make_running("living"), make_running("ended").succeeded({"sum": 2}, now=NOW))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operation} {case.status}")
@pytest.mark.usefixtures("cache")
async def test_answer_is_as_described(case: Case):
    async with ask(case) as response:
        assert response.status_code == case.status
        described = find_response(case.operation, case.status)
        assert [name for name in described.get("headers", {}) if name not in response.headers] == []
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        has_content = response.streaming or response.content
        assert [kind] * bool(has_content) == list(described.get("content", []))
        if response.streaming:
            check_events(await read_rest(response), described["content"][kind]["itemSchema"])
        elif kind.endswith("json"):
            check(response.json(), described["content"][kind]["schema"])


@asynccontextmanager
async def ask(case: Case) -> AsyncIterator[HttpResponse]:
    """Send the request of a case, with all that comes before it."""
    with override_settings(TASKS_APP={**django_settings.TASKS_APP, **case.given}):
        client = await log_in(case)
        first = await send(client, case.first) if case.first is not None else None
        if case.is_broken:
            controls.break_down()
        try:
            response = await send(client, case)
            if case.has_tag:
                response = await send(client, replace(case, headers={"If-None-Match": response["ETag"]}))
            yield response
            response.close()
        finally:
            controls.repair()
            if first is not None:
                first.close()


async def log_in(case: Case) -> AsyncClient:
    client = AsyncClient(enforce_csrf_checks=case.checks_csrf)
    if case.user:
        flags = dict.fromkeys(("is_staff", "is_superuser"), case.user == "staff")
        await client.aforce_login(await User.objects.acreate(username=case.user, **flags))
    return client


async def send(client: AsyncClient, case: Case) -> HttpResponse:
    options: dict[str, Any] = {"headers": dict(case.headers)}
    if case.body is not None:
        options |= {"data": case.body, "content_type": "text/plain" if isinstance(case.body, bytes) else JSON}
    if case.is_wsgi:
        return await sync_to_async(getattr(Client(), case.method.lower()))(case.path, **options)
    return await getattr(client, case.method.lower())(case.path, **options)


ITEMS = DOCUMENT["components"]["schemas"]


async def test_events_with_a_log_are_as_described():
    with task_run("import") as progress:
        progress.log("opened")
    response = await AsyncClient().get(f"/task-progress/{progress.task_id}?logs=1")
    names = check_events(await read_rest(response), ITEMS["TaskEvent"])
    assert names == ["log", None, "end"]


@pytest.mark.usefixtures("cache")
async def test_event_of_the_time_is_as_described():
    response = await AsyncClient().get("/task-progress/living?heartbeat=event")
    names = check_events(await read_next(response), ITEMS["TaskEvent"])
    response.close()
    assert names == [None, "time"]


@pytest.mark.parametrize("name", ["TaskEvent", "TasksEvent"])
def test_heartbeat_is_as_described(name: str):
    assert check_events(HEARTBEAT_EVENT, ITEMS[name]) == ["heartbeat"]


@pytest.mark.usefixtures("cache")
async def test_event_of_a_refusal_is_as_described():
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    async with ask(replace(find_case("GET /task-progress/{task_id}", 429), headers=headers)) as response:
        assert check_events(response.content, ITEMS["TaskEvent"]) == ["refused"]


@pytest.mark.usefixtures("cache")
async def test_events_of_many_tasks_are_as_described():
    async with ask(find_case("GET /task-progress", 200)) as response:
        names = check_events(await read_rest(response), ITEMS["TasksEvent"])
    assert sorted(map(str, names)) == ["None", "end", "missing"]


def find_case(operation: str, status: int) -> Case:
    (case,) = [case for case in CASES if (case.operation, case.status) == (operation, status)]
    return case
