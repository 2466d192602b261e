"""Logs as a real Daphne process sends them, and streams of them that are cut at any byte."""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import pytest

from tests.support import wire
from tests.support.waiting import wait_until
from tests.support.wire_site import Site, run_site

#: An event of a stream of one task.
FRAME = re.compile(rb"id: (?P<id>[0-9]*\.[0-9]+)\n(?:event: (?P<event>log|end)\n)?data: (?P<data>\{[ -~]*\})\n\n")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_site() as site:
        yield site


def record(site: Site, name: str) -> tuple[str, bytes]:
    """Return a task that has ended, and the bytes of a stream of its whole life."""
    task_id = site.start_puppet(name)
    with site.open(task_id, query="?logs=1") as stream:
        for step in range(4):
            site.order(name, log=f"{name} {step}\n\ndata: {step}", current=step, total=4, status=f"step {step}")
            stream.read_status(f"step {step}")
            site.order(name, log=f"{name} alone {step}")
            stream.read_until(lambda event: event.type == "log")
        site.order(name, log="last words")
        site.order_return(name)
        stream.read_all()
        return task_id, stream.body


@pytest.fixture(scope="module")
def recording(site) -> tuple[str, bytes]:
    return record(site, "recorded")


def decode(body: bytes) -> tuple[str, list[wire.Event]]:
    """Return the last event id and the events that an EventSource has after these bytes."""
    decoder = wire.EventDecoder()
    events = decoder.feed(body)
    return decoder.last_event_id, events


def find_lines(events: Iterable[wire.Event]) -> list[tuple[str, int, str]]:
    """Return every line as (task, offset, text)."""
    logs = [event.json() for event in events if event.type == "log"]
    return [
        (log["task_id"], offset, line["text"])
        for log in logs
        for offset, line in enumerate(log["lines"], log["offset"])
    ]


def find_terminal(events: Iterable[wire.Event]) -> list[wire.Event]:
    return [event for event in events if event.type == "message" and event.json()["state"] == "succeeded"]


def test_whole_stream_is_retry_lines_snapshots_and_end_and_nothing_else(recording):
    _, body = recording
    head, _, rest = body.partition(b"\n")
    assert re.fullmatch(rb"retry: [0-9]+", head)
    frames = list(FRAME.finditer(rest))
    assert b"".join(frame[0] for frame in frames) == rest
    assert {frame["event"] for frame in frames} == {None, b"log", b"end"}
    assert [frame["event"] for frame in frames[-3:]] == [b"log", None, b"end"]
    assert set(json.loads(frames[-3]["data"])) == {"task_id", "offset", "lines"}


def test_lines_come_in_order_and_no_later_than_the_snapshot_after_them(recording):
    task_id, body = recording
    lines = find_lines(decode(body)[1])
    texts = [text for step in range(4) for text in (f"recorded {step}", "", f"data: {step}", f"recorded alone {step}")]
    assert lines == [(task_id, offset, text) for offset, text in enumerate([*texts, "last words"])]
    for step in range(4):
        before = body[: body.index(b'"status":"step %d"' % step)]
        assert f"data: {step}" in [text for _, _, text in find_lines(decode(before)[1])]


@pytest.mark.parametrize("way", ["header", "query"])
def test_stream_cut_at_any_byte_shows_every_line_and_the_end_exactly_once(site, recording, way):
    task_id, body = recording
    whole, answers = find_lines(decode(body)[1]), {}
    for cut in range(len(body) + 1):
        last_event_id, events = decode(body[:cut])
        if last_event_id not in answers:
            query = f"&last_event_id={last_event_id}" if way == "query" else ""
            headers = [("Last-Event-ID", last_event_id)] if way == "header" else []
            answers[last_event_id] = wire.send(site.port, "GET", f"/task-progress/{task_id}?logs=1{query}", headers)
        answer = answers[last_event_id]
        rest = decode(answer.body)[1]
        assert find_lines(events) + find_lines(rest) == whole, (cut, last_event_id)
        assert len(find_terminal(events) + find_terminal(rest)) == 1, (cut, last_event_id)
        assert answer.status == (204 if find_terminal(events) else 200), (cut, last_event_id)
    assert len(answers) > 10


def test_stream_of_many_tasks_cut_at_any_byte_shows_every_line_exactly_once(site, recording):
    task_ids = [recording[0], record(site, "another")[0]]
    target = "/task-progress?logs=1&" + "&".join(f"task={task_id}" for task_id in task_ids)
    body = wire.send(site.port, "GET", target).body
    whole, answers = sorted(find_lines(decode(body)[1])), {}
    assert len(whole) == 34
    for cut in range(len(body) + 1):
        last_event_id, events = decode(body[:cut])
        if last_event_id not in answers:
            answers[last_event_id] = wire.send(site.port, "GET", target, [("Last-Event-ID", last_event_id)])
        answer = answers[last_event_id]
        rest = find_lines(decode(answer.body)[1])
        assert sorted(find_lines(events) + rest) == whole, (cut, last_event_id)
        assert answer.status == (204 if last_event_id == "end" else 200), (cut, last_event_id)
    assert len(answers) == 4


@pytest.mark.parametrize(
    "last_event_id",
    [
        *(
            "x.1",
            "1.x",
            "1.-1",
            ".",
            "1.",
            "1.1.1",
            "1.1e1",
            "\u0661.\u0661",
            "9" * 5000 + ".1",
            "1." + "9" * 5000,
            "0x1.1",
        ),
        *("1.1\n", "\n.1", "1.1\0", "1\nevent: end\ndata: {}\n\n.1", "0123456789ab.1.1"),
    ],
)
def test_malformed_id_is_treated_as_none_and_comes_not_back(site, recording, last_event_id):
    task_id, body = recording
    query = f"logs=1&last_event_id={quote(last_event_id)}"
    answer = wire.send(site.port, "GET", f"/task-progress/{task_id}?{query}")
    events = decode(answer.body)[1]
    assert find_lines(events) == find_lines(decode(body)[1])
    assert [event.type for event in events][-2:] == ["message", "end"]
    assert len(list(FRAME.finditer(answer.body))) == len(events)


def test_viewers_without_log_see_nothing_of_it(site):
    task_id = site.start_puppet("quiet")
    with site.open(task_id) as plain, site.open(task_id, query="?logs=1") as stream:
        site.order("quiet", log="one")
        stream.read_until(lambda event: event.type == "log")
        site.order("quiet", status="two")
        plain.read_status("two")
        site.order_return("quiet")
        assert {event.type for event in plain.read_all()} == {"message", "end"}
        assert b"one" not in plain.body
        assert b"logged" not in stream.body


def test_lines_that_nobody_looks_at_are_there_for_who_comes_later(site):
    task_id = site.start_puppet("later")
    for number in range(120):
        site.order("later", log=str(number))
    site.order_return("later")
    site.wait_for(task_id, "succeeded")
    lines = find_lines(site.read_all(task_id, query="?logs=1"))
    assert lines == [(task_id, number, str(number)) for number in range(120)]


def test_lines_are_let_go_of_with_the_last_stream(site):
    task_id = site.start_puppet("gone")
    with site.open(task_id, query="?logs=1") as stream:
        site.order("gone", log="one")
        stream.read_until(lambda event: event.type == "log")
        assert site.get_stats()["logs"] == [task_id]
    wait_until(lambda: not site.get_stats()["logs"], "the lines were let go of")
    site.order_return("gone")
