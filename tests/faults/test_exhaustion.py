"""A process that can start no thread: what it can't do is refused whole, what it can do goes on."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks_app import make_token
from tests.support import wire
from tests.support.wire_site import Site
from tests.support.wrapped import WRAPPED, run_unjudged

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process like this"),
]

#: Where requests need no thread of their own; Django itself answers nothing without one.
ONE_THREAD = "tests.support.asgi_one_thread:application"

SAID = "this process has no memory, threads or open files to spare"
ARGUMENTS = {"add": {"a": 1}, "greet": {}}


@contextmanager
def limited(site: Site) -> Iterator[list[str]]:
    """Have the process at its limit of memory; the list holds afterwards what is stored of tasks."""
    stored: list[str] = []
    assert wire.send(site.port, "GET", "/task-progress?task=none").status == 200, "it has served an endpoint before"
    assert wire.send(site.port, "GET", "/limit").status == 200
    try:
        yield stored
    finally:
        stored += wire.send(site.port, "GET", "/lift-limit").json()["stored"]


@pytest.mark.parametrize("name", ["add", "greet"], ids=["sync", "async"])
def test_start_that_finds_no_thread_is_refused_whole(name):
    with run_unjudged(ONE_THREAD) as site:
        with limited(site) as stored:
            order = {"task": name, "kwargs": ARGUMENTS[name]}
            answers = [wire.post_json(site.port, "/start-task", order) for _ in range(2)]
        for answer in answers:
            assert (answer.status, answer.head.get("Retry-After")) == (503, "5")
            assert answer.head.get("Content-Type") == "application/problem+json"
        assert stored == []
        assert (site.log.count(SAID), "Service Unavailable" in site.log) == (1, False)
        task_id = site.start(name, **ARGUMENTS[name])
        assert site.wait_for(task_id, "succeeded")["attempt"] == 1


def test_stream_that_needs_no_thread_of_its_own_is_served():
    with run_unjudged(ONE_THREAD) as site:
        task_id = site.start("add", a=1)
        site.wait_for(task_id, "succeeded")
        with limited(site):
            assert [event.type for event in site.read_all(task_id)] == ["message", "end"]


def test_stream_that_bears_a_token_is_served_without_a_thread():
    with run_unjudged(WRAPPED) as site:
        task_id = site.start("add", a=1)
        site.wait_for(task_id, "succeeded")
        assert wire.send(site.port, "GET", "/limit").status == 200
        events = site.read_all(task_id, query=f"?token={make_token(task_id)}")
        # It could not answer a request that a middleware sees.
        resource.prlimit(site.server.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert [event.type for event in events] == ["message", "end"]
