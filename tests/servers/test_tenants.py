"""Requests of many tenants at once, on real servers in `wrap`: none sees what another has left on a thread."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import wire
from tests.support.servers import Server, run_daphne, run_uvicorn
from tests.support.viewers import make_cancel_url
from tests.support.wire_site import find_errors
from tests.support.wrapped import WRAPPED

TENANTS = [f"tenant-{number}" for number in range(20)]


@pytest.fixture(scope="module", params=[run_daphne, run_uvicorn], ids=["daphne", "uvicorn"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param(WRAPPED, env={"DJANGO_SETTINGS_MODULE": "tests.support.tenants_settings"}) as server:
        yield server
    assert find_errors("".join(server.output)) == []


def ask_all(server: Server, make_place: Callable[[str], str]) -> dict[str, wire.Response]:
    """Have each tenant ask for a place twice, all at the same time, and return the later answer of each."""

    def ask(tenant: str) -> tuple[str, wire.Response]:
        return tenant, wire.send(server.port, "GET", make_place(tenant), [("X-Tenant", tenant)])

    with ThreadPoolExecutor(2 * len(TENANTS)) as threads:
        return dict(threads.map(ask, TENANTS * 2))


@pytest.mark.parametrize("place", ["/show", "/ashow"])
def test_view_sees_the_tenant_of_its_own_request(server, place):
    answers = ask_all(server, lambda tenant: place)
    assert {tenant: answer.json()["seen"] for tenant, answer in answers.items()} == {name: [name] for name in TENANTS}


def test_policy_of_an_endpoint_sees_the_tenant_of_its_own_request(server):
    added = ask_all(server, lambda tenant: "/add")
    task_ids = {tenant: answer.json()["task_id"] for tenant, answer in added.items()}
    own = ask_all(server, lambda tenant: f"/tasks/{task_ids[tenant]}")
    others = ask_all(server, lambda tenant: f"/tasks/{task_ids[TENANTS[TENANTS.index(tenant) - 1]]}")
    assert {answer.status for answer in own.values()} == {200}
    assert {answer.status for answer in others.values()} == {404}


def test_middleware_meets_its_own_tenant_again_after_a_stream_is_opened(server):
    added = ask_all(server, lambda tenant: "/add")
    task_ids: dict[str, Any] = {tenant: answer.json()["task_id"] for tenant, answer in added.items()}

    def open_stream(tenant: str) -> tuple[str, str | None]:
        headers = [("X-Tenant", tenant)]
        with wire.EventStream(server.port, f"/task-progress/{task_ids[tenant]}", headers) as stream:
            seen = stream.head.get("X-Seen")
            wire.send(server.port, "POST", make_cancel_url(task_ids[tenant]), headers)
            stream.read_all()  # of a client that leaves as the server stops, asyncio logs what Django did not await
        return tenant, seen

    with ThreadPoolExecutor(len(TENANTS)) as threads:
        assert dict(threads.map(open_stream, TENANTS)) == {tenant: tenant for tenant in TENANTS}
