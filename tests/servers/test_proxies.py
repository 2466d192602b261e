"""Clients behind a proxy that says who they are, on the servers as README has them started."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.support import wire
from tests.support.servers import run_daphne, run_uvicorn
from tests.support.wire_site import Site

pytestmark = pytest.mark.slow

ENV = {
    "DJANGO_SETTINGS_MODULE": "tests.support.wrapped_settings",
    "WIRE_TASKS_APP": json.dumps({"MAX_STREAMS_PER_CLIENT": 1}),
}
DAPHNE, UVICORN = ["--proxy-headers"], ["--proxy-headers", "--forwarded-allow-ips=127.0.0.1"]


@pytest.mark.parametrize("application", ["asgi", "asgi_wrapped"])
@pytest.mark.parametrize(("run", "options"), [(run_daphne, DAPHNE), (run_uvicorn, UVICORN)], ids=["daphne", "uvicorn"])
def test_address_that_the_proxy_names_is_the_client(
    run: Callable[..., AbstractContextManager[Any]], options: list[str], application: str
):
    with run(f"tests.support.{application}:application", env=ENV, options=options) as server:
        site = Site(server)
        started = wire.post_json(site.port, "/start-task", {"task": "puppet", "kwargs": {"name": "p"}}).json()
        target = f"/task-progress/{started['task_id']}?token={started['token']}"
        with wire.EventStream(site.port, target, [("X-Forwarded-For", "192.0.2.1")]) as stream:
            assert stream.next() is not None
            statuses = [
                wire.send(site.port, "HEAD", target, headers=[("X-Forwarded-For", address)]).status
                for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")
            ]
        assert statuses == [429, 200, 200]
        site.order_return("p")
