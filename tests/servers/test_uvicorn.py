"""The same streams behind another ASGI server: uvicorn."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.cache.backends.filebased import FileBasedCache

from tasks_app import make_token
from tasks_app.store.store import Store
from tests.support import wire
from tests.support.servers import run_uvicorn
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site, find_errors


@contextmanager
def run_site() -> Iterator[Site]:
    with run_uvicorn(env={"DJANGO_SETTINGS_MODULE": "tests.support.wire_settings"}) as server:
        site = Site(server)
        yield site
    assert find_errors(site.log) == []


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site() as site:
        yield site


@pytest.fixture
def own_site() -> Iterator[Site]:
    """A site that a test may stop."""
    with run_site() as site:
        yield site


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


def test_server_stops_with_open_streams_and_running_tasks(own_site):
    """It waits until the last of its connections has ended."""
    targets = [f"/task-progress/{task_id}" for task_id in (own_site.start_puppet("x"), own_site.start("async_puppet"))]
    with wire.open_streams(own_site.port, targets * 10) as streams:
        own_site.server.process.send_signal(signal.SIGTERM)
        own_site.server.process.wait(DEADLINE)
        for stream in streams:
            assert "end" not in [event.type for event in stream.read_all()]  # the client comes back


def test_server_that_stops_says_that_what_it_still_ran_is_lost(tmp_path):
    """It then ends by its signal, so that Python calls nothing at exit."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.wrapped_settings", "WIRE_CACHE": str(tmp_path)}
    with run_uvicorn("tests.support.asgi_wrapped:application", env=env) as server:
        site = Site(server)
        task_id = site.start_puppet("x")
        site.wait_for(task_id, "running")
        with site.open(task_id, query=f"?token={make_token(task_id)}") as stream:
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(DEADLINE) == -signal.SIGTERM
            assert "end" not in [event.type for event in stream.read_all()]  # the client comes back
    assert find_errors(site.log) == []
    assert Store(lambda: FileBasedCache(str(tmp_path), {})).get(task_id).state == "lost"
