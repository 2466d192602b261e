"""Each endpoint refuses with a 503 what the process has no memory or threads for, as a problem that may be retried."""

import asyncio
import threading

import pytest
from django.test import AsyncClient, Client

from tasks_app.store.store import Store
from tasks_app.utils.exhaustion import exhaustion_log
from tasks_app.utils.rarely import Rarely

ERRORS = [MemoryError(), RuntimeError("can't start new thread")]


@pytest.fixture(autouse=True)
def _unlogged(monkeypatch) -> None:
    monkeypatch.setattr(exhaustion_log, "_rarely", Rarely())


@pytest.mark.parametrize("error", ERRORS, ids=["memory", "threads"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/start-task"),
        ("GET", "/tasks/t1"),
        ("GET", "/task-progress/t1"),
        ("GET", "/task-progress?task=t1"),
        ("POST", "/tasks/t1/cancel"),
    ],
)
async def test_request_that_the_process_has_nothing_for_is_refused(method, path, error, monkeypatch, caplog):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(Store, "read", fail)
    monkeypatch.setattr("tasks_app.http.views.astart_named", fail)
    response = await AsyncClient().generic(method, path, content_type="application/json")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"] == "application/problem+json"
    assert [text for text in caplog.messages if "answered with 503" in text or "Service Unavailable" in text] == [
        f"this process has no memory, threads or open files to spare ({type(error).__name__}: {error}); "
        "requests are answered with 503"
    ]


@pytest.mark.parametrize(("client", "expected"), [(Client, []), (AsyncClient, ["asyncio_0"])], ids=["WSGI", "ASGI"])
def test_thread_for_the_log_is_started_under_asgi_alone(client, expected, monkeypatch):
    started, original = [], threading.Thread.start

    def start(self: threading.Thread) -> None:
        started.append(self.name)
        original(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    answer = client().get("/task-progress?task=none" if client is AsyncClient else "/tasks/none")
    if client is AsyncClient:
        asyncio.run(answer)
    assert [name for name in started if name.startswith("asyncio")] == expected


async def test_refused_start_may_be_repeated_with_its_key(monkeypatch):
    client, request = AsyncClient(), {"headers": {"Idempotency-Key": "once"}, "content_type": "application/json"}
    with monkeypatch.context() as patch:
        patch.setattr("tasks_app.http.views.astart_named", fail_to_start)
        assert (await client.post("/start-task", **request)).status_code == 503
    assert (await client.post("/start-task", **request)).status_code == 202


async def fail_to_start(*args: object, **kwargs: object) -> str:
    raise MemoryError
