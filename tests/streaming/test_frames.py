"""The bytes of the wire, read back by a decoder that does what the HTML standard says and nothing more."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report, Stage
from tasks_app.streaming import frames
from tasks_app.utils.json import encode_json, mend_text

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

texts = st.text(alphabet=st.characters(exclude_categories=()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)

TRICKY_TEXTS = [
    "two\nlines",
    "carriage\rreturn",
    "both\r\n\r\nends",
    "data: 1\n\ndata: 2",
    "\n\nevent: end\ndata: {}\n\n",
    "id: 7\nretry: 0",
    ": comment",
    '"quotes" and \\ backslash',
    "</script><b>HTML</b> & more",
    "🚀 émoji \u2028 line \u2029 paragraph \x85 next",
    "\x00\x1b\x7f control",
    "\ufeff mark",
    "lone \ud800 surrogate",
]


@dataclass
class Event:
    kind: str
    data: str
    last_id: str


@dataclass
class Decoder:
    """The event stream interpretation of the HTML standard, section 9.2.6."""

    events: list[Event] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    retry: int | None = None
    last_id: str = ""

    def decode(self, stream: bytes) -> "Decoder":
        text = stream.decode("utf-8").removeprefix("\ufeff")
        lines = re.split("\r\n|\n|\r", text)
        assert lines.pop() == "", "the stream ends inside a line"
        self._data: list[str] = []
        self._kind = ""
        for line in lines:
            self._take_line(line)
        assert not self._data, "the stream ends inside an event"
        return self

    def _take_line(self, line: str) -> None:
        if not line:
            self._dispatch()
        elif line.startswith(":"):
            self.comments.append(line[1:])
        else:
            name, _, value = line.partition(":")
            self._take_field(name, value.removeprefix(" "))

    def _take_field(self, name: str, value: str) -> None:
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)

    def _dispatch(self) -> None:
        if self._data:
            self.events.append(Event(self._kind or "message", "\n".join(self._data), self.last_id))
        self._data, self._kind = [], ""


def make_snapshot(**report):
    return Snapshot.queued("t1", "demo", now=NOW).begun(now=NOW).reported(Report(**report), now=NOW)


def decode_one(frame):
    decoder = Decoder().decode(frame)
    assert len(decoder.events) == 1
    assert not decoder.comments
    return decoder.events[0]


def test_snapshot_frame_is_these_bytes():
    snapshot = make_snapshot(current=21, total=50, status="Half", unit="rows", meta={"a": 1})
    assert frames.encode_snapshot(snapshot) == (
        b"id: 3\n"
        b'data: {"progress":42,"status":"Half","task_id":"t1","task":"demo","state":"running","seq":3,'
        b'"label":null,"percent":42.0,"current":21,"total":50,"unit":"rows","rate":null,"eta":null,"expected":null,"stages":[],'
        b'"parent":null,"children":null,"attempt":1,"queue_position":null,"created_at":"2026-01-31T12:00:00.000Z",'
        b'"started_at":"2026-01-31T12:00:00.000Z","updated_at":"2026-01-31T12:00:00.000Z","finished_at":null,'
        b'"cancel_requested":false,"stalled":false,"meta":{"a":1},"result":null,"error":null}\n\n'
    )


def test_end_frame_is_the_snapshot_again_with_its_name():
    snapshot = make_snapshot().succeeded({"n": 1}, now=NOW)
    head, data, *rest = frames.encode_snapshot(snapshot).split(b"\n")
    assert frames.encode_end(snapshot).split(b"\n") == [head, b"event: end", data, *rest]


def test_stalled_snapshot_has_an_id_of_its_own():
    assert frames.encode_snapshot(make_snapshot(current=1).as_stalled()).startswith(b"id: 3-stalled\n")


def test_retry_frame_is_these_bytes():
    assert frames.encode_retry(2417) == b"retry: 2417\n"


def test_retry_is_read_back():
    assert Decoder().decode(frames.encode_retry(2417)).retry == 2417


def test_keep_alive_is_a_comment_and_no_event():
    assert frames.KEEP_ALIVE == b": keep-alive\n"
    decoder = Decoder().decode(frames.KEEP_ALIVE)
    assert (decoder.events, decoder.comments) == ([], [" keep-alive"])


def test_time_of_the_server_is_a_named_event_with_a_json_object():
    event = decode_one(frames.encode_server_time(datetime(2026, 3, 1, 9, 41, tzinfo=UTC)))
    assert event == Event("time", '{"server_time":"2026-03-01T09:41:00.000Z"}', "")


def test_heartbeat_is_a_named_event_with_a_json_object():
    assert frames.HEARTBEAT_EVENT == b"event: heartbeat\ndata: {}\n\n"
    assert decode_one(frames.HEARTBEAT_EVENT) == Event("heartbeat", "{}", "")


def test_id_is_the_line_before_an_event():
    assert frames.encode_id("18.250") == b"id: 18.250\n"


def test_log_frame_is_these_bytes():
    assert frames.encode_log("t1", 7, [b'{"text":"a"}', b'{"text":"b"}']) == (
        b'event: log\ndata: {"task_id":"t1","offset":7,"lines":[{"text":"a"},{"text":"b"}]}\n\n'
    )


@pytest.mark.parametrize("task_id", TRICKY_TEXTS)
def test_no_id_of_a_task_breaks_the_frame_of_its_log(task_id):
    event = decode_one(frames.encode_log(task_id, 0, []))
    assert (event.kind, json.loads(event.data)) == ("log", {"task_id": mend_text(task_id), "offset": 0, "lines": []})


def test_missing_frame_is_these_bytes():
    assert frames.encode_missing("t1") == b'event: missing\ndata: {"task_id":"t1"}\n\n'


def test_end_of_many_tasks_is_these_bytes():
    assert frames.encode_all_ended({"succeeded": 1, "failed": 2}) == (
        b"id: end\nevent: end\n"
        b'data: {"progress":33,"status":"All tasks ended","states":{"succeeded":1,"failed":2}}\n\n'
    )


@pytest.mark.parametrize(
    ("states", "progress"),
    [
        ({"succeeded": 3}, 100),
        ({"succeeded": 199, "failed": 1}, 99),
        ({"failed": 1}, 0),
        ({"succeeded": 1, "missing": 1}, 50),
        ({}, 0),
    ],
)
def test_end_of_many_tasks_says_100_only_if_all_succeeded(states, progress):
    assert json.loads(decode_one(frames.encode_all_ended(states)).data)["progress"] == progress


@pytest.mark.parametrize("text", TRICKY_TEXTS)
def test_no_status_breaks_the_frame(text):
    event = decode_one(frames.encode_snapshot(make_snapshot(status=text)))
    assert event.kind == "message"
    assert json.loads(event.data)["status"] == mend_text(text)


@pytest.mark.parametrize("task_id", TRICKY_TEXTS)
def test_no_missing_id_breaks_the_frame(task_id):
    event = decode_one(frames.encode_missing(task_id))
    assert (event.kind, json.loads(event.data)) == ("missing", {"task_id": mend_text(task_id)})


def test_frame_that_status_breaks_into_would_be_seen():
    """The decoder above must be able to fail: a status written raw makes two events of one."""
    raw = b"id: 1\ndata: {}\n\nevent: end\ndata: {}\n\n"
    assert len(Decoder().decode(raw).events) == 2


@given(
    status=texts,
    unit=texts | st.none(),
    name=texts,
    meta=json_objects,
    result=json_values,
    message=texts,
)
def test_any_text_is_one_event_that_reads_back_as_the_same_json(status, unit, name, meta, result, message):
    running = make_snapshot(status=status, unit=unit, meta=meta, stages=(Stage(name=name),))
    for snapshot in (running, running.succeeded(result, now=NOW), running.failed("Error", message, now=NOW)):
        frame = frames.encode_snapshot(snapshot)
        assert frame.isascii()
        assert b"\r" not in frame
        assert frame.count(b"\n") == 3
        event = decode_one(frame)
        assert (event.kind, event.last_id) == ("message", snapshot.event_id)
        assert event.data == encode_json(snapshot.to_wire())


@given(st.lists(texts, min_size=1, max_size=5))
def test_frames_after_each_other_stay_apart(statuses):
    stream = b"".join(frames.encode_snapshot(make_snapshot(status=status)) + frames.KEEP_ALIVE for status in statuses)
    decoder = Decoder().decode(frames.encode_retry(1) + stream)
    read = [json.loads(event.data)["status"] for event in decoder.events]
    assert read == [mend_text(status) for status in statuses]


@given(status=texts)
def test_client_that_only_knows_data_lines_reads_every_snapshot(status):
    frame = frames.encode_snapshot(make_snapshot(current=1, total=4, status=status))
    (line,) = [line for line in frame.decode().split("\n") if line.startswith("data: ")]
    data = json.loads(line.removeprefix("data: "))
    assert data["progress"] == 25
    assert data["status"] == mend_text(status)
