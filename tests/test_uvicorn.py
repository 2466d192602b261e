"""The same streams behind another ASGI server: uvicorn."""

import signal
from collections.abc import Iterator

import pytest

from tests import wire
from tests.servers import run_uvicorn
from tests.waiting import wait_until
from tests.wire_site import Site, find_errors


@pytest.fixture
def site() -> Iterator[Site]:
    with run_uvicorn(env={"DJANGO_SETTINGS_MODULE": "tests.wire_settings"}) as server:
        site = Site(server)
        yield site
    assert find_errors(site.log) == []


def test_stream_arrives_step_by_step_and_ends(site):
    task_id = site.start_puppet("u")
    with site.open(task_id) as stream:
        for step in range(3):
            site.order("u", current=step, total=3, status=f"step {step}")
            stream.read_status(f"step {step}")
        site.order_return("u")
        assert [event.type for event in stream.read_all()] == ["message", "end"]
    site.wait_until_free()


def test_stream_of_a_client_that_goes_away_is_let_go_of(site):
    task_id = site.start_puppet("gone")
    with site.open(task_id) as stream:
        assert stream.next() is not None
        stream.reset()
    site.wait_until_free()
    site.order_return("gone")
    assert site.wait_for(task_id, "succeeded")["progress"] == 100


def test_open_streams_hold_few_threads(site):
    target = f"/task-progress/{site.start_puppet('few')}"
    with wire.open_streams(site.port, [target] * 50):
        wait_until(lambda: site.get_stats()["native_threads"] <= 10, "the threads of the requests have ended")
    site.wait_until_free()
    site.order_return("few")


def test_server_stops_with_open_streams_and_running_tasks(site):
    targets = [f"/task-progress/{task_id}" for task_id in (site.start_puppet("x"), site.start("async_puppet"))]
    with wire.open_streams(site.port, targets * 10):
        site.server.process.send_signal(signal.SIGTERM)
        site.server.process.wait(10)
