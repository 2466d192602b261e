"""What the libraries of others make of our streams: httpx-sse hands on each message, even one without data."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site, run_site

KEEP_ALIVE = b": keep-alive\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site(KEEPALIVE=0.1) as site:
        yield site


def read_all(site: Site, target: str, last_event_id: str) -> list[ServerSentEvent]:
    """Return the messages that httpx-sse hands on up to the end of a stream."""
    headers = {"Last-Event-ID": last_event_id}
    url = f"http://127.0.0.1:{site.port}/task-progress{target}"
    with httpx.Client(timeout=DEADLINE) as client, connect_sse(client, "GET", url, headers=headers) as source:
        return list(source.iter_sse())


def be_idle_until_end(site: Site, name: str, task_id: str) -> None:
    """End a puppet after a stream opened now has been kept alive thrice; one timer does so for all streams."""
    wait_until(lambda: site.get_stats()["viewers"], "the reader has its stream")
    with site.open(task_id) as stream:
        while stream.body.count(KEEP_ALIVE) < 3:
            stream.body += stream.read_some() or b""
        site.order_return(name)
        stream.read_all()


@pytest.mark.parametrize(
    ("name", "target", "first"),
    [
        ("one", "/{id}", "message"),
        ("log", "/{id}?logs=1", "log"),
        ("beating", "/{id}?heartbeat=event", "message"),
        ("many", "?task=unknown&task={id}", "missing"),
        ("seen", "/{id}", "message"),
    ],
)
def test_each_message_has_data_and_the_first_one_has_retry(site: Site, name: str, target: str, first: str):
    task_id = site.start_puppet(name)
    site.order(name, log="a line", status="quiet")
    wait_until(lambda: site.get_snapshot(task_id)["status"] == "quiet", "the puppet is quiet")
    seen = str(site.get_snapshot(task_id)["seq"]) if name == "seen" else ""
    with ThreadPoolExecutor(max_workers=1) as thread:
        reading = thread.submit(read_all, site, target.format(id=task_id), seen)
        be_idle_until_end(site, name, task_id)
        messages = reading.result(DEADLINE)
    assert [message for message in messages if not isinstance(json.loads(message.data or "null"), dict)] == []
    assert (messages[0].event, messages[-1].event) == (first, "end")
    assert [message.retry is not None for message in messages] == [True] + [False] * (len(messages) - 1)
