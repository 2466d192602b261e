"""Streams that are cut, by the network or by the client, over real sockets."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.waiting import wait_until
from tests.support.wire_site import Site, run_site

pytestmark = pytest.mark.slow

TERMINAL = "succeeded"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site() as site:
        yield site


@pytest.fixture(scope="module")
def recording(site) -> tuple[str, bytes]:
    """A task that has ended, and the bytes of a stream of its whole life."""
    task_id = site.start_puppet("recorded")
    with site.open(task_id) as stream:
        for step in range(4):
            site.order("recorded", current=step, total=4, status=f"step {step} \U0001f389\n\ndata: x")
            stream.read_until(lambda event, step=step: event.json()["status"].startswith(f"step {step}"))
        site.order_return("recorded")
        stream.read_all()
        return task_id, stream.body


def decode(body: bytes) -> tuple[str, list[wire.Event]]:
    """Return the last event id and the events that an EventSource has after these bytes."""
    decoder = wire.EventDecoder()
    events = decoder.feed(body)
    return decoder.last_event_id, events


def find_terminal(events: list[wire.Event]) -> list[wire.Event]:
    return [event for event in events if event.type == "message" and event.json()["state"] == TERMINAL]


def reconnect(site: Site, task_id: str, last_event_id: str, way: str) -> tuple[int, list[wire.Event]]:
    query = f"?last_event_id={last_event_id}" if way == "query" and last_event_id else ""
    headers = [("Last-Event-ID", last_event_id)] if way == "header" and last_event_id else []
    response = wire.send(site.port, "GET", f"/task-progress/{task_id}{query}", headers)
    return response.status, decode(response.body)[1]


@pytest.mark.parametrize("way", ["header", "query"])
def test_stream_cut_at_any_byte_shows_the_terminal_snapshot_exactly_once(site, recording, way):
    task_id, body = recording
    answers = {}
    for cut in range(len(body) + 1):
        last_event_id, events = decode(body[:cut])
        if last_event_id not in answers:
            answers[last_event_id] = reconnect(site, task_id, last_event_id, way)
        status, rest = answers[last_event_id]
        seen = find_terminal(events)
        assert len(seen + find_terminal(rest)) == 1, (cut, last_event_id)
        assert status == (204 if seen else 200), (cut, last_event_id)
    assert len(answers) == 1 + len({event.id for event in decode(body)[1]})


@pytest.mark.parametrize("way", ["header", "query"])
def test_204_has_no_body_and_keeps_the_connection_usable(site, recording, way):
    task_id, body = recording
    last_event_id = decode(body)[0]
    assert reconnect(site, task_id, last_event_id, way) == (204, [])


def test_header_wins_over_the_query(site, recording):
    task_id, body = recording
    last_event_id = decode(body)[0]
    target = f"/task-progress/{task_id}?last_event_id={last_event_id}"
    assert wire.send(site.port, "GET", target, [("Last-Event-ID", "1")]).status == 200


MALFORMED = [
    "abc",
    "-1",
    "0",
    "01",
    "1.0",
    "+5",
    "9" * 5000,
    "x" * 5000,
    "\u0661",
    "\U0001f389",
    "5 5",
    "5,5",
    "'",
    "end",
]


@pytest.mark.parametrize("way", ["header", "query"])
@pytest.mark.parametrize("last_event_id", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_id_is_treated_as_none(site, recording, last_event_id, way):
    task_id, _ = recording
    if way == "query":
        last_event_id = "".join(f"%{byte:02x}" for byte in last_event_id.encode())
    status, events = reconnect(site, task_id, last_event_id, way)
    assert (status, [event.type for event in events]) == (200, ["message", "end"])


@pytest.mark.parametrize("query", ["%00", "5%00", "%0a", "%ff", "%ed%a0%80", "5%0d%0aX:y"])
def test_control_characters_in_the_query_are_treated_as_none(site, recording, query):
    task_id, _ = recording
    response = wire.send(site.port, "GET", f"/task-progress/{task_id}?last_event_id={query}")
    assert (response.status, len(decode(response.body)[1])) == (200, 2)


def test_reconnect_to_a_running_task_repeats_nothing(site):
    task_id = site.start_puppet("again")
    with site.open(task_id) as stream:
        site.order("again", status="A")
        stream.read_status("A")
        last_event_id = stream.decoder.last_event_id
    with site.open(task_id, headers=[("Last-Event-ID", last_event_id)]) as stream:
        site.order("again", status="B")
        assert stream.next().json()["status"] == "B"
        site.order_return("again")
        assert [event.type for event in stream.read_all()] == ["message", "end"]


def test_reconnect_to_a_running_task_gets_what_is_newer_at_once(site):
    task_id = site.start_puppet("newer")
    with site.open(task_id) as stream:
        site.order("newer", status="A")
        stream.read_status("A")
        last_event_id = stream.decoder.last_event_id
    site.order("newer", status="B")
    wait_until(lambda: site.get_snapshot(task_id)["status"] == "B", "the task got on")
    with site.open(task_id, headers=[("Last-Event-ID", last_event_id)]) as stream:
        assert stream.next().json()["status"] == "B"
    site.order_return("newer")


@pytest.mark.parametrize("goodbye", ["FIN", "RST"])
def test_stream_of_a_client_that_goes_away_is_let_go_of_and_the_task_goes_on(site, goodbye):
    task_id = site.start_puppet(goodbye)
    with site.open(task_id) as stream:
        site.order(goodbye, status="watched")
        stream.read_status("watched")
        assert site.get_stats()["watches"] == [task_id]
        if goodbye == "RST":
            stream.reset()
    site.wait_until_free()
    site.order(goodbye, current=1, total=2, status="alone")
    wait_until(lambda: site.get_snapshot(task_id)["status"] == "alone", "the task goes on")
    site.order_return(goodbye, "done")
    assert site.wait_for(task_id, "succeeded")["result"] == "done"


def test_task_without_any_viewer_runs_to_its_end(site):
    task_id = site.start_puppet("unwatched")
    site.order_return("unwatched", 1)
    assert site.wait_for(task_id, "succeeded")["result"] == 1


def test_clients_that_leave_at_any_moment_of_the_request_leave_nothing_behind():
    pause = threading.Event()
    with run_site() as site:
        for number in range(200):
            with wire.Connection(site.port) as connection:
                connection.send(wire.encode_request("GET", f"/task-progress/{site.start('async_puppet')}"))
                pause.wait(number % 60 / 10_000)  # the server is a little further each time
                connection.reset()
        site.wait_until_free()


def test_viewer_that_leaves_does_not_disturb_the_other(site):
    task_id = site.start_puppet("pair")
    with site.open(task_id) as stayer:
        with site.open(task_id) as leaver:
            assert leaver.next() is not None
            leaver.reset()
        wait_until(lambda: site.get_stats()["viewers"] == 1, "one viewer is left")
        site.order("pair", status="still here")
        stayer.read_status("still here")
        site.order_return("pair")
        assert stayer.read_all()[-1].type == "end"


def test_viewers_see_the_same_bytes(site):
    task_id = site.start_puppet("same")
    site.order("same", status="ready")
    wait_until(lambda: site.get_snapshot(task_id)["status"] == "ready", "the task stands still")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(site.open(task_id)) for _ in range(5)]
        for stream in streams:
            stream.read_status("ready")
        for step in range(5):
            site.order("same", status=f"step {step}")
            for stream in streams:
                stream.read_status(f"step {step}")
        site.order_return("same")
        for stream in streams:
            stream.read_all()
        assert len({stream.body.partition(b"\n")[2] for stream in streams}) == 1


def test_viewer_that_comes_after_the_end_gets_the_snapshot_and_the_end(site, recording):
    task_id, body = recording
    events = site.read_all(task_id)
    assert [event.type for event in events] == ["message", "end"]
    assert events == decode(body)[1][-2:]
